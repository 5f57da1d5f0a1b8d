#include "gui/cloud.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace plait::gui {
namespace {

/// A table of two metrics: cost to be small, quality to be large.
app::TrialTable table_of(const std::vector<std::pair<double, double>>& points, std::size_t baselines = 0) {
  app::TrialTable table;
  table.columns.push_back({{"cost", "bytes", search::Direction::minimize, ""}, {}, {}, {}});
  table.columns.push_back({{"quality", "1", search::Direction::maximize, ""}, {}, {}, {}});
  for (const auto& [cost, quality] : points) {
    table.columns[0].value.push_back(cost);
    table.columns[1].value.push_back(quality);
  }
  for (app::TrialTable::Column& column : table.columns) {
    column.deviation.resize(points.size());
    column.source.resize(points.size());
  }
  table.feasible.assign(points.size(), 1);
  table.on_front.assign(points.size(), 0);
  table.trials = points.size() - baselines;
  return table;
}

std::vector<std::uint32_t> staircase_rows(const Cloud& cloud) {
  std::vector<std::uint32_t> rows;
  for (const std::uint32_t i : cloud.staircase) rows.push_back(cloud.rows[i]);
  return rows;
}

TEST(CloudTest, TheStaircaseIsTheFrontOfTheTwoMetricsFromTheLeft) {
  app::TrialTable table = table_of({{3, 0.5}, {1, 0.1}, {2, 0.5}, {2, 0.4}, {4, 0.9}, {0.5, 0.95}}, 1);
  EXPECT_EQ(staircase_rows(make_cloud(table, {}, "cost", "quality", {})), (std::vector<std::uint32_t>{1, 2, 4}));
  // The last is a baseline: shown, not on the front. Infeasible ones are not either.
  table.feasible[2] = 0;
  EXPECT_EQ(staircase_rows(make_cloud(table, {}, "cost", "quality", {})), (std::vector<std::uint32_t>{1, 3, 0, 4}));
  // A study may say the other way round.
  const std::vector<search::Objective> most = {{"cost", "bytes", search::Direction::maximize}};
  EXPECT_EQ(staircase_rows(make_cloud(table, most, "cost", "quality", {})), (std::vector<std::uint32_t>{4}));
  EXPECT_EQ(staircase_rows(make_cloud(table, {}, "cost", "quality", {.until = 1})), (std::vector<std::uint32_t>{0}));
}

TEST(CloudTest, LogarithmsOnlyWhereEveryValueHasOneAndMissingValuesAreLeftOut) {
  const app::TrialTable positive = table_of({{1024, 0.5}, {1024 * 1024, 0.6}, {NAN, 0.7}});
  const Cloud cloud = make_cloud(positive, {}, "cost", "quality", {.x_log = true});
  EXPECT_EQ(cloud.size(), 2u);
  ASSERT_TRUE(cloud.x.log);
  EXPECT_NEAR(cloud.xs[1] - cloud.xs[0], std::log10(1024.0), 1e-12);
  EXPECT_FALSE(make_cloud(table_of({{0, 0.5}, {8, 0.6}}), {}, "cost", "quality", {.x_log = true}).x.log);
  EXPECT_EQ(make_cloud(table_of({{3.0 * (1 << 30), 0.5}}), {}, "cost", "quality", {}).x.label, "Cost (GiB)");
}

TEST(CloudTest, TheDominatedShareOfKnownSteps) {
  // Box [0, 2] x [0, 1]; the steps (0, 0.5) and (1, 1) dominate 1/2 x 1/2 and 1/2 x 1.
  EXPECT_DOUBLE_EQ(dominated_share(make_cloud(table_of({{0, 0.5}, {1, 1}, {2, 0}}), {}, "cost", "quality", {})), 0.75);
  EXPECT_EQ(dominated_share(make_cloud(table_of({{1, 1}}), {}, "cost", "quality", {})), 0);
}

TEST(CloudTest, PickingFindsTheNearestPointThatALinearScanFinds) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (const std::size_t count : {1u, 7u, 5000u}) {
    std::vector<std::pair<double, double>> points;
    for (std::size_t i = 0; i < count; ++i) points.emplace_back(std::pow(uniform(random), 4), uniform(random));
    const Cloud cloud = make_cloud(table_of(points), {}, "cost", "quality", {});
    const PickIndex index(cloud);
    for (int k = 0; k < 500; ++k) {
      const double x = 1.4 * uniform(random) - 0.2, y = 1.4 * uniform(random) - 0.2;
      const double x_scale = 900, y_scale = 90, radius = 14;
      double least = radius * radius;
      bool any = false;
      for (std::size_t i = 0; i < cloud.size(); ++i) {
        const double d = std::pow((cloud.xs[i] - x) * x_scale, 2) + std::pow((cloud.ys[i] - y) * y_scale, 2);
        if (d < least) least = d, any = true;
      }
      const std::size_t found = index.nearest(cloud, x, y, x_scale, y_scale, radius);
      ASSERT_EQ(found != PickIndex::kNone, any);
      if (!any) continue;
      EXPECT_EQ(std::pow((cloud.xs[found] - x) * x_scale, 2) + std::pow((cloud.ys[found] - y) * y_scale, 2), least);
    }
  }
  EXPECT_EQ(PickIndex().nearest(Cloud{}, 0, 0, 1, 1, 10), PickIndex::kNone);
}

TEST(CloudTest, DensityCountsEveryPointInsideTheBoxOnce) {
  const Cloud cloud = make_cloud(table_of({{0.5, 0.5}, {0.5, 0.5}, {9.5, 0.5}, {50, 0.5}}), {}, "cost", "quality", {});
  const Density map = density(cloud, 0, 10, 0, 1, 10, 2);
  EXPECT_EQ(map.count[10], 2u);
  EXPECT_EQ(map.count[19], 1u);
  EXPECT_EQ(map.most, 2u);
}

}  // namespace
}  // namespace plait::gui
