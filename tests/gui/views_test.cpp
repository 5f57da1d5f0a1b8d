#include "gui/views.h"

#include <gtest/gtest.h>

#include <cmath>

#include "gui/roofline.h"
#include "src/app/what_if.h"

namespace plait::gui {
namespace {

std::shared_ptr<const app::StudyResults> quickstart() {
  const auto built = app::build_study(app::read_study(std::string(PLAIT_SOURCE_DIR) + "/examples/quickstart.json", {}));
  return std::make_shared<const app::StudyResults>(app::run_study(*built, {}, false, {}, {}, {}));
}

TEST(ViewsTest, PartsThatARequestLeavesAsTheyWereAreTheSameOnes) {
  const auto results = quickstart();
  const auto table = std::make_shared<const app::TrialTable>(app::trial_table(*results));
  ViewRequest request{.x = "kv_cache_bytes", .y = "recall", .filter = {}, .brushes = {}, .sort = {}};
  const Views first = make_views(results, table, request, {});
  EXPECT_EQ(first.shown->count, table->size());
  EXPECT_EQ(first.order->size(), table->size());
  EXPECT_EQ(first.cloud->baselines.size(), results->baselines.size());
  EXPECT_EQ(first.summary->front.size(), results->front.size());

  request.filter = "front";
  const Views filtered = make_views(results, table, request, first);
  EXPECT_EQ(filtered.cloud, first.cloud);
  EXPECT_EQ(filtered.pick, first.pick);
  EXPECT_EQ(filtered.summary, first.summary);
  EXPECT_EQ(filtered.shown->count, results->front.size());
  EXPECT_EQ(filtered.order->size(), results->front.size());

  request.brushes = {{"recall", 0.0, 0.4}};
  EXPECT_LT(make_views(results, table, request, filtered).shown->count, results->front.size());
  request.brushes.clear();

  request.y_log = true;
  const Views logarithmic = make_views(results, table, request, filtered);
  EXPECT_NE(logarithmic.cloud, filtered.cloud);
  EXPECT_EQ(logarithmic.shown, filtered.shown);
  EXPECT_EQ(logarithmic.order, filtered.order);

  // Another table: nothing of the old one is left.
  const auto again = std::make_shared<const app::TrialTable>(*table);
  const Views fresh = make_views(results, again, request, logarithmic);
  EXPECT_NE(fresh.cloud, logarithmic.cloud);
  EXPECT_NE(fresh.shown, logarithmic.shown);
  EXPECT_NE(fresh.summary, logarithmic.summary);
}

TEST(ViewsTest, RowsAreFoundInTheCloud) {
  const auto results = quickstart();
  const app::TrialTable table = app::trial_table(*results);
  const Cloud cloud = make_cloud(table, {}, "kv_cache_bytes", "recall", {.x_log = true, .until = 5});
  for (std::size_t i = 0; i < cloud.size(); ++i) EXPECT_EQ(cloud.index_of(cloud.rows[i]), i);
  EXPECT_EQ(cloud.index_of(5), Cloud::kNone);
  EXPECT_EQ(cloud.index_of(table.size()), Cloud::kNone);
}

TEST(RooflineTest, CountsAreThoseOfTheReportAndNoPointIsAboveTheRoofByMoreThanItsTimeSays) {
  const app::WhatIf desk(app::read_study(std::string(PLAIT_SOURCE_DIR) + "/examples/quickstart.json", {}));
  const spec::Layout layout = spec::parse_layout("(GGG*)x6", desk.study().palette);
  const app::WhatIf::Answer answer = desk.answer(layout);
  const Roofline roofline = make_roofline(desk.study(), layout, *answer.costs);
  // Two kinds of layer in two phases, and the head in decoding.
  ASSERT_EQ(roofline.points.size(), 5u);
  double flops = 0;
  std::size_t layers = 0;
  for (const RooflinePoint& point : roofline.points) {
    EXPECT_LE(point.rate(), roofline.roof(point.intensity())) << point.name;
    if (point.decode) continue;
    flops += point.flops * static_cast<double>(point.layers.size());
    layers += point.layers.size();
  }
  EXPECT_EQ(layers, layout.size());
  EXPECT_DOUBLE_EQ(flops, static_cast<double>(answer.costs->forward_flops - answer.costs->model.forward_flops));
  const auto [x_low, x_high, y_low, y_high] = roofline.box();
  for (const RooflinePoint& point : roofline.points) {
    EXPECT_TRUE(point.intensity() > x_low && point.intensity() < x_high);
    EXPECT_TRUE(point.rate() > y_low && point.rate() < y_high);
  }
  EXPECT_EQ(roofline_chart(roofline, "x").lines.size(), roofline.points.size() + 1);
}

}  // namespace
}  // namespace plait::gui
