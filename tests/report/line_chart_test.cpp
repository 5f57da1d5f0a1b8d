#include "src/report/line_chart.h"

#include <gmock/gmock.h>

#include <limits>

#include "src/spec/error.h"

namespace plait::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

LineChart sample() {
  LineChart chart;
  chart.title = "mqar & more";
  chart.x = {.label = "training step", .log = false};
  chart.y = {.label = "accuracy", .direction = search::Direction::maximize, .log = false};
  chart.lines = {{"GGGG", {{0, 0.1}, {50, 0.5}, {100, 0.9}}, 0},
                 {"GGGG", {{0, 0.1}, {50, 0.1}, {100, 0.2}}, 0},
                 {"G*GG", {{0, 0.1}, {100, 1.0}}, 1}};
  chart.levels = {{"chance", 0.0625}};
  return chart;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(LineChart, HasEveryLineOneLegendEntryPerGroupAndTheLevels) {
  const std::string svg = to_svg(sample());
  EXPECT_THAT(svg, HasSubstr("mqar &amp; more"));
  EXPECT_THAT(svg, HasSubstr(">chance<"));
  EXPECT_THAT(svg, HasSubstr(">training step<"));
  EXPECT_EQ(count(svg, ">G*GG</text>"), 1u);
  EXPECT_EQ(count(svg, ">GGGG</text>"), 1u);
  EXPECT_EQ(count(svg, "<title>GGGG</title>"), 2u);
}

TEST(LineChart, NothingAndOnePointAreDrawn) {
  LineChart chart = sample();
  chart.lines = {{"G", {{1, 0.5}}, 0}};
  EXPECT_THAT(to_svg(chart), Not(HasSubstr("nothing to show")));
  chart.lines.clear();
  chart.levels.clear();
  EXPECT_THAT(to_svg(chart), HasSubstr("nothing to show yet"));
}

TEST(LineChart, PngHasTheAskedSize) {
  const std::vector<std::uint8_t> png = to_png(sample(), {.width = 400, .height = 300, .scale = 1});
  ASSERT_GT(png.size(), 24u);
  const auto big_endian = [&](std::size_t at) {
    return png[at] << 24 | png[at + 1] << 16 | png[at + 2] << 8 | png[at + 3];
  };
  EXPECT_EQ(big_endian(16), 400);
  EXPECT_EQ(big_endian(20), 300);
}

TEST(LineChart, WhatIsNotFiniteIsRefusedWithItsPlace) {
  LineChart chart = sample();
  chart.lines[1].points[2].y = std::numeric_limits<double>::quiet_NaN();
  try {
    to_svg(chart);
    FAIL();
  } catch (const spec::SpecError& error) {
    EXPECT_EQ(error.problems().at(0).path, "lines[1].points[2]");
  }
}

}  // namespace
}  // namespace plait::report
