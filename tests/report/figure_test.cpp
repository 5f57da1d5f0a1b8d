#include "src/report/figure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "src/report/palette.h"
#include "src/report/result_table.h"
#include "src/spec/error.h"
#include "src/spec/mixer.h"
#include "tests/report/sample.h"

namespace plait::report {
namespace {

using search::Direction;
using testing::ElementsAre;

std::vector<std::string> problem_paths(const auto& action) {
  std::vector<std::string> paths;
  try {
    action();
  } catch (const spec::SpecError& error) {
    for (const spec::Problem& problem : error.problems()) paths.push_back(problem.path);
  }
  return paths;
}

Figure figure_of(const std::vector<std::pair<double, double>>& points, Direction x, Direction y) {
  Figure figure;
  figure.x.direction = x;
  figure.y.direction = y;
  for (const auto& [px, py] : points) {
    FigurePoint point;
    point.x = px;
    point.y = py;
    figure.points.push_back(point);
  }
  return figure;
}

TEST(Figure, EveryValueThatCannotBeShownIsReported) {
  Figure figure = figure_of({{1, 2}, {std::nan(""), 1}, {1, std::numeric_limits<double>::infinity()}, {0, 1}},
                            Direction::minimize, Direction::maximize);
  figure.points[0].y_deviation = -1;
  figure.points[3].x_deviation = std::nan("");
  figure.x.log = true;
  EXPECT_THAT(
      problem_paths([&] { validate(figure); }),
      ElementsAre("points[0].y_deviation", "points[1].x", "points[2].y", "points[3].x", "points[3].x_deviation"));
}

RC_GTEST_PROP(Figure, TheFrontIsWhatNoFeasiblePointDominates, ()) {
  const auto small = rc::gen::map(rc::gen::inRange(0, 12), [](int k) { return static_cast<double>(k); });
  const auto direction = rc::gen::element(Direction::minimize, Direction::maximize);
  Figure figure = figure_of(*rc::gen::container<std::vector<std::pair<double, double>>>(rc::gen::pair(small, small)),
                            *direction, *direction);
  for (FigurePoint& point : figure.points) point.feasible = *rc::gen::inRange(0, 4) > 0;
  mark_front(figure);
  std::set<std::pair<double, double>> expected;
  for (const FigurePoint& point : figure.points) {
    const bool dominated = std::ranges::any_of(
        figure.points, [&](const FigurePoint& other) { return other.feasible && dominates(figure, other, point); });
    RC_ASSERT(point.on_front == (point.feasible && !dominated));
    if (point.on_front) expected.emplace(point.x, point.y);
  }
  const std::vector<std::size_t> edge = front_edge(figure);
  RC_ASSERT(edge.size() == expected.size());
  for (std::size_t i = 1; i < edge.size(); ++i) {
    const double step = figure.points[edge[i]].x - figure.points[edge[i - 1]].x;
    RC_ASSERT((figure.x.direction == Direction::minimize ? step : -step) > 0);
  }
}

TEST(Figure, RepresentativesKeepTheEndsAndSpread) {
  Figure figure = figure_of({{0, 0}, {0.01, 0.01}, {0.02, 0.02}, {0.5, 0.5}, {0.51, 0.51}, {1, 1}}, Direction::minimize,
                            Direction::maximize);
  mark_front(figure);
  const std::vector<std::size_t> edge = front_edge(figure);
  EXPECT_THAT(representatives(figure, edge, 3), ElementsAre(0, 3, 5));
  EXPECT_THAT(representatives(figure, edge, 1), ElementsAre(0));
  EXPECT_THAT(representatives(figure, edge, 0), ElementsAre());
  EXPECT_EQ(representatives(figure, edge, 9), edge);
}

TEST(Figure, TheMixerLegendFollowsTheMixerTable) {
  FigurePoint point;
  point.letters = "M*?#M";
  const std::vector<MixerKey> legend = mixer_legend(std::span(&point, 1));
  std::string order;
  for (const MixerKey& mixer : legend) order += mixer.letter;
  EXPECT_EQ(order, "*M#?");
  EXPECT_EQ(legend[0].colour, 0U);
  EXPECT_EQ(legend[0].label, spec::mixer_table()[0].label);
  EXPECT_EQ(kMixerColours.size(), spec::mixer_table().size());
}

TEST(ResultTable, AFigureTakesTheRowsThatHaveBothMetrics) {
  ResultTable table = sample_table(10);
  table.rows[3].scores.erase("recall");
  const Figure figure = make_figure(table, "kv_cache_bytes", "recall");
  EXPECT_EQ(figure.points.size(), table.rows.size() - 1);
  EXPECT_EQ(figure.x.label, "KV cache");
  EXPECT_EQ(figure.y.direction, Direction::maximize);
  EXPECT_EQ(figure.points[0].details.size(), 3U);
  EXPECT_EQ(figure.points[0].details[0].name, "Decode step");
}

TEST(ResultTable, WhatWasMeasuredBesideTheAxesMarksThePoint) {
  ResultTable table = sample_table(20);
  for (ResultRow& row : table.rows) row.scores["recall"].source = search::Source::prior;
  table.metrics.push_back({"proxy_recall", "1", search::Direction::maximize, ""});
  table.rows[3].scores["proxy_recall"] = {0.5, 0.1, search::Source::measured};
  Figure figure = make_figure(table, "kv_cache_bytes", "recall");
  EXPECT_EQ(figure.measured_label, "Proxy recall");
  for (const FigurePoint& point : figure.points) {
    EXPECT_EQ(point.measured, point.trial == table.rows[3].trial ? "0.500 ± 0.100" : "") << point.trial;
  }
  figure = make_figure(table, "kv_cache_bytes", "proxy_recall");
  ASSERT_EQ(figure.points.size(), 1u);
  EXPECT_EQ(figure.points[0].measured, "") << "on the axis it needs no mark";
}

TEST(ResultTable, UnknownMetricsAndBadValuesAreRefusedWithTheirPlace) {
  ResultTable table = sample_table(3);
  EXPECT_THAT(problem_paths([&] { make_figure(table, "kv_cache", "recall"); }), ElementsAre("x"));
  table.metrics.push_back(table.metrics[0]);
  table.rows[1].scores["recall"].value = std::nan("");
  table.rows[2].scores["recall"].deviation = -0.1;
  EXPECT_THAT(problem_paths([&] { validate(table); }), ElementsAre("metrics[5]", "rows[1].recall", "rows[2].recall"));
}

}  // namespace
}  // namespace plait::report
