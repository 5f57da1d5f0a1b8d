#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Numbers as a person reads them: three significant digits and the unit that keeps them short.
namespace plait::report {

/// shown = value / factor, followed by suffix (may be empty), with a space between unless `close`.
struct DisplayUnit {
  double factor = 1;
  std::string suffix;
  bool close = false;  ///< count letters: 1.3B parameters
};

/// The units in which a quantity may be shown, ascending:
///   "B", "bytes"                -> B, KiB, MiB, GiB, TiB, PiB     (1024)
///   "s", "seconds"              -> ns, us, ms, s                   (1000)
///   "flops", "FLOP", "FLOPs"    -> FLOP, KFLOP ... YFLOP            (1000)
///   "J", "W"                    -> with u, m, k, M, G               (1000)
///   "parameters"                -> none, K, M, B, T                 (1000; the field's letters)
///   "1", ""                     -> as it is
///   "x/y" with x of the above   -> as x, with "/y" behind
///   anything else               -> as it is, the unit behind
std::vector<DisplayUnit> display_units(std::string_view unit);

/// The largest of them that leaves `magnitude` at 1 or above, else the smallest; a size that would round up to the next
/// takes the next. Zero takes the one of factor 1.
DisplayUnit display_unit(std::string_view unit, double magnitude);

/// Whether a unit is scaled by 1024, so that logarithmic ticks belong at powers of two.
bool is_binary_unit(std::string_view unit);

/// Three significant digits with trailing zeros (0.410, 12.3, 1230 -> 1230); integers below a million as they are;
/// 1.23e+06 from a million on and 1.23e-05 below 1e-4.
std::string format_number(double value);

/// "3.25 GiB", "2.00 ms", "0.412", "512 B". In a scaled unit always three digits.
std::string format_value(double value, std::string_view unit);

/// "0.412 ± 0.021": value and deviation in one unit, with the same number of decimals. Without a deviation as above.
std::string format_value(double value, std::optional<double> deviation, std::string_view unit);

}  // namespace plait::report
