#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/report/report.h"

namespace plait::report {

/// Values side by side, from zero.
struct BarChart {
  struct Bar {
    std::string label;
    double value = 0;                ///< not negative
    std::optional<Colour> colour{};  ///< nothing: that of the front
  };
  std::string title;
  std::string subtitle;
  Axis y;  ///< linear
  std::vector<Bar> bars;
  std::vector<std::string> notes{};
};

/// Throw SpecError for a value that is negative or not finite and for a size out of range.
std::string to_svg(const BarChart& chart, const FigureOptions& options = {});
std::vector<std::uint8_t> to_png(const BarChart& chart, const FigureOptions& options = {});
/// A row per bar: label, value in the axis' unit.
std::string to_csv(const BarChart& chart);

}  // namespace plait::report
