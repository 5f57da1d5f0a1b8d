#include "src/spec/channel_mixer.h"

#include <array>

namespace plait::spec {
namespace {
constexpr std::array<std::string_view, std::variant_size_v<ChannelMixer>> kNames = {"swiglu", "mlp", "moe", "none"};
}

std::span<const std::string_view, std::variant_size_v<ChannelMixer>> channel_mixer_names() { return kNames; }

std::string_view name_of(const ChannelMixer& mixer) { return kNames[mixer.index()]; }

SwiGlu default_swiglu(Dim d_model, Dim hidden_ratio) {
  const Dim width = d_model * hidden_ratio * 2 / 3;
  return {.width = 256 * ((width + 255) / 256)};
}

}  // namespace plait::spec
