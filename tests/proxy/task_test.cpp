#include "src/proxy/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "src/spec/error.h"
#include "tests/proxy/host_batch.h"
#include "tests/proxy/oracles.h"
#include "tests/proxy/sample_text.h"

namespace plait::proxy {
namespace {

const at::Device kCpu = at::kCPU;

std::string problem_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const spec::SpecError& error) {
    return error.problems().at(0).path + ": " + error.problems().at(0).message;
  }
  return "";
}

/// Every load that training or testing uses.
std::vector<Load> all_loads(const Task& task) {
  std::vector<Load> loads = task.test_loads();
  for (const std::int64_t steps : {1, 10, 1000}) {
    for (std::int64_t step = 0; step < steps; ++step) {
      const Load load = task.train_load(step, steps);
      if (std::ranges::find(loads, load) == loads.end()) loads.push_back(load);
    }
  }
  return loads;
}

bool same(const Batch& a, const Batch& b) {
  return at::equal(a.tokens, b.tokens) && at::equal(a.rows, b.rows) && at::equal(a.labels, b.labels);
}

class EveryTask : public testing::TestWithParam<TaskInfo> {
 protected:
  std::string name() const { return std::string(GetParam().name); }
};

TEST_P(EveryTask, IsDescribed) {
  EXPECT_FALSE(GetParam().summary.empty());
  EXPECT_LE(GetParam().summary.size(), 100u);
  EXPECT_FALSE(GetParam().source.empty());
}

TEST_P(EveryTask, GivesTheSameBatchForTheSameSeedStepAndSplitOnly) {
  const auto task = sample_task(name());
  const Load load = task->test_loads().back();
  const Batch batch = task->make(seeds(2), 5, 4, load, Split::train, kCpu);
  EXPECT_TRUE(same(batch, task->make(seeds(2), 5, 4, load, Split::train, kCpu)));
  EXPECT_TRUE(same(batch, sample_task(name())->make(seeds(2), 5, 4, load, Split::train, kCpu)));
  EXPECT_FALSE(at::equal(batch.tokens, task->make(seeds(2), 6, 4, load, Split::train, kCpu).tokens));
  EXPECT_FALSE(at::equal(batch.tokens, task->make(seeds(2), 5, 4, load, Split::test, kCpu).tokens));
  EXPECT_FALSE(at::equal(batch.tokens[0], batch.tokens[1]));
  EXPECT_FALSE(at::equal(batch.tokens[0][0], batch.tokens[0][1]));
}

TEST_P(EveryTask, GivesASeedTheSameBatchWhateverOtherSeedsThereAre) {
  const auto task = sample_task(name());
  const Load load = task->test_loads().front();
  const Batch both = task->make({8, 9}, 3, 4, load, Split::train, kCpu);
  const Batch one = task->make({9}, 3, 4, load, Split::train, kCpu);
  EXPECT_TRUE(at::equal(both.tokens[1], one.tokens[0]));
  EXPECT_TRUE(at::equal(both.rows[1], one.rows[0]));
  EXPECT_TRUE(at::equal(both.labels[1], one.labels[0]));
}

TEST_P(EveryTask, HasShapesThatDependOnLoadAndBatchAloneAndValuesInRange) {
  for (const Tier tier : {Tier::tiny, Tier::small, Tier::full}) {
    const auto task = sample_task(name(), tier);
    for (const Load load : all_loads(*task)) {
      SCOPED_TRACE(testing::Message() << "tier " << static_cast<int>(tier) << " load " << load.pairs << " "
                                      << load.length);
      const std::int64_t size = tier == Tier::tiny ? 8 : 2, length = load.length;
      const Batch batch = task->make(seeds(2), 0, size, load, Split::train, kCpu);
      const Batch other = task->make(seeds(2), 1, size, load, Split::test, kCpu);
      const Batch twice = task->make(seeds(2), 1, 2 * size, load, Split::test, kCpu);
      ASSERT_EQ(batch.tokens.sizes(), (at::IntArrayRef{2, size, length}));
      ASSERT_EQ(batch.rows.dim(), 2);
      EXPECT_EQ(batch.rows.size(0), 2);
      EXPECT_EQ(batch.labels.sizes(), batch.rows.sizes());
      EXPECT_EQ(other.rows.sizes(), batch.rows.sizes());
      EXPECT_EQ(twice.rows.size(1), 2 * batch.rows.size(1));
      EXPECT_EQ(other.candidates, batch.candidates);
      EXPECT_EQ(batch.positions.defined(), task->reads_positions());
      for (const at::Tensor& tensor : {batch.tokens, batch.rows, batch.labels})
        EXPECT_EQ(tensor.scalar_type(), at::kLong);
      for (const at::Tensor& tensor : {batch.tokens, batch.labels}) {
        EXPECT_GE(tensor.min().item<std::int64_t>(), 0);
        EXPECT_LT(tensor.max().item<std::int64_t>(), task->vocab_size());
      }
      EXPECT_GE(batch.rows.min().item<std::int64_t>(), 0);
      EXPECT_LT(batch.rows.max().item<std::int64_t>(), size * length);
      const at::Tensor steps = batch.rows.diff();
      if (steps.numel() > 0) {
        EXPECT_GE(steps.min().item<std::int64_t>(), task->reads_positions() ? 0 : 1);
      }
    }
  }
}

