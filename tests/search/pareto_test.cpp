#include "search/pareto.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>
#include <numeric>
#include <stdexcept>

namespace plait::search {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Straight from the definitions, as oracles.

bool dominates_by_definition(const Point& a, const Point& b) {
  bool better = false;
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k] > b[k]) return false;
    better = better || a[k] < b[k];
  }
  return better;
}

std::vector<std::size_t> ranks_by_definition(const std::vector<Point>& points) {
  constexpr std::size_t kUnranked = SIZE_MAX;
  std::vector<std::size_t> ranks(points.size(), kUnranked);
  for (std::size_t rank = 0, left = points.size(); left > 0; ++rank) {
    std::vector<std::size_t> front;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (ranks[i] != kUnranked) continue;
      bool dominated = false;
      for (std::size_t j = 0; j < points.size(); ++j) {
        dominated = dominated || (ranks[j] == kUnranked && dominates_by_definition(points[j], points[i]));
      }
      if (!dominated) front.push_back(i);
    }
    for (const std::size_t i : front) ranks[i] = rank;
    left -= front.size();
  }
  return ranks;
}

/// Unit cells below the reference whose lower corner a point weakly dominates; all coordinates are integers in [0,
/// side].
double count_cells(const std::vector<Point>& points, std::size_t dimensions, int side) {
  std::size_t cells = 1;
  for (std::size_t k = 0; k < dimensions; ++k) cells *= static_cast<std::size_t>(side);
  std::size_t covered = 0;
  for (std::size_t cell = 0; cell < cells; ++cell) {
    const bool hit = std::ranges::any_of(points, [&](const Point& point) {
      std::size_t rest = cell;
      return std::ranges::all_of(point, [&](double x) {
        const auto corner = rest % static_cast<std::size_t>(side);
        rest /= static_cast<std::size_t>(side);
        return x <= static_cast<double>(corner);
      });
    });
    covered += hit;
  }
  return static_cast<double>(covered);
}

/// Small integers, so that ties and duplicates are common.
rc::Gen<std::vector<Point>> integer_points(std::size_t dimensions, int side) {
  return rc::gen::container<std::vector<Point>>(rc::gen::container<Point>(
      dimensions, rc::gen::map(rc::gen::inRange(0, side + 1), [](int x) { return static_cast<double>(x); })));
}

TEST(Dominates, NeedsOneStrictlySmallerCoordinateAndNoLargerOne) {
  EXPECT_TRUE(dominates(Point{1, 2}, Point{1, 3}));
  EXPECT_FALSE(dominates(Point{1, 2}, Point{1, 2}));
  EXPECT_FALSE(dominates(Point{1, 4}, Point{2, 3}));
  EXPECT_TRUE(dominates(Point{-kInf, 0}, Point{0, 0}));
  EXPECT_FALSE(dominates(Point{kInf}, Point{kInf}));
}

TEST(Pareto, RefusesNanAndMixedDimensionsEverywhere) {
  for (const std::vector<Point>& bad : {std::vector<Point>{{0, 1}, {kNan, 0}}, std::vector<Point>{{0, 1}, {0, 1, 2}}}) {
    EXPECT_THROW(dominates(bad[0], bad[1]), std::invalid_argument);
    EXPECT_THROW(nondominated(bad), std::invalid_argument);
    EXPECT_THROW(nondominated_rank(bad), std::invalid_argument);
    EXPECT_THROW(crowding_distance(bad), std::invalid_argument);
    EXPECT_THROW(hypervolume(bad, Point{2, 2}), std::invalid_argument);
  }
  EXPECT_THROW(hypervolume(std::vector<Point>{{0, 1}}, Point{2, kNan}), std::invalid_argument);
  EXPECT_THROW(hypervolume(std::vector<Point>{{0, 1}}, Point{2}), std::invalid_argument);
  EXPECT_THROW(hypervolume(std::vector<Point>{}, Point{}), std::invalid_argument);
}

