#include "src/report/palette.h"

#include <fmt/format.h>

#include <cmath>

namespace plait::report {
namespace {

constexpr Palette kLight = {.background = rgb(0xffffff),
                            .ink = rgb(0x1f2328),
                            .muted = rgb(0x59636e),
                            .grid = rgb(0xe8ebef),
                            .axis = rgb(0x8c959f),
                            .front = rgb(0x0072b2),
                            .dominated = rgb(0x6e7781),
                            .baseline = rgb(0xd55e00)};
constexpr Palette kDark = {.background = rgb(0x0d1117),
                           .ink = rgb(0xe6edf3),
                           .muted = rgb(0x9198a1),
                           .grid = rgb(0x21262d),
                           .axis = rgb(0x6e7681),
                           .front = rgb(0x56b4e9),
                           .dominated = rgb(0x9198a1),
                           .baseline = rgb(0xe69f00)};

double linear_light(std::uint8_t channel) {
  const double c = channel / 255.0;
  return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
}

}  // namespace

std::string hex(Colour colour) { return fmt::format("#{:02x}{:02x}{:02x}", colour.red, colour.green, colour.blue); }

const Palette& palette(Theme theme) { return theme == Theme::light ? kLight : kDark; }

Colour text_on(Colour background) {
  const double luminance = 0.2126 * linear_light(background.red) + 0.7152 * linear_light(background.green) +
                           0.0722 * linear_light(background.blue);
  // Equal contrast to black and white: (L + 0.05)^2 = 1.05 x 0.05. White keeps a margin, since letters are small and
  // bold.
  return luminance > 0.25 ? rgb(0x000000) : rgb(0xffffff);
}

}  // namespace plait::report