TEST_P(EveryTask, TestsHaveMoreThanOneCandidateAndAreNoLongerThanItsHardestTrainingUnlessAGuard) {
  const bool guard = name() == "parity" || name() == "s5" || name() == "mqar_zoology";
  for (const Tier tier : {Tier::tiny, Tier::small, Tier::full}) {
    const auto task = sample_task(name(), tier);
    std::int64_t longest = 0;
    for (std::int64_t step = 0; step < 1000; ++step) longest = std::max(longest, task->train_load(step, 1000).length);
    ASSERT_FALSE(task->test_loads().empty());
    for (const Load load : task->test_loads()) {
      EXPECT_GE(task->make(seeds(1), 0, 2, load, Split::test, kCpu).candidates, 2);
      if (!guard) {
        EXPECT_LE(load.length, longest);
      }
    }
  }
}

TEST_P(EveryTask, CurriculumGoesFromEasyToHard) {
  const auto task = sample_task(name());
  const auto effort = [](Load load) { return load.pairs * load.length; };
  std::int64_t early = 0, late = 0;
  for (std::int64_t step = 0; step < 50; ++step) early = std::max(early, effort(task->train_load(step, 1000)));
  for (std::int64_t step = 950; step < 1000; ++step) late = std::max(late, effort(task->train_load(step, 1000)));
  if (name() != "mqar_zoology" && name() != "bytes") {  // whose curriculum is inside an epoch; which has one load
    EXPECT_LT(early, late);
  }
  EXPECT_GE(late, 1);
}

TEST_P(EveryTask, RefusesALoadThatDoesNotFit) {
  const auto task = sample_task(name());
  for (const Load load : {Load{1 << 20, 1 << 21}, Load{64, 3}, Load{0, 64}, Load{2, 0}, Load{-4, 64}}) {
    EXPECT_THAT(problem_of([&] { task->make(seeds(1), 0, 1, load, Split::train, kCpu); }),
                testing::StartsWith("task: " + name() + ": "))
        << load.pairs << " " << load.length;
  }
  EXPECT_THROW(task->make({}, 0, 1, task->test_loads()[0], Split::train, kCpu), std::logic_error);
  EXPECT_THROW(task->make(seeds(1), 0, 0, task->test_loads()[0], Split::train, kCpu), std::logic_error);
}

TEST_P(EveryTask, IsSolvedExactlyByReadingTheTokens) {
  const Oracle answer = oracle(name());
  if (!answer) GTEST_SKIP() << "its answers are not in the tokens";
  for (const Tier tier : {Tier::tiny, Tier::small, Tier::full}) {
    const auto task = sample_task(name(), tier);
    for (const Load load : all_loads(*task)) {
      for (const Sequence& s :
           sequences(task->make(seeds(2), 1, tier == Tier::tiny ? 16 : 2, load, Split::test, kCpu))) {
        for (const Question& q : s.questions) {
          ASSERT_EQ(answer(s, q, load, task->vocab_size()), q.label) << load.pairs << " " << load.length << " " << q.at;
        }
      }
    }
  }
}

TEST_P(EveryTask, DoesNotShowTheAnswerFromTheQuestionOn) {
  static const std::set<std::string> hidden = {"mqar",   "overwrite", "haystack",       "noisy_recall",
                                               "niah_1", "niah_2",    "selective_copy", "memorisation"};
  if (!hidden.contains(name())) GTEST_SKIP() << "answers may stand in its input, by chance or as what was foretold";
  const auto task = sample_task(name());
  for (const Load load : all_loads(*task)) {
    for (const Sequence& s : sequences(task->make(seeds(2), 0, 16, load, Split::train, kCpu))) {
      for (const Question& q : s.questions) {
        EXPECT_EQ(std::find(s.tokens.begin() + q.at, s.tokens.end(), q.label), s.tokens.end())
            << load.pairs << " " << q.at;
      }
    }
  }
}

