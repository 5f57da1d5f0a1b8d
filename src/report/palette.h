#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace plait::report {

struct Colour {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;
  double alpha = 1;

  bool operator==(const Colour&) const = default;
};

constexpr Colour rgb(std::uint32_t hex, double alpha = 1) {
  return {static_cast<std::uint8_t>(hex >> 16 & 0xff), static_cast<std::uint8_t>(hex >> 8 & 0xff),
          static_cast<std::uint8_t>(hex & 0xff), alpha};
}
constexpr Colour with_alpha(Colour colour, double alpha) {
  colour.alpha = alpha;
  return colour;
}
std::string hex(Colour colour);  ///< "#0072b2", without alpha

enum class Theme { light, dark };

/// Roles of colours in a figure. The accents are from Okabe and Ito's set (jfly.uni-koeln.de/color), which stays apart
/// under the common colour-vision deficiencies; role is never shown by colour alone.
struct Palette {
  Colour background, ink, muted, grid, axis, front, dominated, baseline;
};
const Palette& palette(Theme theme);

/// Mixer colours by row of spec::mixer_table(): softmax attention warm, delta rules blue, gated linear attention yellow
/// to olive, state-space and LSTM green. Okabe-Ito for the common ones, Paul Tol's "muted" set (SRON/EPS/TN/09-002) for
/// the rest; fourteen colours cannot all be told apart by everybody, so cells carry their letter too.
inline constexpr std::array<Colour, 14> kMixerColours = {
    rgb(0xd55e00),  // full attention
    rgb(0xe69f00),  // sliding window attention
    rgb(0xcc79a7),  // multi-head latent attention
    rgb(0x999933),  // RetNet
    rgb(0xf0e442),  // GLA
    rgb(0xb8b8b8),  // HGRN
    rgb(0xddcc77),  // HGRN2
    rgb(0x56b4e9),  // DeltaNet
    rgb(0x0072b2),  // Gated DeltaNet
    rgb(0x332288),  // Kimi delta attention
    rgb(0x009e73),  // Mamba-2
    rgb(0x117733),  // mLSTM
    rgb(0x44aa99),  // Momentum DeltaNet
    rgb(0x882255),  // parallel mixer
};
constexpr Colour mixer_colour(std::size_t index) { return kMixerColours[index % kMixerColours.size()]; }

/// Black or white, whichever reads better on `background` (WCAG relative luminance).
Colour text_on(Colour background);

}  // namespace plait::report
