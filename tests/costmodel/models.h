#pragma once

#include <initializer_list>
#include <string_view>

#include "costmodel/cost_report.h"
#include "costmodel/hardware.h"
#include "costmodel/parallel_memory.h"
#include "src/spec/model_spec.h"

namespace plait::costmodel {

inline const HardwareProfile& h100() {
  static const HardwareProfile profile = find_hardware("h100");
  return profile;
}

inline spec::ModelSpec model(spec::Dim d_model, spec::Dim vocab_size, bool tied = false) {
  spec::ModelSpec spec;
  spec.d_model = d_model;
  spec.vocab_size = vocab_size;
  spec.tied_embeddings = tied;
  return spec;
}

/// `linear` everywhere but at `full_at` (0-based), where `full` stands; all with the same channel mixer.
inline spec::ModelSpec hybrid(spec::ModelSpec model, std::size_t layers, const spec::Mixer& linear,
                              const spec::Mixer& full, std::initializer_list<std::size_t> full_at,
                              const spec::ChannelMixer& channel_mixer) {
  model.layout.layers.assign(layers, {.mixer = linear, .channel_mixer = channel_mixer});
  for (const std::size_t i : full_at) model.layout.layers.at(i).mixer = full;
  return model;
}

/// `full` at every `period`-th layer, the last of each period.
inline spec::ModelSpec periodic(spec::ModelSpec model, std::size_t layers, const spec::Mixer& linear,
                                const spec::Mixer& full, std::size_t period, const spec::ChannelMixer& channel_mixer) {
  model.layout = spec::Layout::one_full_in(period, layers, {.mixer = linear, .channel_mixer = channel_mixer},
                                           {.mixer = full, .channel_mixer = channel_mixer});
  return model;
}

/// A Nemotron-H string: M and * begin a layer, - and E give the layer before them its channel mixer.
inline spec::ModelSpec nemotron(spec::ModelSpec model, std::string_view pattern, const spec::Mixer& mamba,
                                const spec::Mixer& attention, const spec::ChannelMixer& channel_mixer) {
  for (const char symbol : pattern) {
    if (symbol == 'M') model.layout.layers.push_back({.mixer = mamba});
    if (symbol == '*') model.layout.layers.push_back({.mixer = attention});
    if (symbol == '-' || symbol == 'E') model.layout.layers.back().channel_mixer = channel_mixer;
  }
  return model;
}

/// Whether the ranks can share the model.
inline bool divides(const Parallelism& p, const spec::ModelSpec& spec) {
  spec::Problems problems;
  validate(p, spec, "", problems);
  return problems.empty();
}

/// MHA or GQA without options.
inline spec::FullAttention attention(spec::Dim heads, spec::Dim kv_heads, spec::Dim head_dim) {
  spec::FullAttention mixer;
  mixer.heads = heads;
  mixer.kv_heads = kv_heads;
  mixer.head_dim = head_dim;
  return mixer;
}

inline spec::SlidingWindowAttention sliding(const spec::FullAttention& full, spec::Dim window) {
  spec::SlidingWindowAttention mixer;
  static_cast<spec::SoftmaxAttention&>(mixer) = full;
  mixer.window = window;
  return mixer;
}

inline spec::GatedDeltaNet gdn(spec::Dim heads, spec::Dim value_heads, spec::Dim key, spec::Dim value) {
  return {.heads = heads, .value_heads = value_heads, .key_head_dim = key, .value_head_dim = value};
}

/// Qwen3-Next and Qwen3.5: output gate and norms on q and k.
inline spec::FullAttention qwen_attention(spec::Dim heads, spec::Dim kv_heads, spec::Dim head_dim) {
  auto mixer = attention(heads, kv_heads, head_dim);
  mixer.output_gate = true;
  mixer.qk_norm = spec::QkNorm::per_head;
  return mixer;
}

}  // namespace plait::costmodel
