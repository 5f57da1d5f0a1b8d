#include "search/exact_front.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <map>

#include "tests/search/small_spaces.h"

namespace plait::search {
namespace {

using testing::brute_force;
using testing::Dice;
using ::testing::IsEmpty;
using testing::random_score;
using testing::random_space;
using testing::ScoreKind;
using ::testing::SizeIs;
using testing::space_of;

/// Values of the traded objectives, minimised.
std::vector<double> traded_values(const std::vector<double>& values, std::span<const AdditiveObjective> objectives) {
  std::vector<double> traded;
  for (std::size_t k = 0; k < objectives.size(); ++k) {
    if (objectives[k].traded) {
      traded.push_back(objectives[k].direction == Direction::minimize ? values[k] : -values[k]);
    }
  }
  return traded;
}

bool weakly_dominates(const std::vector<double>& a, const std::vector<double>& b) {
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k] > b[k]) return false;
  }
  return true;
}

/// Every feasible layout compared with every other: traded values -> smallest path with them.
std::map<std::vector<double>, Path> brute_force_front(const SearchSpace& space,
                                                      std::span<const AdditiveObjective> objectives) {
  std::map<std::vector<double>, Path> best;  // of brute_force()'s lexicographic order the first stays
  for (const Path& path : brute_force(space)) {
    std::vector<double> values;
    bool inside = true;
    for (const auto& o : objectives) {
      const double v = values.emplace_back(o.score.evaluate(path));
      inside = inside && (!o.low || *o.low <= v) && (!o.high || v <= *o.high);
    }
    if (inside) best.try_emplace(traded_values(values, objectives), path);
  }
  std::map<std::vector<double>, Path> front;
  for (const auto& [values, path] : best) {
    const bool dominated = std::ranges::any_of(
        best, [&](const auto& other) { return other.first != values && weakly_dominates(other.first, values); });
    if (!dominated) front.emplace(values, path);
  }
  return front;
}

/// What is wrong with the exact front, in words; empty when it equals brute force.
std::string difference(const SearchSpace& space, std::span<const AdditiveObjective> objectives) {
  const std::vector<FrontPoint> front = exact_front(LayoutGraph(space), objectives);
  const auto expected = brute_force_front(space, objectives);
  const bool constrained = std::ranges::any_of(objectives, [](const auto& o) { return !o.traded || o.low || o.high; });
  if (front.size() != expected.size()) return fmt::format("{} points instead of {}", front.size(), expected.size());
  for (const FrontPoint& point : front) {
    const auto found = expected.find(traded_values(point.values, objectives));
    if (found == expected.end()) return "a point that brute force does not have";
    if (!testing::legal(space, point.path)) return "an illegal layout";
    if (!constrained && point.path != found->second) return "not the smallest path among equals";
    for (std::size_t k = 0; k < objectives.size(); ++k) {
      const double value = point.values[k];
      if (value != objectives[k].score.evaluate(point.path)) return "a value that is not its layout's";
      if (objectives[k].low && value < *objectives[k].low) return "a value below its constraint";
      if (objectives[k].high && value > *objectives[k].high) return "a value above its constraint";
    }
  }
  const double sign = objectives[0].direction == Direction::minimize ? 1 : -1;
  for (std::size_t i = 1; i < front.size(); ++i) {
    if (sign * front[i - 1].values[0] < sign * front[i].values[0]) return "not sorted, best last";
  }
  return "";
}

std::vector<AdditiveObjective> random_objectives(const SearchSpace& space, std::size_t count, bool constraints,
                                                 bool integers, Dice& dice) {
  std::vector<std::uint8_t> counted;
  for (std::size_t c = 0; c < space.candidates.size(); ++c) counted.push_back(dice.one_in(2));
  std::vector<AdditiveObjective> objectives;
  for (std::size_t k = 0; k < count; ++k) {
    AdditiveObjective& o = objectives.emplace_back();
    const ScoreKind kind{.counter = dice.one_in(3), .pairs = dice.one_in(3), .integers = integers};
    o.score = random_score(space.size(), space.candidates.size(), counted, kind, dice);
    if (dice.one_in(4) && kind.counter) o.score.terms.back() = o.score.terms.front();
    o.direction = dice.one_in(2) ? Direction::minimize : Direction::maximize;
    if (constraints && dice.one_in(2)) o.low = dice.integer(-12, 6);
    if (constraints && dice.one_in(2)) o.high = dice.integer(-6, 12);
    o.traded = k == 0 || !constraints || dice.one_in(2);
  }
  return objectives;
}

RC_GTEST_PROP(ExactFront, EqualsBruteForceWithTies, (std::uint64_t seed)) {
  Dice dice(seed);
  const SearchSpace space = random_space(dice);
  RC_PRE(!brute_force(space).empty());
  RC_ASSERT(difference(space, random_objectives(space, 1 + dice.below(4), false, true, dice)) == "");
}

// Rounded sums are monotone and both sides add in the same order, so real values agree to the bit as well.
RC_GTEST_PROP(ExactFront, EqualsBruteForceOnRealScores, (std::uint64_t seed)) {
  Dice dice(seed);
  const SearchSpace space = random_space(dice);
  RC_PRE(!brute_force(space).empty());
  RC_ASSERT(difference(space, random_objectives(space, 1 + dice.below(4), false, false, dice)) == "");
}

RC_GTEST_PROP(ExactFront, EqualsBruteForceUnderConstraints, (std::uint64_t seed)) {
  Dice dice(seed);
  const SearchSpace space = random_space(dice);
  RC_PRE(!brute_force(space).empty());
  RC_ASSERT(difference(space, random_objectives(space, 1 + dice.below(3), true, dice.one_in(2), dice)) == "");
}

