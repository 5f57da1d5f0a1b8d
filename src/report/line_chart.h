#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/report/geometry.h"
#include "src/report/report.h"

namespace plait::report {

/// Curves over one common x axis, for example accuracy over training steps.
struct LineChart {
  struct Line {
    std::string label;
    std::vector<Point> points;  ///< by x
    std::size_t group = 0;      ///< lines of one group share a colour and one entry of the legend, the first label
  };
  std::string title;
  std::string subtitle;
  Axis x;
  Axis y;
  std::vector<Line> lines;
  struct Level {
    std::string label;
    double y = 0;
  };
  std::vector<Level> levels{};  ///< horizontal lines to compare with
  std::vector<std::string> notes{};
};

/// Throw SpecError for a coordinate that is not finite and for a size out of range.
std::string to_svg(const LineChart& chart, const FigureOptions& options = {});
std::vector<std::uint8_t> to_png(const LineChart& chart, const FigureOptions& options = {});
/// A row per point: label of the line, x, y in their units.
std::string to_csv(const LineChart& chart);

}  // namespace plait::report
