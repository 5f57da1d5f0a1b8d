#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/report/report.h"

namespace plait::report {

/// Every row of a table as a line over several metrics side by side.
struct ParallelChart {
  struct Scale {
    Axis axis;
    double low = 0, high = 1;
  };
  enum class Kind { dominated, front, baseline };
  struct Line {
    std::string name;
    std::vector<double> values;  ///< by axis; NaN: none, the line has a gap
    Kind kind = Kind::dominated;
  };
  std::string title;
  std::string subtitle;
  std::vector<Scale> axes;  ///< at least two
  std::vector<Line> lines;
};

/// Throw SpecError for fewer than two axes, a line of another length and for a size out of range.
std::string to_svg(const ParallelChart& chart, const FigureOptions& options = {});
std::vector<std::uint8_t> to_png(const ParallelChart& chart, const FigureOptions& options = {});

}  // namespace plait::report
