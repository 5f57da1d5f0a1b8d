#include "src/proxy/reduce.h"

#include <algorithm>
#include <cmath>
#include <variant>

namespace plait::proxy {
namespace {

using spec::Dim;

/// Index of the i-th of `count` values that are spread evenly over `size`.
std::size_t spread(std::size_t i, std::size_t count, std::size_t size) {
  return (2 * i + 1) * size / (2 * count);
}

/// The dimensions of a proxy in place of a mixer's own; everything that is not a size stays.
struct Shrink {
  const ProxyShape& shape;
  Dim length;
  Dim context;

  Dim value_head_dim() const { return shape.d_model / shape.heads; }

  void softmax(spec::SoftmaxAttention& mixer) const {
    mixer.kv_heads = mixer.kv_heads < mixer.heads ? 1 : shape.heads;
    mixer.heads = shape.heads;
    mixer.head_dim = shape.attention_head_dim;
  }
  void operator()(spec::FullAttention& mixer) const { softmax(mixer); }
  void operator()(spec::SlidingWindowAttention& mixer) const {
    softmax(mixer);
    const double share = static_cast<double>(mixer.window) / static_cast<double>(context);
    mixer.window = std::clamp(static_cast<Dim>(std::llround(share * static_cast<double>(length))), Dim{2}, length);
  }
  void operator()(spec::MultiHeadLatentAttention& mixer) const {
    mixer = {.heads = shape.heads,
             .q_lora_rank = mixer.q_lora_rank > 0 ? shape.d_model : 0,
             .kv_lora_rank = shape.d_model,
             .nope_dim = shape.attention_head_dim,
             .rope_dim = mixer.rope_dim > 0 ? shape.attention_head_dim / 2 : 0,
             .value_dim = shape.attention_head_dim};
  }
  void operator()(spec::Hgrn& mixer) const { mixer.width = shape.d_model; }
  void operator()(spec::Mamba2& mixer) const {
    mixer.heads = shape.heads;
    mixer.groups = 1;
    mixer.head_dim = value_head_dim();
    mixer.state_dim = shape.key_head_dim;
  }
  void operator()(spec::ParallelMixer& mixer) const {
    for (spec::SingleMixer& branch : mixer.branches) std::visit(*this, branch);
  }
  void operator()(auto& mixer) const {
    mixer.heads = shape.heads;
    if constexpr (requires { mixer.kv_heads; }) mixer.kv_heads = shape.heads;
    if constexpr (requires { mixer.value_heads; }) mixer.value_heads = shape.heads;
    if constexpr (requires { mixer.gate_rank; }) mixer.gate_rank = std::min<Dim>(mixer.gate_rank, 16);
    mixer.key_head_dim = shape.key_head_dim;
    mixer.value_head_dim = value_head_dim();
  }
};

}  // namespace

ProxyShape proxy_shape(Tier tier) {
  switch (tier) {
    case Tier::tiny: return {.layers = 4, .d_model = 32, .heads = 2, .key_head_dim = 8, .attention_head_dim = 32};
    case Tier::small: return {.layers = 6, .d_model = 64, .heads = 2, .key_head_dim = 16, .attention_head_dim = 32};
    case Tier::full: return {.layers = 12, .d_model = 128, .heads = 4, .key_head_dim = 16, .attention_head_dim = 32};
  }
  return {};
}

spec::Layout reduce_depth(const spec::Layout& layout, std::size_t layers) {
  const std::size_t depth = layout.size();
  if (depth <= layers || layers == 0) return layout;
  std::vector<std::size_t> full, other;
  for (std::size_t i = 0; i < depth; ++i) {
    (spec::is_full_attention(layout.layers[i].mixer) ? full : other).push_back(i);
  }

  const auto share = [&](std::size_t count) {
    return static_cast<std::size_t>(std::llround(static_cast<double>(count * layers) / static_cast<double>(depth)));
  };
  std::size_t keep = full.empty() ? 0 : std::max<std::size_t>(1, share(full.size()));
  if (!other.empty()) keep = std::min(keep, layers - 1);

  // Each at its relative depth, in order; then pushed apart, first downwards and, where that leaves the model, back up.
  const bool first_is_full = !full.empty() && full.front() == 0;
  std::vector<std::size_t> places(keep);
  for (std::size_t i = 0; i < keep; ++i) {
    const std::size_t source = i == 0 && first_is_full ? 0 : full[spread(i, keep, full.size())];
    const double relative = static_cast<double>(source) / static_cast<double>(depth - 1);
    const auto place = static_cast<std::size_t>(std::llround(relative * static_cast<double>(layers - 1)));
    const std::size_t lowest = i > 0 ? places[i - 1] + 1 : first_is_full ? 0 : 1;
    places[i] = std::max(place, lowest);
  }
  for (std::size_t i = keep; i-- > 0;) places[i] = std::min(places[i], layers - (keep - i));

  spec::Layout reduced;
  std::size_t next_full = 0, next_other = 0;
  for (std::size_t i = 0; i < layers; ++i) {
    const bool is_full = next_full < keep && places[next_full] == i;
    const std::size_t source =
        is_full ? full[spread(next_full++, keep, full.size())] : other[spread(next_other++, layers - keep, other.size())];
    reduced.layers.push_back(layout.layers[source]);
    reduced.layers.back().kv_from.reset();
    reduced.layers.back().weights_from.reset();
  }
  return reduced;
}

spec::ModelSpec proxy_model(const spec::ModelSpec& model, const ProxyShape& shape, spec::Dim vocab_size,
                            spec::Dim length) {
  spec::ModelSpec proxy;
  proxy.name = model.name;
  proxy.d_model = shape.d_model;
  proxy.vocab_size = vocab_size;
  proxy.tied_embeddings = true;
  proxy.max_position = length;
  proxy.dtype = spec::DType::fp32;
  proxy.layout = reduce_depth(model.layout, static_cast<std::size_t>(shape.layers));
  for (spec::LayerSpec& layer : proxy.layout.layers) {
    layer.kv_from.reset();
    layer.weights_from.reset();
    std::visit(Shrink{shape, length, model.max_position}, layer.mixer);
    if (!std::holds_alternative<spec::None>(layer.channel_mixer)) layer.channel_mixer = spec::SwiGlu{2 * shape.d_model};
  }
  return proxy;
}

}  // namespace plait::proxy
