#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/report/canvas.h"
#include "src/report/report.h"

/// What the charts have in common.
namespace plait::report {

inline constexpr double kMargin = 20;
inline constexpr double kTextSize = 11.5, kSmallSize = 10.5, kSubtitleSize = 12.5, kTitleSize = 18;
inline constexpr double kLineHeight = 17;

double text_width(std::string_view text, double size, Weight weight = Weight::regular);

void draw_label(Canvas& canvas, Point where, std::string_view text, double size, Colour colour,
                Anchor anchor = Anchor::start, Weight weight = Weight::regular);

/// Title and subtitle at the upper left. Returns where what follows begins.
double draw_heading(Canvas& canvas, const Palette& colours, double width, const std::string& title,
                    const std::string& subtitle);
/// Lines at the lower left. Returns where what stands above them ends.
double draw_notes(Canvas& canvas, const Palette& colours, double width, double height,
                  const std::vector<std::string>& notes);

/// RFC 4180, section 2: fields with a comma, a quote or a line break are quoted, quotes are doubled.
std::string csv_field(std::string_view text);

}  // namespace plait::report