TEST(Pareto, TakesEmptySets) {
  EXPECT_TRUE(nondominated(std::vector<Point>{}).empty());
  EXPECT_TRUE(nondominated_rank(std::vector<Point>{}).empty());
  EXPECT_TRUE(crowding_distance(std::vector<Point>{}).empty());
  EXPECT_EQ(hypervolume(std::vector<Point>{}, Point{1, 1}), 0);
}

TEST(Nondominated, KeepsAllOfEqualPointsInAscendingOrder) {
  const std::vector<Point> points = {{3, 3}, {1, 2}, {2, 1}, {1, 2}, {2, 2}, {1, 2}};
  EXPECT_EQ(nondominated(points), (std::vector<std::size_t>{1, 2, 3, 5}));
}

TEST(Nondominated, TreatsInfinitiesAsOrdinaryValues) {
  const std::vector<Point> points = {{kInf, -kInf, 0}, {0, 0, 0}, {kInf, 0, 0}, {-kInf, kInf, kInf}};
  EXPECT_EQ(nondominated(points), (std::vector<std::size_t>{0, 1, 3}));
}

TEST(NondominatedRank, PeelsLayers) {
  const std::vector<Point> points = {{2, 2}, {1, 1}, {3, 3}, {0, 4}, {1, 5}, {2, 2}};
  EXPECT_EQ(nondominated_rank(points), (std::vector<std::size_t>{1, 0, 2, 0, 1, 1}));
}

RC_GTEST_PROP(NondominatedRank, EqualsTheDefinition, ()) {
  const auto dimensions = *rc::gen::inRange<std::size_t>(1, 6);
  const auto points = *integer_points(dimensions, 5);
  const std::vector<std::size_t> expected = ranks_by_definition(points);
  RC_ASSERT(nondominated_rank(points) == expected);
  std::vector<std::size_t> first;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (expected[i] == 0) first.push_back(i);
  }
  RC_ASSERT(nondominated(points) == first);
}

TEST(CrowdingDistance, IsTheHalfPerimeterOfTheCuboidBetweenNeighbours) {
  // (4 - 0) / 10 + (10 - 3) / 10 for the second point, and so on.
  const std::vector<Point> front = {{0, 10}, {1, 6}, {4, 3}, {10, 0}};
  const std::vector<double> distance = crowding_distance(front);
  EXPECT_EQ(distance[0], kInf);
  EXPECT_DOUBLE_EQ(distance[1], 0.4 + 0.7);
  EXPECT_DOUBLE_EQ(distance[2], 0.9 + 0.6);
  EXPECT_EQ(distance[3], kInf);
}

TEST(CrowdingDistance, IgnoresCoordinatesWithoutRange) {
  const std::vector<Point> front = {{0, 7}, {1, 7}, {4, 7}};
  EXPECT_DOUBLE_EQ(crowding_distance(front)[1], 1.0);
  const std::vector<Point> equal = {{1, 1}, {1, 1}, {1, 1}};
  EXPECT_EQ(std::ranges::count(crowding_distance(equal), 0.0), 1);
}

TEST(CrowdingDistance, NeverGivesNanForInfiniteCoordinates) {
  const std::vector<Point> front = {{-kInf, kInf}, {0, 1}, {1, 0}, {kInf, -kInf}};
  for (const double d : crowding_distance(front)) EXPECT_FALSE(std::isnan(d));
}

RC_GTEST_PROP(CrowdingDistance, DoesNotDependOnTheOrderOfDistinctPoints, ()) {
  auto points = *integer_points(3, 6);
  std::ranges::sort(points);
  points.erase(std::ranges::unique(points).begin(), points.end());
  const std::vector<double> sorted = crowding_distance(points);
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto seed = *rc::gen::arbitrary<std::uint32_t>();
  std::ranges::sort(order, {}, [&](std::size_t i) { return (i * 2654435761U) ^ seed; });
  std::vector<Point> shuffled;
  for (const std::size_t i : order) shuffled.push_back(points[i]);
  const std::vector<double> distance = crowding_distance(shuffled);
  for (std::size_t i = 0; i < order.size(); ++i) RC_ASSERT(distance[i] == sorted[order[i]]);
}

