#include "src/report/number_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

namespace plait::report {
namespace {

struct Prefix {
  double factor;
  std::string_view text;
};

constexpr std::array<Prefix, 6> kBinary = {
    {{1, ""}, {0x1p10, "Ki"}, {0x1p20, "Mi"}, {0x1p30, "Gi"}, {0x1p40, "Ti"}, {0x1p50, "Pi"}}};
constexpr std::array<Prefix, 4> kSeconds = {{{1e-9, "n"}, {1e-6, "u"}, {1e-3, "m"}, {1, ""}}};
constexpr std::array<Prefix, 9> kFlops = {
    {{1, ""}, {1e3, "K"}, {1e6, "M"}, {1e9, "G"}, {1e12, "T"}, {1e15, "P"}, {1e18, "E"}, {1e21, "Z"}, {1e24, "Y"}}};
constexpr std::array<Prefix, 6> kPower = {{{1e-6, "u"}, {1e-3, "m"}, {1, ""}, {1e3, "k"}, {1e6, "M"}, {1e9, "G"}}};
constexpr std::array<Prefix, 5> kCount = {{{1, ""}, {1e3, "K"}, {1e6, "M"}, {1e9, "B"}, {1e12, "T"}}};

struct Family {
  std::string_view name;
  std::span<const Prefix> prefixes;
  std::string_view symbol;
};

constexpr std::array<Family, 9> kFamilies = {{{"B", kBinary, "B"},
                                              {"bytes", kBinary, "B"},
                                              {"s", kSeconds, "s"},
                                              {"seconds", kSeconds, "s"},
                                              {"flops", kFlops, "FLOP"},
                                              {"FLOP", kFlops, "FLOP"},
                                              {"FLOPs", kFlops, "FLOP"},
                                              {"J", kPower, "J"},
                                              {"W", kPower, "W"}}};
constexpr Family kParameters = {"parameters", kCount, ""};

const Family* find_family(std::string_view unit) {
  if (unit == kParameters.name) return &kParameters;
  const auto at = std::ranges::find(kFamilies, unit, &Family::name);
  return at == kFamilies.end() ? nullptr : &*at;
}

/// Splits "bytes/token" into "bytes" and "/token".
std::pair<std::string_view, std::string_view> split_rate(std::string_view unit) {
  const std::size_t slash = unit.find('/');
  return slash == std::string_view::npos ? std::pair(unit, std::string_view())
                                         : std::pair(unit.substr(0, slash), unit.substr(slash));
}

/// Decimals that leave three significant digits of |value| after rounding: the exponent is read from the rounded form.
int decimals_for(double value) {
  if (value == 0) return 0;
  const std::string rounded = fmt::format("{:.2e}", value);
  return std::max(0, 2 - std::stoi(rounded.substr(rounded.find('e') + 1)));
}

/// Without the sign of a zero.
std::string fixed(double value, int decimals) {
  std::string text = fmt::format("{:.{}f}", value, decimals);
  return text.find_first_of("123456789") == std::string::npos && text.front() == '-' ? text.substr(1) : text;
}

std::string with_unit(std::string number, const DisplayUnit& shown) {
  if (!shown.suffix.empty() && !shown.close) number += ' ';
  return number + shown.suffix;
}

}  // namespace

bool is_binary_unit(std::string_view unit) {
  const Family* family = find_family(split_rate(unit).first);
  return family != nullptr && family->symbol == "B";
}

std::vector<DisplayUnit> display_units(std::string_view unit) {
  const auto [base, rate] = split_rate(unit);
  const Family* family = find_family(base);
  if (family == nullptr) return {{1, unit == "1" ? "" : std::string(unit)}};
  std::vector<DisplayUnit> units;
  for (const Prefix& prefix : family->prefixes) {
    units.push_back({prefix.factor, fmt::format("{}{}{}", prefix.text, family->symbol, rate), family == &kParameters});
  }
  return units;
}

DisplayUnit display_unit(std::string_view unit, double magnitude) {
  const std::vector<DisplayUnit> units = display_units(unit);
  const double size = std::abs(magnitude);
  if (size == 0) return *std::ranges::find(units, 1.0, &DisplayUnit::factor);
  const DisplayUnit* chosen = &units.front();
  for (const DisplayUnit& next : units) {
    // 1023.7 KiB would be written as 1024 KiB, 999.6 ms as 1000 ms.
    if (next.factor > chosen->factor && size >= next.factor - 0.5 * chosen->factor) chosen = &next;
  }
  return *chosen;
}

std::string format_number(double value) {
  const double size = std::abs(value);
  if (size < 999999.5 && value == std::round(value)) return fixed(value, 0);
  if (size >= 999999.5 || size < 1e-4) return fmt::format("{:.2e}", value);
  return fixed(value, decimals_for(value));
}

std::string format_value(double value, std::string_view unit) { return format_value(value, std::nullopt, unit); }

std::string format_value(double value, std::optional<double> deviation, std::string_view unit) {
  const double size = std::max(std::abs(value), deviation.value_or(0));
  const DisplayUnit shown = display_unit(unit, size);
  const double scaled = value / shown.factor;
  if (!deviation)
    return with_unit(shown.factor == 1 ? format_number(scaled) : fixed(scaled, decimals_for(scaled)), shown);
  const double spread = *deviation / shown.factor;
  const double largest = size / shown.factor;
  if (largest >= 999999.5 || (largest > 0 && largest < 1e-4)) {
    return with_unit(fmt::format("{:.2e} ± {:.2e}", scaled, spread), shown);
  }
  // A deviation keeps at least one digit, within two more decimals than the larger of the two needs.
  int decimals = decimals_for(largest);
  if (spread > 0) decimals = std::clamp(-static_cast<int>(std::floor(std::log10(spread))), decimals, decimals + 2);
  return with_unit(fixed(scaled, decimals) + " ± " + fixed(spread, decimals), shown);
}

}  // namespace plait::report