// The recall prior of plait: a saturating curve in the number n of full layers, mixer terms shared among the L - n
// others, a position term divided by sqrt(n), and one for the pure layouts; against a cache that is a function of n and
// the mixers.
TEST(ExactFront, EqualsBruteForceOnAPriorWithCounter) {
  const std::size_t slots = 8;
  const SearchSpace space = space_of(slots, 3);
  const std::vector<double> mixer{0, .0277, -.0563};
  AdditiveScore recall{slots, 3, {1, 0, 0}, {}};
  for (std::size_t n = 0; n <= slots; ++n) {
    AdditiveScore::Terms terms;
    const double full = static_cast<double>(n);
    terms.base = .2137 + .2122 * full / (full + 1);
    for (std::size_t i = 0; i < slots; ++i) {
      terms.slot.push_back(n == 0 ? 0 : -.0313 * std::exp(-static_cast<double>(i) / 1.5) / std::sqrt(full));
      for (std::size_t c = 1; c < 3; ++c) {
        double term = n == slots ? 0 : mixer[c] / (static_cast<double>(slots) - full);
        if (n == 0 && c == 1) term += .0942 / static_cast<double>(slots);
        terms.slot.push_back(term);
      }
    }
    recall.terms.push_back(std::move(terms));
  }
  AdditiveScore cache{slots, 3, {0, 0, 0}, {{}}};
  for (std::size_t i = 0; i < slots; ++i) {
    for (const double bytes : {4096.0, 20.0 + static_cast<double>(i), 10.0}) cache.terms[0].slot.push_back(bytes);
  }
  const std::vector<AdditiveObjective> objectives{{recall, Direction::maximize, {}, {}, true},
                                                  {cache, Direction::minimize, {}, {}, true}};
  EXPECT_EQ(difference(space, objectives), "");

  const auto front = exact_front(LayoutGraph(space), objectives);
  ASSERT_GT(front.size(), slots);
  for (const FrontPoint& point : front) {
    const auto full = static_cast<std::size_t>(std::ranges::count(point.path, 0));
    if (full > 0) {
      EXPECT_EQ(point.path.back(), 0) << "a full layer costs least recall at the end";
    }
  }
}

// 0/1 knapsack with two profits and one capacity, the class of the vOptLib instances: items are slots, the weight is a
// constraint that is not traded.
TEST(ExactFront, SolvesBiobjectiveKnapsacks) {
  std::size_t points = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Dice dice(seed);
    const std::size_t items = 12;
    SearchSpace space = space_of(items, 2);
    std::vector<AdditiveObjective> objectives(3);
    double total_weight = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      objectives[k].score = {items, 2, {0, 0}, {{}}};
      for (std::size_t i = 0; i < items; ++i) {
        const double value = dice.integer(10, 100);
        objectives[k].score.terms[0].slot.insert(objectives[k].score.terms[0].slot.end(), {0, value});
        if (k == 2) total_weight += value;
      }
      objectives[k].direction = Direction::maximize;
    }
    objectives[2].traded = false;
    objectives[2].high = std::floor(total_weight / 2);
    EXPECT_EQ(difference(space, objectives), "");
    points += exact_front(LayoutGraph(space), objectives).size();
  }
  EXPECT_GT(points, 15u) << "too easy to test";
}

std::vector<AdditiveObjective> two_scores(std::size_t slots, std::size_t candidates) {
  Dice dice(11);
  std::vector<AdditiveObjective> objectives(2);
  for (auto& o : objectives) o.score = random_score(slots, candidates, {}, {.integers = false}, dice);
  return objectives;
}

TEST(ExactFront, OneObjectiveGivesItsOptimum) {
  const LayoutGraph graph(space_of(10, 4));
  const auto objectives = two_scores(10, 4);
  EXPECT_THAT(exact_front(graph, std::span(objectives).first(1)), SizeIs(1));
}

TEST(ExactFront, FrontOfAListedSpaceIsFoundAmongTheList) {
  SearchSpace space = space_of(6, 3);
  Dice dice(5);
  for (int k = 0; k < 30; ++k) {
    SearchSpace::Listed& listed = space.listed.emplace_back();
    for (std::size_t i = 0; i < space.size(); ++i) listed.path.push_back(static_cast<std::uint16_t>(dice.below(3)));
  }
  EXPECT_EQ(difference(space, two_scores(6, 3)), "");
}

TEST(ExactFront, NothingInsideTheConstraintsIsAnEmptyFront) {
  auto objectives = two_scores(6, 3);
  objectives[0].high = -1000;
  EXPECT_THAT(exact_front(LayoutGraph(space_of(6, 3)), objectives), IsEmpty());
}

TEST(ExactFront, StoppedSearchReturnsNothing) {
  std::stop_source source;
  source.request_stop();
  EXPECT_THAT(exact_front(LayoutGraph(space_of(6, 3)), two_scores(6, 3), source.get_token()), IsEmpty());
}

TEST(ExactFront, RefusesScoresThatDoNotFit) {
  const LayoutGraph graph(space_of(4, 3));
  EXPECT_THROW(exact_front(graph, {}), std::logic_error);
  EXPECT_THROW(exact_front(graph, two_scores(5, 3)), std::logic_error);
  Dice dice(2);
  std::vector<AdditiveObjective> objectives(2);
  objectives[0].score = random_score(4, 3, {1, 0, 0}, {.counter = true}, dice);
  objectives[1].score = random_score(4, 3, {0, 1, 0}, {.counter = true}, dice);
  EXPECT_THROW(exact_front(graph, objectives), std::logic_error);
}

}  // namespace
}  // namespace plait::search
