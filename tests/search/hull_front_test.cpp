#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "search/exact_front.h"
#include "tests/search/small_spaces.h"

namespace plait::search {
namespace {

using testing::Dice;
using testing::random_score;
using testing::random_space;
using testing::ScoreKind;
using testing::space_of;

/// Corners of the lower-left convex hull of a front whose points are sorted by descending first value (minimised).
std::vector<FrontPoint> corners(const std::vector<FrontPoint>& front, std::span<const AdditiveObjective> objectives) {
  const auto at = [&](const FrontPoint& p, std::size_t k) {
    return objectives[k].direction == Direction::minimize ? p.values[k] : -p.values[k];
  };
  std::vector<FrontPoint> hull;
  for (const FrontPoint& c : front) {
    while (hull.size() > 1) {
      const FrontPoint& a = hull[hull.size() - 2];
      const FrontPoint& b = hull.back();
      const double turn = (at(b, 0) - at(a, 0)) * (at(c, 1) - at(a, 1)) - (at(b, 1) - at(a, 1)) * (at(c, 0) - at(a, 0));
      if (turn < 0) break;  // b lies strictly below the line from a to c
      hull.pop_back();
    }
    hull.push_back(c);
  }
  return hull;
}

std::vector<std::vector<double>> values_of(const std::vector<FrontPoint>& points) {
  std::vector<std::vector<double>> values;
  for (const FrontPoint& point : points) values.push_back(point.values);
  return values;
}

RC_GTEST_PROP(HullFront, IsTheCornersOfTheExactFront, (std::uint64_t seed)) {
  Dice dice(seed);
  const SearchSpace space = random_space(dice);
  RC_PRE(!testing::brute_force(space).empty());
  std::vector<std::uint8_t> counted;
  for (std::size_t c = 0; c < space.candidates.size(); ++c) counted.push_back(dice.one_in(2));
  std::vector<AdditiveObjective> objectives(2);
  for (auto& o : objectives) {
    const ScoreKind kind{.counter = dice.one_in(3), .pairs = dice.one_in(3), .integers = true};
    o.score = random_score(space.size(), space.candidates.size(), counted, kind, dice);
    o.direction = dice.one_in(2) ? Direction::minimize : Direction::maximize;
  }
  const LayoutGraph graph(space);
  const std::vector<FrontPoint> hull = hull_front(graph, objectives);
  RC_ASSERT(values_of(hull) == values_of(corners(exact_front(graph, objectives), objectives)));
  for (const FrontPoint& point : hull) RC_ASSERT(testing::legal(space, point.path));
}

TEST(HullFront, IsASubsetOfTheExactFrontOnRealScores) {
  Dice dice(4);
  SearchSpace space = space_of(14, 5);
  space.rules = {CountRule{{"*"}, 1, 5}, NotAdjacentRule{{"*"}}};
  std::vector<AdditiveObjective> objectives(2);
  for (auto& o : objectives) o.score = random_score(14, 5, {}, {.pairs = true, .integers = false}, dice);
  const LayoutGraph graph(space);
  const auto hull = hull_front(graph, objectives);
  const auto front = exact_front(graph, objectives);
  EXPECT_EQ(values_of(hull), values_of(corners(front, objectives)));
  EXPECT_GT(hull.size(), 5u);
  EXPECT_LT(hull.size(), front.size());
}

TEST(HullFront, ConstraintsFilterTheCorners) {
  Dice dice(9);
  std::vector<AdditiveObjective> objectives(3);
  for (auto& o : objectives) o.score = random_score(8, 4, {}, {.integers = false}, dice);
  objectives[2].traded = false;
  const LayoutGraph graph(space_of(8, 4));
  auto expected = hull_front(graph, objectives);
  objectives[2].high = expected[expected.size() / 2].values[2];
  std::erase_if(expected, [&](const FrontPoint& p) { return p.values[2] > *objectives[2].high; });
  EXPECT_EQ(hull_front(graph, objectives), expected);
}

TEST(HullFront, NeedsTwoTradedObjectives) {
  Dice dice(9);
  std::vector<AdditiveObjective> objectives(3);
  for (auto& o : objectives) o.score = random_score(4, 3, {}, {}, dice);
  EXPECT_THROW(hull_front(LayoutGraph(space_of(4, 3)), objectives), std::logic_error);
  EXPECT_THROW(hull_front(LayoutGraph(space_of(4, 3)), std::span(objectives).first(1)), std::logic_error);
}

}  // namespace
}  // namespace plait::search
