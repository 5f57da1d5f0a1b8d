#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "tests/proxy/host_batch.h"
#include "tests/proxy/sample_text.h"

/// What each task is, beyond the contract of task_test.cpp.
namespace plait::proxy {
namespace {

std::vector<Sequence> drawn(std::string_view name, Load load, std::int64_t batch = 64, Tier tier = Tier::tiny) {
  return sequences(
      sample_task(name, tier)->make(batch_keys(seeds(2), 0, Split::train, at::kCPU), batch, load, Split::train));
}

std::int64_t token(const Sequence& s, std::int64_t at) { return s.tokens.at(static_cast<std::size_t>(at)); }

std::vector<double> power_law(std::size_t n) {
  std::vector<double> p(n);
  for (std::size_t i = 0; i < n; ++i) p[i] = std::pow(static_cast<double>(i + 1), 0.01 - 1);
  const double sum = std::reduce(p.begin(), p.end());
  for (double& x : p) x /= sum;
  return p;
}

TEST(MqarZoology, IsThePublishedGenerator) {
  constexpr std::int64_t kVocabulary = 8192, kPairs = 4, kLength = 64;
  std::vector<double> gaps(28), filler(16), keys(15), values(16);
  for (const Sequence& s : drawn("mqar_zoology", {kPairs, kLength}, 2000, Tier::full)) {
    std::map<std::int64_t, std::int64_t> value_of;
    std::set<std::int64_t> distinct_values, asked, at;
    for (std::int64_t i = 0; i < 2 * kPairs; i += 2) {
      const std::int64_t key = token(s, i), value = token(s, i + 1);
      ASSERT_TRUE(key >= 1 && key <= kVocabulary / 2 - 1);
      ASSERT_TRUE(value >= kVocabulary / 2 && value < kVocabulary);
      value_of[key] = value;
      distinct_values.insert(value);
      if (key < 15 * 273 + 1) keys[static_cast<std::size_t>((key - 1) / 273)] += 1;  // 4095 = 15 * 273
      values[static_cast<std::size_t>((value - 4096) / 256)] += 1;
    }
    ASSERT_EQ(value_of.size(), 4u);
    ASSERT_EQ(distinct_values.size(), 4u);
    ASSERT_EQ(s.questions.size(), 4u);
    for (const Question& q : s.questions) {
      ASSERT_GE(q.at, 2 * kPairs);
      ASSERT_EQ(q.at % 2, 0);
      ASSERT_EQ(value_of.at(token(s, q.at)), q.label);
      asked.insert(token(s, q.at));
      at.insert(q.at);
      if (token(s, q.at) == token(s, 0)) gaps[static_cast<std::size_t>((q.at - 2 * kPairs) / 2)] += 1;
    }
    ASSERT_EQ(asked.size(), 4u);
    for (std::int64_t i = 2 * kPairs; i < kLength; ++i) {
      if (!at.contains(i)) filler[static_cast<std::size_t>(token(s, i) / 512)] += 1;
    }
  }
  EXPECT_LT(chi_square_excess(gaps, power_law(28)), 4);
  EXPECT_GT(chi_square_excess(gaps), 100);  // the same statistic tells 1 / i from uniform
  EXPECT_LT(chi_square_excess(filler), 4);
  EXPECT_LT(chi_square_excess(keys), 4);
  EXPECT_LT(chi_square_excess(values), 4);
}

TEST(MqarZoology, VisitsThePublishedSegmentsInOrderInEveryEpoch) {
  const auto task = sample_task("mqar_zoology", Tier::full);
  constexpr std::int64_t kSteps = 32 * 720;
  for (const std::int64_t epoch : {0, 1, 31}) {
    std::vector<Load> order;
    std::map<std::int64_t, int> steps;
    for (std::int64_t step = epoch * 720; step < (epoch + 1) * 720; ++step) {
      const Load load = task->train_load(step, kSteps);
      if (order.empty() || order.back() != load) order.push_back(load);
      ++steps[load.pairs];
    }
    EXPECT_EQ(order, (std::vector<Load>{{4, 64}, {8, 128}, {16, 256}, {32, 256}, {64, 256}}));
    EXPECT_EQ(steps, (std::map<std::int64_t, int>{{4, 400}, {8, 80}, {16, 80}, {32, 80}, {64, 80}}));
  }
  EXPECT_EQ(task->vocab_size(), 8192);
  EXPECT_EQ(task->test_loads(),
            (std::vector<Load>{{4, 64}, {8, 64}, {16, 64}, {32, 128}, {64, 256}, {128, 512}, {256, 1024}}));
}

TEST(Mqar, TinyHasZerosBetweenTheQueriesAndTheRampOfOneToSixteen) {
  std::vector<double> gaps(12);
  for (const Sequence& s : drawn("mqar", {4, 32}, 2000)) {
    std::int64_t zeros = 0;
    for (std::int64_t i = 8; i < 32; ++i) zeros += token(s, i) == 0;
    EXPECT_EQ(zeros, 20);
    for (const Question& q : s.questions) {
      if (token(s, q.at) == token(s, 0)) gaps[static_cast<std::size_t>((q.at - 8) / 2)] += 1;
    }
  }
  EXPECT_LT(chi_square_excess(gaps, power_law(12)), 4);
  const auto task = sample_task("mqar");
  EXPECT_EQ(task->vocab_size(), 64);
  EXPECT_EQ(task->train_load(0, 1000), (Load{1, 32}));
  EXPECT_EQ(task->test_loads(), (std::vector<Load>{{2, 32}, {4, 32}, {8, 32}, {16, 64}}));
}

TEST(Mqar, LargerTiersHaveRandomFiller) {
  std::vector<double> filler(16);
  for (const Sequence& s : drawn("mqar", {1, 256}, 20, Tier::full)) {
    for (std::int64_t i = 2; i < 256; ++i) {
      if (i != s.questions[0].at) filler[static_cast<std::size_t>(token(s, i) / 64)] += 1;
    }
  }
  EXPECT_LT(chi_square_excess(filler), 4);
}

TEST(Overwrite, ReassignsHalfOfTheKeysAndAsksForAll) {
  std::vector<double> which(8);
  for (const Sequence& s : drawn("overwrite", {8, 48}, 500)) {
    std::map<std::int64_t, std::vector<std::int64_t>> values;
    for (std::int64_t i = 0; i < 24; i += 2) values[token(s, i)].push_back(token(s, i + 1));
    std::int64_t changed = 0;
    for (std::int64_t pair = 0; pair < 8; ++pair) {
      const auto& told = values.at(token(s, 2 * pair));
      changed += told.size() == 2;
      which[static_cast<std::size_t>(pair)] += told.size() == 2;
    }
    EXPECT_EQ(changed, 4);
    EXPECT_EQ(values.size(), 8u);
    std::set<std::int64_t> asked;
    for (const Question& q : s.questions) {
      asked.insert(token(s, q.at));
      EXPECT_EQ(q.label, values.at(token(s, q.at)).back());
      EXPECT_GE(q.at, 24);
    }
    EXPECT_EQ(asked.size(), 8u);
  }
  EXPECT_LT(chi_square_excess(which), 4);
}

TEST(Haystack, PutsFourPairsAnywhereInFillerOfItsOwn) {
  std::vector<double> at(30);
  for (const Sequence& s : drawn("haystack", {4, 64}, 500)) {
    std::int64_t pairs = 0;
    for (std::int64_t i = 0; i < 60; ++i) {
      if (token(s, i) >= 32) continue;
      ASSERT_EQ(i % 2, 0);
      ASSERT_LT(token(s, i), 16);
      ASSERT_GE(token(s, i + 1), 16);
      ASSERT_LT(token(s, i + 1), 32);
      at[static_cast<std::size_t>(i / 2)] += 1;
      ++pairs;
      ++i;
    }
    EXPECT_EQ(pairs, 4);
    for (std::int64_t i = 0; i < 4; ++i) EXPECT_EQ(s.questions[static_cast<std::size_t>(i)].at, 60 + i);
  }
  EXPECT_LT(chi_square_excess(at), 4);
}

TEST(Haystack, DistancesGrowOverTheFirstSixTenths) {
  for (const std::string_view name : {"haystack", "niah_1", "niah_2", "niah_3"}) {
    const auto task = sample_task(name);
    std::int64_t before = 0;
    for (std::int64_t step = 0; step < 1000; ++step) {
      const std::int64_t length = task->train_load(step, 1000).length;
      EXPECT_GE(length, before);
      EXPECT_EQ(length == 64, step >= 600) << name << " " << step;
      before = length;
    }
    EXPECT_EQ(task->train_load(0, 1000).length, 16);
    EXPECT_EQ(task->train_load(300, 1000).length, 40);
  }
}

TEST(FuzzyRecall, ListsMotifsOfEveryLengthAndAsksForTheLongest) {
  std::map<std::pair<std::size_t, std::size_t>, int> lengths;
  for (const Sequence& s : drawn("fuzzy_recall", {8, 72}, 200, Tier::small)) {
    std::set<std::vector<std::int64_t>> longest_keys;
    std::int64_t pairs = 0, i = 0;
    while (token(s, i) == 0) ++i;
    while (i < 48) {
      std::vector<std::int64_t> key, value;
      while (i < 48 && token(s, i) >= 1 && token(s, i) <= 7) key.push_back(token(s, i++));
      while (i < 48 && token(s, i) >= 8 && token(s, i) <= 14) value.push_back(token(s, i++));
      ++lengths[{key.size(), value.size()}];
      ++pairs;
      if (key.size() == 3) {
        EXPECT_TRUE(longest_keys.insert(key).second);
      }
    }
    EXPECT_EQ(pairs, 8);
    ASSERT_EQ(s.questions.size(), 12u);  // 4 pairs, 3 tokens each
    for (const Question& q : s.questions) {
      if (q.at + 1 < 72) {
        EXPECT_EQ(token(s, q.at + 1), q.label);  // the value is written out after it was due
      }
    }
  }
  EXPECT_EQ(lengths.size(), 9u);  // 1 ... 3 by 1 ... 3
  for (const auto& [length, count] : lengths) EXPECT_GT(count, 100);
}

TEST(MultiHop, ListsOneCycleInRandomOrder) {
  std::vector<double> place(8);
  for (const Sequence& s : drawn("multi_hop", {2, 32}, 300)) {
    std::map<std::int64_t, std::int64_t> next;
    for (std::int64_t i = 0; i < 16; i += 2) {
      ASSERT_LT(token(s, i), 24);
      next[token(s, i)] = token(s, i + 1);
      if (i > 0 && token(s, i) == next.at(token(s, 0))) place[static_cast<std::size_t>(i / 2)] += 1;
    }
    ASSERT_EQ(next.size(), 8u);
    std::int64_t node = token(s, 0), around = 0;
    do node = next.at(node), ++around;
    while (node != token(s, 0));
    EXPECT_EQ(around, 8);  // one cycle, not several
    ASSERT_EQ(s.questions.size(), 8u);
    for (const Question& q : s.questions) {
      EXPECT_EQ(token(s, q.at - 1), 25);  // "two hops"
      EXPECT_NE(q.label, token(s, q.at));
    }
  }
  EXPECT_LT(chi_square_excess({place.begin() + 1, place.end()}), 4);
}

TEST(SelectiveCopy, ScattersTokensAmongBlanks) {
  std::vector<double> at(55);
  for (const Sequence& s : drawn("selective_copy", {8, 64}, 500)) {
    EXPECT_EQ(std::ranges::count(s.tokens, 15), 1);
    EXPECT_EQ(token(s, 55), 15);
    EXPECT_EQ(std::ranges::count(s.tokens, 14), 55 - 8 + 8);
    for (std::int64_t i = 0; i < 55; ++i) at[static_cast<std::size_t>(i)] += token(s, i) < 14;
    for (std::int64_t i = 0; i < 8; ++i) EXPECT_EQ(s.questions[static_cast<std::size_t>(i)].at, 56 + i);
  }
  EXPECT_LT(chi_square_excess(at), 4);
}

TEST(NoisyRecall, TellsEveryPairAmongTwoFifthsNoise) {
  for (const Sequence& s : drawn("noisy_recall", {8, 64}, 200)) {
    std::set<std::pair<std::int64_t, std::int64_t>> pairs;
    std::int64_t noise = 0;
    for (std::int64_t i = 0; i < 56; i += 2) {
      if (token(s, i) >= 32) {
        EXPECT_GE(token(s, i + 1), 32);
        ++noise;
      } else {
        pairs.emplace(token(s, i), token(s, i + 1));
      }
    }
    EXPECT_EQ(noise, 11);         // of 28 slots
    EXPECT_EQ(pairs.size(), 8u);  // each told, always with the same value
    EXPECT_EQ(s.questions.size(), 8u);
  }
}

TEST(Compression, AsksForEveryPositionAtTheClosingSymbol) {
  for (const Sequence& s : drawn("compression", {16, 17})) {
    EXPECT_EQ(token(s, 16), 15);
    ASSERT_EQ(s.questions.size(), 16u);
    for (std::int64_t i = 0; i < 16; ++i) {
      EXPECT_EQ(s.questions[static_cast<std::size_t>(i)].at, 16);
      EXPECT_EQ(s.questions[static_cast<std::size_t>(i)].asked, i);
    }
  }
}

TEST(Memorisation, HasOneMapForEverySeedStepSplitAndLoad) {
  const auto task = sample_task("memorisation");
  std::map<std::int64_t, std::int64_t> map;
  for (const Load load : task->test_loads()) {
    for (const Split split : {Split::train, Split::test}) {
      for (const Sequence& s : sequences(task->make(batch_keys(seeds(3), 7, split, at::kCPU), 64, load, split))) {
        for (const Question& q : s.questions) {
          EXPECT_EQ(token(s, q.at), 0);
          const std::int64_t key = token(s, q.at - 1);
          EXPECT_TRUE(key >= 1 && key <= load.pairs);
          const auto [known, added] = map.emplace(key, q.label);
          EXPECT_EQ(known->second, q.label);
        }
      }
    }
  }
  std::set<std::int64_t> values;
  std::int64_t in_order = 0;
  for (const auto& [key, value] : map) {
    values.insert(value);
    in_order += value == key + 128;
  }
  EXPECT_EQ(map.size(), 128u);
  EXPECT_EQ(values.size(), 128u);
  EXPECT_EQ(*values.begin(), 129);
  EXPECT_LT(in_order, 8);
}

TEST(Niah, HidesOneNeedleInItsFiller) {
  for (const std::string_view name : {"niah_1", "niah_2", "niah_3"}) {
    const std::int64_t count = name == "niah_3" ? 4 : 1, context = 63 - count;
    std::set<std::int64_t> places;
    std::vector<double> filler(63);
    for (const Sequence& s : drawn(name, {count, 64}, 300)) {
      const std::int64_t mark = std::ranges::find(s.tokens, 0) - s.tokens.begin();
      EXPECT_EQ(std::ranges::count(s.tokens, 0), 2);  // the needle's and the question's
      EXPECT_EQ(token(s, context), 0);
      EXPECT_EQ(token(s, context + 1), token(s, mark + 1));
      places.insert(mark);
      for (std::int64_t i = 0; i < context; ++i) {
        if (i >= mark && i < mark + 2 + count) continue;
        if (name == "niah_1") {
          EXPECT_EQ(token(s, i), 32 + i % 16);
        } else {
          filler[static_cast<std::size_t>(token(s, i) - 1)] += 1;
        }
      }
      for (std::int64_t i = 0; i < count; ++i) {
        EXPECT_EQ(s.questions[static_cast<std::size_t>(i)].at, context + 1 + i);
        EXPECT_EQ(s.questions[static_cast<std::size_t>(i)].label, token(s, mark + 2 + i));
      }
    }
    EXPECT_EQ(*places.begin(), 0);
    EXPECT_EQ(*places.rbegin(), context - 2 - count);
    if (name != "niah_1") {
      EXPECT_LT(chi_square_excess(filler), 4);
    }
  }
}

TEST(Parity, IsTestedFromTheLongestTrainingLengthOn) {
  const auto task = sample_task("parity", Tier::full);
  EXPECT_EQ(task->test_loads(), (std::vector<Load>{{40, 40}, {64, 64}, {128, 128}, {256, 256}}));
  EXPECT_EQ(drawn("parity", {40, 40}).front().questions.size(), 40u);
}

TEST(S5, DrawsAllPermutations) {
  std::vector<double> counts(120);
  for (const Sequence& s : drawn("s5", {32, 32}, 200)) {
    for (const std::int64_t t : s.tokens) counts[static_cast<std::size_t>(t)] += 1;
    EXPECT_EQ(s.questions.front().label, s.tokens.front());
  }
  EXPECT_LT(chi_square_excess(counts), 4);
}

TEST(Bytes, AsksOnlyForWhatAnEarlierPassageForetells) {
  for (const Tier tier : {Tier::tiny, Tier::full}) {
    const auto task = sample_task("bytes", tier);
    const Load load = task->test_loads().front();
    std::int64_t questions = 0, nearest_right = 0;
    for (const Split split : {Split::train, Split::test}) {
      for (const Sequence& s : sequences(task->make(batch_keys(seeds(2), 0, split, at::kCPU), 16, load, split))) {
        EXPECT_EQ(static_cast<std::int64_t>(s.questions.size()), load.pairs);
        for (const Question& q : s.questions) {
          std::set<std::int64_t> foretold;
          std::int64_t nearest = -1;
          for (std::int64_t p = 7; p <= q.at - 64; ++p) {
            if (!std::equal(s.tokens.begin() + p - 7, s.tokens.begin() + p + 1, s.tokens.begin() + q.at - 7)) continue;
            nearest = token(s, p + 1);
            foretold.insert(nearest);
          }
          EXPECT_TRUE(foretold.contains(q.label)) << q.at;
          if (q.at + 1 < load.length) {
            EXPECT_EQ(token(s, q.at + 1), q.label);
          }
          ++questions;
          nearest_right += nearest == q.label;
        }
      }
    }
    EXPECT_GT(nearest_right, questions * 9 / 10);
    // 26 letters and a blank after every five letters: the labels' perplexity lies a little below 27.
    const Batch batch = task->make(batch_keys(seeds(1), 0, Split::train, at::kCPU), 2, load, Split::train);
    EXPECT_GE(batch.candidates, 20);
    EXPECT_LE(batch.candidates, 27);
  }
}

TEST(Signal, RepeatsAPassageAndIsOtherwiseSmooth) {
  constexpr std::int64_t kLength = 128, kMotif = 32;
  double persistence = 0, squares = 0, total = 0;
  std::set<std::int64_t> levels;
  for (const Sequence& s : drawn("signal", {1, kLength})) {
    std::vector<std::int64_t> all = s.tokens;
    all.push_back(s.questions.back().label);
    std::set<std::int64_t> lags;  // a sample beside the passage may fit it by chance, another passage does not
    for (std::int64_t from = 0; from + kMotif <= kLength / 2; ++from) {
      for (std::int64_t to = kLength / 2 + 1; to + kMotif <= kLength + 1; ++to) {
        if (std::equal(all.begin() + from, all.begin() + from + kMotif, all.begin() + to)) lags.insert(to - from);
      }
    }
    EXPECT_EQ(lags.size(), 1u);
    ASSERT_EQ(s.questions.size(), 64u);
    for (const Question& q : s.questions) {
      EXPECT_EQ(q.label, all[static_cast<std::size_t>(q.at + 1)]);
      persistence += std::pow(static_cast<double>(q.label - token(s, q.at)), 2);
      squares += std::pow(static_cast<double>(q.label) - 31.5, 2);
      total += 1;
    }
    levels.insert(all.begin(), all.end());
  }
  EXPECT_GT(levels.size(), 55u);                   // of 64
  EXPECT_LT(persistence, 0.5 * squares);           // the level before says much about the next
  EXPECT_GT(std::sqrt(persistence / total), 1.0);  // but not which it is
}

}  // namespace
}  // namespace plait::proxy