TEST_P(EveryTask, HasChanceAtOneOverTheCandidates) {
  // Where the candidates stand in the context, each is the answer equally often: any blind answer is right 1 /
  // candidates.
  static const std::map<std::string, std::int64_t> values_from = {
      {"mqar", 32}, {"overwrite", 32}, {"haystack", 16}, {"noisy_recall", 16}};
  const auto task = sample_task(name());
  if (values_from.contains(name())) {
    const std::int64_t from = values_from.at(name()), to = name() == "mqar" || name() == "overwrite" ? 64 : 2 * from;
    for (const Load load : task->test_loads()) {
      const Batch batch = task->make(seeds(2), 0, 16, load, Split::train, kCpu);
      for (const Sequence& s : sequences(batch)) {
        std::set<std::int64_t> values, labels;
        for (const std::int64_t t : s.tokens) {
          if (t >= from && t < to) values.insert(t);
        }
        for (const Question& q : s.questions) labels.insert(q.label);
        EXPECT_EQ(static_cast<std::int64_t>(values.size()), batch.candidates);
        EXPECT_EQ(labels.size(), s.questions.size());
        EXPECT_TRUE(std::ranges::includes(values, labels));
      }
    }
    return;
  }
  // Where they are an alphabet, the labels are uniform over it.
  static const std::set<std::string> alphabet = {"fuzzy_recall", "compression", "niah_1", "niah_2",
                                                 "niah_3",       "parity",      "s5",     "memorisation"};
  if (!alphabet.contains(name())) GTEST_SKIP() << "its chance level is tested with its definition";
  const Load load = task->test_loads().back();
  std::map<std::int64_t, double> counts;
  std::int64_t candidates = 0;
  for (std::uint64_t step = 0; step < 20; ++step) {
    const Batch batch = task->make(seeds(2), step, 64, load, Split::train, kCpu);
    candidates = batch.candidates;
    for (const Sequence& s : sequences(batch)) counts[s.questions.back().label] += 1;
  }
  ASSERT_EQ(static_cast<std::int64_t>(counts.size()), candidates);
  std::vector<double> bins;
  for (const auto& [label, count] : counts) bins.push_back(count);
  EXPECT_LT(chi_square_excess(bins), 4);
}

INSTANTIATE_TEST_SUITE_P(Proxy, EveryTask, testing::ValuesIn(task_table().begin(), task_table().end()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(TaskTable, HasEveryNameOnce) {
  std::set<std::string_view> names;
  for (const TaskInfo& info : task_table()) names.insert(info.name);
  EXPECT_EQ(names.size(), task_table().size());
  EXPECT_EQ(names.size(), 17u);
}

TEST(Tasks, AnUnknownNameIsAnsweredWithTheKnownAndTheClosest) {
  const std::string problem = problem_of([] { make_task("mqra", {}); });
  EXPECT_THAT(problem, testing::StartsWith("task: unknown task \"mqra\"; one of \"mqar\", "));
  EXPECT_THAT(problem, testing::HasSubstr("\"signal\""));
  EXPECT_THAT(problem, testing::EndsWith("did you mean \"mqar\"?"));
}

TEST(Tasks, RefusedLoadsSayWhatDoesNotFit) {
  const auto problem = [](std::string_view task, Load load) {
    return problem_of([&] { sample_task(task)->make(seeds(1), 0, 1, load, Split::train, kCpu); });
  };
  EXPECT_EQ(problem("mqar", {16, 32}), "task: mqar: the length 32 is too short for 16 pairs, which need 64");
  EXPECT_EQ(problem("mqar", {32, 128}), "task: mqar: a vocabulary of 64 is too small for 32 pairs");
  EXPECT_EQ(problem("mqar", {4, 33}), "task: mqar: the length 33 is odd");
  EXPECT_EQ(problem("overwrite", {3, 64}), "task: overwrite: half of 3 keys cannot be reassigned: the number is odd");
  EXPECT_EQ(problem("mqar_zoology", {4, 512}), "task: mqar_zoology: the length 512 is not below the vocabulary of 512");
  EXPECT_EQ(problem("multi_hop", {3, 32}), "task: multi_hop: 3 hops: they are a power of two up to 128");
  EXPECT_EQ(problem("multi_hop", {8, 32}), "task: multi_hop: 8 hops lead back on a cycle of 8 nodes");
  EXPECT_EQ(problem("noisy_recall", {16, 64}),
            "task: noisy_recall: the length 64 is too short for 16 pairs and their noise");
}

TEST(Ramp, GrowsFromTheTwoEasiestAndThenLeavesTheEasiestOut) {
  const std::vector<Load> loads = {{1, 64}, {2, 64}, {4, 64}, {8, 64}, {16, 64}};
  const auto between = [&](std::int64_t from, std::int64_t to) {
    std::set<std::int64_t> pairs;
    for (std::int64_t step = from; step < to; ++step) pairs.insert(ramp(loads, step, 1600).pairs);
    return pairs;
  };
  using Set = std::set<std::int64_t>;
  EXPECT_EQ(between(0, 240), (Set{1, 2}));
  EXPECT_EQ(between(240, 480), (Set{1, 2, 4}));
  EXPECT_EQ(between(480, 720), (Set{1, 2, 4, 8}));
  EXPECT_EQ(between(720, 1600), (Set{2, 4, 8, 16}));
}

TEST(Ramp, OfOneOrTwoLoadsIsACycle) {
  const std::vector<Load> two = {{1, 8}, {2, 8}};
  for (std::int64_t step = 0; step < 10; ++step) {
    EXPECT_EQ(ramp(two, step, 10), two[static_cast<std::size_t>(step % 2)]);
    EXPECT_EQ(ramp(std::span(two).first(1), step, 10), two[0]);
  }
  EXPECT_THROW(ramp({}, 0, 10), std::logic_error);
}

}  // namespace
}  // namespace plait::proxy