TEST(Hypervolume, EqualsTheCellCountsOfTheDataFile) {
  std::ifstream file(PLAIT_SOURCE_DIR "/tests/golden/hypervolume.json");
  const auto data = nlohmann::json::parse(file);
  ASSERT_GE(data.at("cases").size(), 30u);
  for (const auto& c : data.at("cases")) {
    // Integers are exact in double, so the volume must be too.
    EXPECT_EQ(hypervolume(c.at("points").get<std::vector<Point>>(), c.at("reference").get<Point>()),
              c.at("volume").get<double>())
        << c.at("name");
  }
}

RC_GTEST_PROP(Hypervolume, EqualsCellCountsOfIntegerPoints, ()) {
  const auto dimensions = *rc::gen::inRange<std::size_t>(1, 6);
  const int side = dimensions < 4 ? 8 : 4;
  const auto points = *integer_points(dimensions, side);
  RC_ASSERT(hypervolume(points, Point(dimensions, side)) == count_cells(points, dimensions, side));
}

RC_GTEST_PROP(Hypervolume, DependsNeitherOnOrderNorOnDominatedPoints, ()) {
  const auto dimensions = *rc::gen::inRange<std::size_t>(1, 6);
  const auto points = *rc::gen::nonEmpty(integer_points(dimensions, 9));
  const Point reference(dimensions, 9);
  const double volume = hypervolume(points, reference);

  std::vector<Point> reversed(points.rbegin(), points.rend());
  RC_ASSERT(hypervolume(reversed, reference) == volume);

  Point dominated = *rc::gen::elementOf(points);
  dominated[*rc::gen::inRange<std::size_t>(0, dimensions)] += 1;
  reversed.push_back(dominated);
  RC_ASSERT(hypervolume(reversed, reference) == volume);

  std::vector<Point> front;
  for (const std::size_t i : nondominated(points)) front.push_back(points[i]);
  RC_ASSERT(hypervolume(front, reference) == volume);
}

RC_GTEST_PROP(Hypervolume, GrowsExactlyWhenAPointAddsCells, ()) {
  const auto dimensions = *rc::gen::inRange<std::size_t>(1, 6);
  auto points = *integer_points(dimensions, 9);
  const Point reference(dimensions, 9);
  const double before = hypervolume(points, reference);
  const Point added = *rc::gen::container<Point>(dimensions, rc::gen::element(0.0, 2.0, 5.0, 8.0, 9.0));
  const bool inside = std::ranges::none_of(added, [](double x) { return x == 9; });
  const bool covered =
      std::ranges::any_of(points, [&](const Point& p) { return p == added || dominates_by_definition(p, added); });
  points.push_back(added);
  const double after = hypervolume(points, reference);
  RC_ASSERT((after > before) == (inside && !covered));
  RC_ASSERT(after >= before);
}

TEST(Hypervolume, OfFineZdt1AndZdt2FrontsTendsToTwoThirdsAndOneThird) {
  // f1 = i/n; the volume below (1, 1) is the lower sum of 1 - f2 = sqrt(f1) (ZDT1) or f1^2 (ZDT2), whose error is at
  // most one step for a monotone integrand; for ZDT2 the sum has a closed form.
  constexpr int n = 20000;
  std::vector<Point> zdt1;
  std::vector<Point> zdt2;
  for (int i = 0; i <= n; ++i) {
    const double f1 = static_cast<double>(i) / n;
    zdt1.push_back({f1, 1 - std::sqrt(f1)});
    zdt2.push_back({f1, 1 - f1 * f1});
  }
  const double volume1 = hypervolume(zdt1, Point{1, 1});
  EXPECT_LT(volume1, 2.0 / 3);
  EXPECT_GT(volume1, 2.0 / 3 - 1.0 / n);
  EXPECT_NEAR(hypervolume(zdt2, Point{1, 1}), (n - 1.0) * (2.0 * n - 1) / (6.0 * n * n), 1e-12);
}

