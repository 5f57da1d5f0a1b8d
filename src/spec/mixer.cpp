#include "src/spec/mixer.h"

#include <algorithm>
#include <stdexcept>

namespace plait::spec {
namespace {

constexpr std::array<MixerInfo, std::variant_size_v<Mixer>> kMixers = {{
    {"full_attention", "full attention", '*', StateKind::grows, "arXiv 1706.03762; GQA arXiv 2305.13245"},
    {"sliding_window_attention", "sliding-window attention", 'S', StateKind::window, "arXiv 2004.05150"},
    {"multi_head_latent_attention", "multi-head latent attention", '+', StateKind::grows, "arXiv 2405.04434"},
    {"retnet", "RetNet", 'R', StateKind::constant, "arXiv 2307.08621"},
    {"gla", "GLA", 'L', StateKind::constant, "arXiv 2312.06635"},
    {"hgrn", "HGRN", 'h', StateKind::constant, "arXiv 2311.04823"},
    {"hgrn2", "HGRN2", 'H', StateKind::constant, "arXiv 2404.07904"},
    {"delta_net", "DeltaNet", 'd', StateKind::constant, "arXiv 2406.06484"},
    {"gated_delta_net", "Gated DeltaNet", 'G', StateKind::constant, "arXiv 2412.06464"},
    {"kimi_delta_attention", "Kimi Delta Attention", 'K', StateKind::constant, "arXiv 2510.26692"},
    {"mamba2", "Mamba-2", 'M', StateKind::constant, "arXiv 2405.21060"},
    {"mlstm", "mLSTM", 'X', StateKind::constant, "arXiv 2405.04517"},
    {"momentum_delta_net", "Momentum DeltaNet", 'N', StateKind::constant, "arXiv 2605.05838"},
    {"parallel", "parallel branches", 'P', StateKind::grows, "arXiv 2411.13676, 2507.22448"},
}};

/// The widest head of at most `width` that divides `total`.
Dim head_dim_for(Dim total, Dim width) {
  for (Dim dim = std::min(total, width); dim > 1; --dim) {
    if (total % dim == 0) return dim;
  }
  return 1;
}

/// The most heads, at most `heads`, that divide both widths.
Dim heads_for(Dim heads, Dim a, Dim b) {
  while (a % heads != 0 || b % heads != 0) --heads;
  return heads;
}

template <class Attention>
Attention default_attention(Dim d_model) {
  Attention attention;
  attention.head_dim = head_dim_for(d_model, 64);
  attention.heads = attention.kv_heads = d_model / attention.head_dim;
  return attention;
}

/// Heads of at most `width`, keys and values as wide as the model.
template <class M>
M square_heads(Dim d_model, Dim width) {
  M mixer;
  mixer.key_head_dim = mixer.value_head_dim = head_dim_for(d_model, width);
  mixer.heads = d_model / mixer.key_head_dim;
  return mixer;
}

StateKind state_of(const SingleMixer& mixer) { return kMixers[mixer.index()].state; }

bool is_full(const SingleMixer& mixer) {
  return std::holds_alternative<FullAttention>(mixer) || std::holds_alternative<MultiHeadLatentAttention>(mixer);
}

}  // namespace

std::span<const MixerInfo, std::variant_size_v<Mixer>> mixer_table() { return kMixers; }

std::optional<std::size_t> find_mixer(std::string_view name) {
  for (std::size_t i = 0; i < kMixers.size(); ++i) {
    if (kMixers[i].name == name) return i;
  }
  return std::nullopt;
}

Mixer default_mixer(std::size_t index, Dim d) {
  if (d < 1) throw std::logic_error("default_mixer: d_model must be positive");
  switch (index) {
    case 0: return default_attention<FullAttention>(d);
    case 1: return default_attention<SlidingWindowAttention>(d);
    case 2: {
      MultiHeadLatentAttention mla;
      mla.heads = std::max<Dim>(1, d / mla.value_dim);
      mla.kv_lora_rank = std::max<Dim>(1, d / 4);
      return mla;
    }
    case 3: {
      RetNet retnet;
      retnet.heads = retnet.kv_heads = heads_for(std::max<Dim>(std::min<Dim>(8, d), d / 256), d, 2 * d);
      retnet.key_head_dim = d / retnet.heads;
      retnet.value_head_dim = 2 * d / retnet.heads;
      return retnet;
    }
    case 4: {
      Gla gla;
      const Dim keys = std::max<Dim>(1, d / 2);
      gla.heads = gla.kv_heads = heads_for(4, keys, d);
      gla.key_head_dim = keys / gla.heads;
      gla.value_head_dim = d / gla.heads;
      return gla;
    }
    case 5: return Hgrn{.width = d};
    case 6: return square_heads<Hgrn2>(d, 128);
    case 7: return square_heads<DeltaNet>(d, 128);
    case 8: {
      auto mixer = square_heads<GatedDeltaNet>(d, 256);
      mixer.value_heads = mixer.heads;
      return mixer;
    }
    case 9: {
      auto mixer = square_heads<KimiDeltaAttention>(d, 128);
      mixer.value_heads = mixer.heads;
      return mixer;
    }
    case 10: {
      Mamba2 mamba;
      mamba.head_dim = head_dim_for(2 * d, 64);
      mamba.heads = 2 * d / mamba.head_dim;
      return mamba;
    }
    case 11: {
      auto mixer = square_heads<MLstm>(d, 512);
      mixer.key_head_dim = std::max<Dim>(1, mixer.value_head_dim / 2);
      return mixer;
    }
    case 12: return square_heads<MomentumDeltaNet>(d, 256);
    case 13: {
      ParallelMixer parallel;
      parallel.branches = {std::get<FullAttention>(default_mixer(0, d)), std::get<Mamba2>(default_mixer(10, d))};
      return parallel;
    }
    default: throw std::logic_error("default_mixer: no such mixer");
  }
}

StateKind state_kind(const Mixer& mixer) {
  const auto* parallel = std::get_if<ParallelMixer>(&mixer);
  if (parallel == nullptr) return kMixers[mixer.index()].state;
  StateKind kind = StateKind::constant;
  for (const SingleMixer& branch : parallel->branches) kind = std::min(kind, state_of(branch));
  return kind;
}

bool is_full_attention(const Mixer& mixer) {
  if (const auto* parallel = std::get_if<ParallelMixer>(&mixer)) {
    return std::ranges::any_of(parallel->branches, is_full);
  }
  return std::holds_alternative<FullAttention>(mixer) || std::holds_alternative<MultiHeadLatentAttention>(mixer);
}

Mixer to_mixer(const SingleMixer& mixer) {
  return std::visit([](const auto& alternative) -> Mixer { return alternative; }, mixer);
}

}  // namespace plait::spec
