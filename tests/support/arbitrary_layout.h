#pragma once

#include <rapidcheck.h>

#include "src/spec/notation.h"

/// Random layouts for property tests: default mixers of a small model, some with changed dimensions.
namespace plait::testing {

inline rc::Gen<spec::Mixer> arbitrary_mixer(spec::Dim d_model, bool parallel = true) {
  return rc::gen::exec([=] {
    const auto index = *rc::gen::inRange<std::size_t>(0, std::variant_size_v<spec::Mixer> - (parallel ? 0 : 1));
    spec::Mixer mixer = spec::default_mixer(index, d_model);
    if (auto* window = std::get_if<spec::SlidingWindowAttention>(&mixer))
      window->window = *rc::gen::element(64, 128, 4096);
    if (auto* full = std::get_if<spec::FullAttention>(&mixer)) full->qkv_bias = *rc::gen::arbitrary<bool>();
    if (auto* gdn = std::get_if<spec::GatedDeltaNet>(&mixer)) gdn->value_head_dim *= *rc::gen::element(1, 2);
    if (auto* parallel_mixer = std::get_if<spec::ParallelMixer>(&mixer)) {
      parallel_mixer->fusion = *rc::gen::element(spec::Fusion::sum, spec::Fusion::normed_mean);
    }
    return mixer;
  });
}

inline rc::Gen<spec::Layout> arbitrary_layout(spec::Dim d_model, std::size_t max_layers) {
  return rc::gen::exec([=] {
    const auto count = *rc::gen::inRange<std::size_t>(1, max_layers + 1);
    const bool mixed_channels = *rc::gen::arbitrary<bool>();
    spec::Layout layout;
    for (std::size_t i = 0; i < count; ++i) {
      spec::LayerSpec layer;
      // Repeat an earlier layer often, so that the printer has something to compress.
      if (i > 0 && *rc::gen::inRange(0, 3) > 0) {
        layer = layout.layers[*rc::gen::inRange<std::size_t>(0, i)];
        layer.kv_from.reset();
        layer.weights_from.reset();
      } else {
        layer.mixer = *arbitrary_mixer(d_model);
        layer.channel_mixer = spec::default_swiglu(d_model);
        if (mixed_channels) {
          layer.channel_mixer =
              *rc::gen::element<spec::ChannelMixer>(spec::default_swiglu(d_model), spec::MoE{}, spec::None{});
        }
      }
      if (i > 0 && *rc::gen::inRange(0, 8) == 0) {
        const auto from = *rc::gen::inRange<std::size_t>(0, i);
        if (!layout.layers[from].weights_from) {
          layer.mixer = layout.layers[from].mixer;
          layer.channel_mixer = layout.layers[from].channel_mixer;
          layer.weights_from = from;
        }
      }
      layout.layers.push_back(layer);
    }
    return layout;
  });
}

}  // namespace plait::testing