TEST(Hypervolume, OfFineDtlz2FrontsTendsToTheBoxWithoutTheBall) {
  // Every front point has a sample at most `step` away in each coordinate (coordinates are 1-Lipschitz in each angle),
  // so the samples dominate what the front dominates after a shift by `step`, and lose at most dimensions x step.
  constexpr int n = 400;
  constexpr double step = std::numbers::pi / 2 / n;
  std::vector<Point> circle;
  std::vector<Point> sphere;
  for (int i = 0; i <= n; ++i) {
    const double a = i * step;
    circle.push_back({std::cos(a), std::sin(a)});
    for (int j = 0; j <= n; ++j) {
      sphere.push_back({std::cos(a) * std::cos(j * step), std::cos(a) * std::sin(j * step), std::sin(a)});
    }
  }
  const double area = hypervolume(circle, Point{1, 1});
  EXPECT_LT(area, 1 - std::numbers::pi / 4);
  EXPECT_GT(area, 1 - std::numbers::pi / 4 - 2 * step);
  const double volume = hypervolume(sphere, Point{1, 1, 1});
  EXPECT_LT(volume, 1 - std::numbers::pi / 6);
  EXPECT_GT(volume, 1 - std::numbers::pi / 6 - 3 * step);
}

void simplex_points(int left, Point& prefix, std::size_t dimensions, std::vector<Point>& out) {
  if (prefix.size() + 1 == dimensions) {
    out.push_back(prefix);
    out.back().push_back(left);
    return;
  }
  for (int x = 0; x <= left; ++x) {
    prefix.push_back(x);
    simplex_points(left - x, prefix, dimensions, out);
    prefix.pop_back();
  }
}

TEST(Hypervolume, OfDtlz1LatticesHasItsClosedForm) {
  // Points of coordinate sum h leave uncovered the cells whose corner sums to less: C(h + d - 1, d) of h^d. In the
  // limit and at DTLZ1's scale (0.5) that is 0.125 x 5/6 in three dimensions.
  const auto uncovered = [](int h, int d) {
    double binomial = 1;
    for (int k = 1; k <= d; ++k) binomial = binomial * (h + k - 1) / k;
    return binomial;
  };
  for (const auto& [d, h] : {std::pair{2, 100}, {3, 60}, {4, 10}, {5, 6}, {6, 4}}) {
    std::vector<Point> points;
    Point prefix;
    simplex_points(h, prefix, static_cast<std::size_t>(d), points);
    EXPECT_EQ(hypervolume(points, Point(static_cast<std::size_t>(d), h)), std::pow(h, d) - uncovered(h, d)) << d;
  }
  EXPECT_NEAR(1 - uncovered(100000, 3) / std::pow(100000.0, 3), 5.0 / 6, 1e-5);
}

TEST(Hypervolume, IsInfiniteOnlyWhenAContributingPointIs) {
  EXPECT_EQ(hypervolume(std::vector<Point>{{-kInf, 0}}, Point{1, 1}), kInf);
  EXPECT_EQ(hypervolume(std::vector<Point>{{-kInf, 1}}, Point{1, 1}), 0);
  EXPECT_EQ(hypervolume(std::vector<Point>{{kInf, 0}, {0, 0}}, Point{1, 1}), 1);
  EXPECT_EQ(hypervolume(std::vector<Point>{{0, 0, 0, 0}}, Point{1, 1, 1, kInf}), kInf);
  EXPECT_EQ(hypervolume(std::vector<Point>{{0, 0}}, Point{1, -kInf}), 0);
}

TEST(Hypervolume, SurvivesExtremeScales) {
  // Four extents of 1e200 and four of 1e-200: every product on the way would overflow or vanish; the result is 0.75.
  Point reference(8, 1e200);
  std::fill(reference.begin() + 4, reference.end(), 1e-200);
  Point half(8, 0.0);
  half[0] = 0.5e200;
  Point other(8, 0.0);
  other[7] = 0.5e-200;
  EXPECT_NEAR(hypervolume(std::vector<Point>{half, other}, reference), 0.75, 1e-12);
}

}  // namespace
}  // namespace plait::search
