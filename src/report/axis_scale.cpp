#include "src/report/axis_scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace plait::report {
namespace {

constexpr double kPadding = 0.04;
constexpr std::array<double, 3> kMantissas = {1, 2, 5};

/// A step of mantissa x 10^exponent. Negative powers divide, so that 3 steps of 0.1 are 0.3 to the last bit.
struct Step {
  double mantissa;
  int exponent;

  double multiple(double k) const {
    return exponent < 0 ? k * mantissa / std::pow(10.0, -exponent) : k * mantissa * std::pow(10.0, exponent);
  }
};

Step linear_step(double low, double high, std::size_t max_count) {
  const auto room = static_cast<double>(std::max<std::size_t>(max_count, 2));
  int exponent = static_cast<int>(std::floor(std::log10((high - low) / room))) - 1;
  for (;; ++exponent) {
    for (const double mantissa : kMantissas) {
      const Step step{mantissa, exponent};
      const double size = step.multiple(1);
      if (std::floor(high / size) - std::ceil(low / size) + 1 <= room) return step;
    }
  }
}

int decimals_of(double low, double high, std::size_t max_count) {
  return std::max(0, -linear_step(low, high, max_count).exponent);
}

std::vector<double> within(std::vector<double> ticks, double low, double high) {
  std::erase_if(ticks, [&](double tick) { return tick < low || tick > high; });
  return ticks;
}

std::string plain_label(double value, int decimals) {
  if (value == 0) return "0";
  if (decimals > 5 || std::abs(value) >= 1e6) return fmt::format("{:.6g}", value);
  return fmt::format("{:.{}f}", value, decimals);
}

/// "1 MiB", "200 us", "0.05": a tick of a logarithmic axis carries its unit and no needless zeros.
std::string unit_label(double value, std::string_view unit) {
  const DisplayUnit shown = display_unit(unit, value);
  std::string text = fmt::format("{:.6g}", value / shown.factor);
  if (!shown.suffix.empty() && !shown.close) text += ' ';
  return text + shown.suffix;
}

}  // namespace

std::vector<double> linear_ticks(double low, double high, std::size_t max_count) {
  const Step step = linear_step(low, high, max_count);
  const double size = step.multiple(1);
  std::vector<double> ticks;
  for (double k = std::ceil(low / size); k <= std::floor(high / size); ++k) ticks.push_back(step.multiple(k));
  return within(std::move(ticks), low, high);
}

std::vector<double> log_ticks(double low, double high, std::size_t max_count, bool binary) {
  const double base = binary ? 2 : 10;
  const int first = static_cast<int>(std::floor(std::log(low) / std::log(base))) - 1;
  const int last = static_cast<int>(std::ceil(std::log(high) / std::log(base))) + 1;
  const auto every = [&](int stride, std::span<const double> mantissas) {
    std::vector<double> ticks;
    for (int e = first; e <= last; ++e) {
      if (((e % stride) + stride) % stride != 0) continue;
      for (const double mantissa : mantissas) {
        ticks.push_back(binary ? std::ldexp(1.0, e) : Step{mantissa, e}.multiple(1));
      }
    }
    return within(std::move(ticks), low, high);
  };
  std::vector<double> ticks = every(1, binary ? std::span(kMantissas).first(1) : std::span(kMantissas));
  for (int stride = 1; ticks.size() > std::max<std::size_t>(max_count, 2); ++stride) {
    ticks = every(stride, std::span(kMantissas).first(1));
  }
  return ticks.size() >= 2 ? ticks : linear_ticks(low, high, max_count);
}

bool spans_two_decades(std::span<const double> values) {
  if (values.empty()) return false;
  const auto [low, high] = std::ranges::minmax(values);
  return low > 0 && high > 100 * low;
}

AxisScale::AxisScale(const Axis& axis, std::span<const double> values) : label_(axis.label), unit_(axis.unit) {
  if (values.empty()) {
    shown_ = display_unit(unit_, 1);
    return;
  }
  const auto [least, most] = std::ranges::minmax(values);
  log_ = axis.log.value_or(spans_two_decades(values)) && least > 0;
  double low = log_ ? std::log(least) : least;
  double high = log_ ? std::log(most) : most;
  const double size = std::max(std::abs(low), std::abs(high));
  if (high - low <= 1e-9 * size) {
    const double room = log_ ? 0.5 : size > 0 ? 0.1 * size : 1;
    low -= room;
    high += room;
  }
  const double padding = kPadding * (high - low);
  low_ = low - padding;
  high_ = high + padding;
  shown_ = display_unit(unit_, std::max(std::abs(least), std::abs(most)));
}

double AxisScale::low() const { return log_ ? std::max(std::exp(low_), std::numeric_limits<double>::min()) : low_; }
double AxisScale::high() const { return log_ ? std::exp(high_) : high_; }

double AxisScale::position(double value) const { return ((log_ ? std::log(value) : value) - low_) / (high_ - low_); }

std::string AxisScale::title() const {
  const std::string unit = log_ ? "" : shown_.suffix;
  return unit.empty() ? label_ : label_ + " (" + unit + ")";
}

std::vector<Tick> AxisScale::ticks(std::size_t max_count) const {
  std::vector<Tick> ticks;
  if (log_) {
    for (const double value : log_ticks(low(), high(), max_count, is_binary_unit(unit_))) {
      ticks.push_back({value, unit_label(value, unit_)});
    }
    return ticks;
  }
  const double low = low_ / shown_.factor, high = high_ / shown_.factor;
  const int decimals = decimals_of(low, high, max_count);
  for (const double value : linear_ticks(low, high, max_count)) {
    ticks.push_back({value * shown_.factor, plain_label(value, decimals)});
  }
  return ticks;
}

}  // namespace plait::report
