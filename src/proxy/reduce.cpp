#include "src/proxy/reduce.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <variant>
#include <vector>

namespace plait::proxy {
namespace {

using spec::Dim;

/// Shares `seats` out over counts, by largest remainder (the earlier one where they tie).
std::vector<std::size_t> apportion(const std::vector<std::size_t>& counts, std::size_t seats) {
  const std::size_t total = std::accumulate(counts.begin(), counts.end(), std::size_t{0});
  std::vector<std::size_t> out(counts.size()), order(counts.size());
  if (total == 0) return out;
  for (std::size_t i = 0; i < counts.size(); ++i) out[i] = counts[i] * seats / total;
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return counts[i] * seats % total; });
  const std::size_t given = std::accumulate(out.begin(), out.end(), std::size_t{0});
  for (std::size_t i = 0; i < seats - given; ++i) ++out[order[i]];
  return out;
}

/// The layers of each mixer that occurs, in the order in which they first stand.
using Kinds = std::vector<std::vector<std::size_t>>;

std::vector<std::size_t> sizes(const Kinds& kinds) {
  std::vector<std::size_t> out;
  for (const auto& layers : kinds) out.push_back(layers.size());
  return out;
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
  spec::Layout reduced;
  if (layers == 0 || depth == 0) return reduced;
  const auto is_full = [&](std::size_t i) { return spec::is_full_attention(layout.layers[i].mixer); };
  std::vector<std::size_t> kept;
  if (depth <= layers) {
    kept.resize(depth);
    std::iota(kept.begin(), kept.end(), std::size_t{0});
  } else {
    Kinds full, other;
    for (std::size_t i = 0; i < depth; ++i) {
      Kinds& kinds = is_full(i) ? full : other;
      const auto kind = std::ranges::find_if(
          kinds, [&](const auto& same) { return layout.layers[same.front()].mixer == layout.layers[i].mixer; });
      (kind == kinds.end() ? kinds.emplace_back() : *kind).push_back(i);
    }
    const std::size_t full_count = spec::count_full(layout);
    std::size_t seats = (2 * full_count * layers + depth) / (2 * depth);  // rounded
    if (!full.empty()) seats = std::max<std::size_t>(seats, 1);
    if (!other.empty()) seats = std::min(seats, layers - 1);

    // A mixer that keeps k of its n layers stands for k runs of n / k of them, each by its last one: a hybrid's period
    // (GGG*) stays what it is. Where attention stands first, by its first one, for the same reason.
    const bool first_is_full = is_full(0);
    const auto keep = [&](const Kinds& kinds, std::size_t seats_of_all) {
      const std::vector<std::size_t> share = apportion(sizes(kinds), seats_of_all);
      for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        const std::size_t n = kinds[kind].size(), k = share[kind];
        for (std::size_t i = 0; i < k; ++i)
          kept.push_back(kinds[kind][first_is_full ? i * n / k : ((i + 1) * n + k - 1) / k - 1]);
      }
    };
    keep(full, seats);
    keep(other, layers - seats);
    std::ranges::sort(kept);
    // Whether attention stands first decides more than anything else (proxies with it first do not learn).
    const auto first = std::ranges::find_if(kept, [&](std::size_t i) { return is_full(i) == first_is_full; });
    if (first != kept.end()) std::rotate(kept.begin(), first, first + 1);
  }
  for (const std::size_t i : kept) {
    reduced.layers.push_back(layout.layers[i]);
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
    std::visit(Shrink{shape, length, model.max_position}, layer.mixer);
    if (!std::holds_alternative<spec::None>(layer.channel_mixer)) layer.channel_mixer = spec::SwiGlu{2 * shape.d_model};
  }
  return proxy;
}

}  // namespace plait::proxy
