#include <gmock/gmock.h>

#include <cmath>

#include "src/report/bar_chart.h"
#include "src/report/line_chart.h"
#include "src/report/parallel_chart.h"
#include "src/spec/error.h"

namespace plait::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

BarChart bars() {
  return {.title = "each layer",
          .subtitle = "",
          .y = {.label = "KV cache", .unit = "bytes"},
          .bars = {{"0 G", 0, rgb(0x0072b2)}, {"1 *", 2.0 * (1 << 30), rgb(0xd55e00)}}};
}

TEST(BarChartTest, HasABarOfItsColourForEachValueAndItsUnit) {
  const std::string svg = to_svg(bars());
  EXPECT_THAT(svg, HasSubstr("<title>1 *: 2.00 GiB</title>"));
  EXPECT_THAT(svg, HasSubstr("#d55e00"));
  EXPECT_THAT(svg, HasSubstr("KV cache (GiB)"));
  EXPECT_EQ(to_csv(bars()), "label,KV cache (bytes)\r\n0 G,0\r\n1 *,2147483648\r\n");
  EXPECT_GT(to_png(bars(), {.width = 400, .height = 300, .scale = 1}).size(), 500u);
}

TEST(BarChartTest, ManyLongLabelsNoneAndAllZeroAreDrawn) {
  BarChart chart = bars();
  for (int i = 0; i < 100; ++i)
    chart.bars.push_back({"a label that is far too long to stand beside the others", 1.0 * i});
  EXPECT_THAT(to_svg(chart), HasSubstr("rotate"));
  chart.bars = {{"nothing", 0}};
  EXPECT_THAT(to_svg(chart), Not(HasSubstr("nan")));
  chart.bars.clear();
  EXPECT_THAT(to_svg(chart), HasSubstr("each layer"));
}

TEST(BarChartTest, WhatIsNoBarIsRefusedWithItsPlace) {
  for (const double bad : {-1.0, std::nan("")}) {
    BarChart chart = bars();
    chart.bars[1].value = bad;
    try {
      to_svg(chart);
      FAIL();
    } catch (const spec::SpecError& error) {
      EXPECT_EQ(error.problems().at(0).path, "bars[1]");
    }
  }
}

ParallelChart lines() {
  using Kind = ParallelChart::Kind;
  return {.title = "all trials",
          .subtitle = "",
          .axes = {{{.label = "recall", .unit = "1"}, 0, 1},
                   {{.label = "KV cache", .unit = "bytes", .log = true}, 1024, 1024 * 1024},
                   {{.label = "prefill", .unit = "s"}, 0, 2}},
          .lines = {{"trial 1", {0.5, 2048, 1}, Kind::front},
                    {"trial 2", {0.1, std::nan(""), 2}, Kind::dominated},
                    {"Transformer", {1, 1024 * 1024, std::nan("")}, Kind::baseline}}};
}

TEST(ParallelChartTest, HasALinePerRowWithGapsWhereValuesAreMissing) {
  const std::string svg = to_svg(lines());
  EXPECT_THAT(svg, HasSubstr("<title>Transformer</title>"));
  EXPECT_THAT(svg, HasSubstr("1.00 MiB"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_GT(to_png(lines(), {.width = 400, .height = 300, .scale = 1}).size(), 500u);
}

TEST(ParallelChartTest, OneAxisAndLinesOfAnotherLengthAreRefused) {
  ParallelChart chart = lines();
  chart.lines[1].values.pop_back();
  EXPECT_THROW(to_svg(chart), spec::SpecError);
  chart = lines();
  chart.axes.resize(1);
  EXPECT_THROW(to_png(chart), spec::SpecError);
}

TEST(LineChartCsv, HasARowPerPoint) {
  LineChart chart;
  chart.x = {.label = "step", .log = false};
  chart.y = {.label = "accuracy", .log = false};
  chart.lines = {{"G, first", {{0, 0.1}, {50, 0.5}}, 0}};
  EXPECT_EQ(to_csv(chart), "line,step,accuracy (1)\r\n\"G, first\",0,0.1\r\n\"G, first\",50,0.5\r\n");
}

}  // namespace
}  // namespace plait::report
