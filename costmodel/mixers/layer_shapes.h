#pragma once

#include <type_traits>
#include <variant>

#include "costmodel/mixers/mixer_shape.h"
#include "src/spec/layout.h"

namespace plait::costmodel {

/// What there is to count about a mixer that stands alone; `shares_kv` concerns those with a cache. An alternative of
/// Mixer without a shape does not compile.
template <class M>
MixerShape shape_of(const M& mixer, Dim d_model, bool shares_kv) {
  if constexpr (requires { mixer_shape(mixer, d_model, shares_kv); }) {
    return mixer_shape(mixer, d_model, shares_kv);
  } else {
    return mixer_shape(mixer, d_model);
  }
}

/// Calls `visit(shape)` for the layer's token mixer, or for each of its parallel branches.
template <class Visit>
void for_each_shape(const spec::LayerSpec& layer, Dim d_model, Visit&& visit) {
  const bool shares_kv = layer.kv_from.has_value();
  std::visit(
      [&](const auto& mixer) {
        if constexpr (std::is_same_v<std::decay_t<decltype(mixer)>, spec::ParallelMixer>) {
          for (const auto& branch : mixer.branches) {
            visit(std::visit([&](const auto& m) { return shape_of(m, d_model, shares_kv); }, branch));
          }
        } else {
          visit(shape_of(mixer, d_model, shares_kv));
        }
      },
      layer.mixer);
}

/// Parameters of the norms that a fusion of parallel branches brings.
inline Count fusion_parameters(const spec::LayerSpec& layer, Dim d_model) {
  const auto* parallel = std::get_if<spec::ParallelMixer>(&layer.mixer);
  if (parallel == nullptr || parallel->fusion != spec::Fusion::normed_mean) return 0;
  return Count(static_cast<Dim>(parallel->branches.size())) * d_model;
}

}  // namespace plait::costmodel
