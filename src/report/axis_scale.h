#pragma once

#include <span>
#include <string>
#include <vector>

#include "src/report/figure.h"
#include "src/report/number_format.h"

namespace plait::report {

/// Multiples of 1, 2 or 5 times a power of ten inside [low, high]: the finest such step with at most `max_count` ticks
/// (>= 2). Ascending; less than one step is left free at either end. Needs low < high, both finite.
std::vector<double> linear_ticks(double low, double high, std::size_t max_count);

/// Ticks for a logarithmic axis inside [low, high]: 1-2-5 steps per decade, whole decades or every n-th decade (for
/// `binary` powers of two, four, eight, ...), the densest with at most `max_count`. A range too short for two such
/// ticks takes linear ones. Needs 0 < low < high.
std::vector<double> log_ticks(double low, double high, std::size_t max_count, bool binary);

/// All positive and spanning more than two decades.
bool spans_two_decades(std::span<const double> values);

struct Tick {
  double value;
  std::string label;
};

/// Maps one axis of a figure to [0, 1]. A linear axis shows all ticks in one unit, named in `title`; a logarithmic one
/// shows a unit with every tick.
class AxisScale {
 public:
  /// Covers all `values` with 4 % of padding at both ends; equal values get room around them, no values give [0, 1].
  /// Without values above zero a logarithmic axis becomes linear.
  AxisScale(const Axis& axis, std::span<const double> values);

  bool log() const { return log_; }
  double low() const;
  double high() const;
  double position(double value) const;  ///< 0 at low(), 1 at high(); not clamped
  std::string title() const;            ///< label with the unit: "KV cache (GiB)"
  std::vector<Tick> ticks(std::size_t max_count) const;

 private:
  std::string label_;
  std::string unit_;
  DisplayUnit shown_;
  bool log_ = false;
  double low_ = 0;  // of a logarithmic axis: the logarithms
  double high_ = 1;
};

}  // namespace plait::report
