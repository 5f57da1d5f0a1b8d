#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

#include "src/spec/field.h"

/// Token mixers as plain structs of dimensions. All widths are absolute (heads x head dim), never ratios of d_model, so
/// a mixer means the same wherever it stands; `default_mixer` derives the field's usual dimensions for a given d_model.
/// Equations, parameter shapes and sources: costmodel/README.md.
namespace plait::spec {

enum class QkNorm { none, per_head, full_width };
inline constexpr std::array<std::pair<QkNorm, std::string_view>, 3> enum_names(QkNorm) {
  return {{{QkNorm::none, "none"}, {QkNorm::per_head, "per_head"}, {QkNorm::full_width, "full_width"}}};
}

/// How the branches of a ParallelMixer are joined: `sum` (Falcon-H1), `normed_mean` (Hymba: an RMSNorm per branch).
enum class Fusion { sum, normed_mean };
inline constexpr std::array<std::pair<Fusion, std::string_view>, 2> enum_names(Fusion) {
  return {{{Fusion::sum, "sum"}, {Fusion::normed_mean, "normed_mean"}}};
}

/// What full and sliding-window attention share. `kv_heads` < `heads` is grouped-query attention.
struct SoftmaxAttention {
  Dim heads = 32;
  Dim kv_heads = 32;
  Dim head_dim = 64;
  bool qkv_bias = false;
  QkNorm qk_norm = QkNorm::none;
  bool output_gate = false;     ///< sigmoid gate of the width of q on the output (Qwen3-Next, Qwen3.5)
  double rope_theta = 10000.0;  ///< 0: no rotary embedding (NoPE)
  double rope_fraction = 1.0;   ///< share of head_dim that is rotated

  bool operator==(const SoftmaxAttention&) const = default;
};

template <class Attention>
constexpr auto softmax_attention_fields() {
  return std::tuple{dim<Attention>("heads", &Attention::heads, "query heads"),
                    dim<Attention>("kv_heads", &Attention::kv_heads, "key/value heads; divides heads"),
                    dim<Attention>("head_dim", &Attention::head_dim, "width of one head"),
                    flag<Attention>("qkv_bias", &Attention::qkv_bias, "bias on the q, k, v projections"),
                    choice<Attention, QkNorm>("qk_norm", &Attention::qk_norm, "RMSNorm on q and k"),
                    flag<Attention>("output_gate", &Attention::output_gate, "sigmoid gate on the output"),
                    real<Attention>("rope_theta", &Attention::rope_theta, "rotary base; 0 is no rotary", 0.0, 1e15),
                    real<Attention>("rope_fraction", &Attention::rope_fraction, "rotated share of head_dim", 0.0, 1.0)};
}

/// Causal softmax attention over the whole context (MHA or GQA).
struct FullAttention : SoftmaxAttention {
  bool operator==(const FullAttention&) const = default;
  static constexpr auto fields() { return softmax_attention_fields<FullAttention>(); }
};

/// Causal softmax attention over the last `window` tokens, the current one included.
struct SlidingWindowAttention : SoftmaxAttention {
  Dim window = 2048;

  bool operator==(const SlidingWindowAttention&) const = default;
  static constexpr auto fields() {
    return std::tuple_cat(softmax_attention_fields<SlidingWindowAttention>(),
                          std::tuple{dim("window", &SlidingWindowAttention::window, "tokens seen, itself included")});
  }
};

/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): the cache holds kv_lora_rank + rope_dim per token.
struct MultiHeadLatentAttention {
  Dim heads = 16;
  Dim q_lora_rank = 0;  ///< 0: q is projected directly
  Dim kv_lora_rank = 512;
  Dim nope_dim = 128;
  Dim rope_dim = 64;
  Dim value_dim = 128;

  bool operator==(const MultiHeadLatentAttention&) const = default;
  static constexpr auto fields() {
    using M = MultiHeadLatentAttention;
    return std::tuple{dim("heads", &M::heads, "heads"),
                      dim("q_lora_rank", &M::q_lora_rank, "rank of the query down-projection; 0 is direct", 0),
                      dim("kv_lora_rank", &M::kv_lora_rank, "rank of the key/value down-projection"),
                      dim("nope_dim", &M::nope_dim, "unrotated key width per head"),
                      dim("rope_dim", &M::rope_dim, "rotated key width, shared by all heads", 0),
                      dim("value_dim", &M::value_dim, "value width per head")};
  }
};

/// Retention with a fixed decay per head (RetNet, arXiv 2307.08621).
struct RetNet {
  Dim heads = 8;
  Dim kv_heads = 8;
  Dim key_head_dim = 256;
  Dim value_head_dim = 512;
  Dim conv_width = 0;  ///< 0: no short convolution
  bool output_gate = true;

  bool operator==(const RetNet&) const = default;
  static constexpr auto fields() {
    return std::tuple{dim("heads", &RetNet::heads, "query heads"),
                      dim("kv_heads", &RetNet::kv_heads, "key/value heads; divides heads"),
                      dim("key_head_dim", &RetNet::key_head_dim, "key width per head"),
                      dim("value_head_dim", &RetNet::value_head_dim, "value width per head"),
                      dim("conv_width", &RetNet::conv_width, "short convolution on q, k, v; 0 is none", 0, 64),
                      flag("output_gate", &RetNet::output_gate, "swish gate on the output")};
  }
};

/// Gated linear attention with a low-rank decay per key channel (GLA, arXiv 2312.06635).
struct Gla {
  Dim heads = 4;
  Dim kv_heads = 4;
  Dim key_head_dim = 256;
  Dim value_head_dim = 512;
  Dim gate_rank = 16;
  Dim conv_width = 0;
  bool output_gate = true;

  bool operator==(const Gla&) const = default;
  static constexpr auto fields() {
    return std::tuple{dim("heads", &Gla::heads, "query heads"),
                      dim("kv_heads", &Gla::kv_heads, "key/value heads; divides heads"),
                      dim("key_head_dim", &Gla::key_head_dim, "key width per head"),
                      dim("value_head_dim", &Gla::value_head_dim, "value width per head"),
                      dim("gate_rank", &Gla::gate_rank, "rank of the decay projection"),
                      dim("conv_width", &Gla::conv_width, "short convolution on q, k, v; 0 is none", 0, 64),
                      flag("output_gate", &Gla::output_gate, "swish gate on the output")};
  }
};

/// Elementwise gated recurrence with layer-wise lower bounds (HGRN, arXiv 2311.04823).
struct Hgrn {
  Dim width = 2048;
  Dim conv_width = 0;
  bool lower_bound = true;  ///< the model then holds one learned row of this width for *every* layer

  bool operator==(const Hgrn&) const = default;
  static constexpr auto fields() {
    return std::tuple{dim("width", &Hgrn::width, "recurrent width"),
                      dim("conv_width", &Hgrn::conv_width, "short convolution; 0 is none", 0, 64),
                      flag("lower_bound", &Hgrn::lower_bound, "learned lower bounds of the forget gates")};
  }
};

/// HGRN with an outer-product state (HGRN2, arXiv 2404.07904); key_head_dim is the expansion ratio.
struct Hgrn2 {
  Dim heads = 16;
  Dim key_head_dim = 128;
  Dim value_head_dim = 128;
  Dim conv_width = 0;
  bool lower_bound = true;

  bool operator==(const Hgrn2&) const = default;
  static constexpr auto fields() {
    return std::tuple{dim("heads", &Hgrn2::heads, "heads"),
                      dim("key_head_dim", &Hgrn2::key_head_dim, "key width per head (expansion ratio)"),
                      dim("value_head_dim", &Hgrn2::value_head_dim, "value width per head; heads x this = d_model"),
                      dim("conv_width", &Hgrn2::conv_width, "short convolution; 0 is none", 0, 64),
                      flag("lower_bound", &Hgrn2::lower_bound, "learned lower bounds of the forget gates")};
  }
};

/// Linear attention with the delta rule (DeltaNet, arXiv 2406.06484).
struct DeltaNet {
  Dim heads = 16;
  Dim key_head_dim = 128;
  Dim value_head_dim = 128;
  Dim conv_width = 4;
  bool output_gate = false;
  bool negative_eigenvalues = false;

  bool operator==(const DeltaNet&) const = default;
  static constexpr auto fields() {
    return std::tuple{dim("heads", &DeltaNet::heads, "heads"),
                      dim("key_head_dim", &DeltaNet::key_head_dim, "key width per head"),
                      dim("value_head_dim", &DeltaNet::value_head_dim, "value width per head"),
                      dim("conv_width", &DeltaNet::conv_width, "short convolution on q, k, v; 0 is none", 0, 64),
                      flag("output_gate", &DeltaNet::output_gate, "gate on the output"),
                      flag("negative_eigenvalues", &DeltaNet::negative_eigenvalues, "beta in (0, 2)")};
  }
};

/// Delta rule with a scalar decay per head (Gated DeltaNet, arXiv 2412.06464). `value_heads` > `heads` is grouped
/// value.
struct GatedDeltaNet {
  Dim heads = 8;
  Dim value_heads = 8;
  Dim key_head_dim = 256;
  Dim value_head_dim = 256;
  Dim conv_width = 4;
  bool output_gate = true;
  bool negative_eigenvalues = false;

  bool operator==(const GatedDeltaNet&) const = default;
  static constexpr auto fields() {
    using M = GatedDeltaNet;
    return std::tuple{dim("heads", &M::heads, "query/key heads"),
                      dim("value_heads", &M::value_heads, "value heads; a multiple of heads"),
                      dim("key_head_dim", &M::key_head_dim, "key width per head"),
                      dim("value_head_dim", &M::value_head_dim, "value width per head"),
                      dim("conv_width", &M::conv_width, "short convolution on q, k, v; 0 is none", 0, 64),
                      flag("output_gate", &M::output_gate, "swish gate on the output"),
                      flag("negative_eigenvalues", &M::negative_eigenvalues, "beta in (0, 2)")};
  }
};

/// Gated DeltaNet with a decay per key channel (Kimi Delta Attention, arXiv 2510.26692).
struct KimiDeltaAttention {
  Dim heads = 16;
  Dim value_heads = 16;
  Dim key_head_dim = 128;
  Dim value_head_dim = 128;
  Dim conv_width = 4;
  bool negative_eigenvalues = false;
  double gate_lower_bound = 0.0;  ///< bound of the log decay, in [-5, 0); 0: unbounded

  bool operator==(const KimiDeltaAttention&) const = default;
  static constexpr auto fields() {
    using M = KimiDeltaAttention;
    return std::tuple{dim("heads", &M::heads, "query/key heads"),
                      dim("value_heads", &M::value_heads, "value heads; a multiple of heads"),
                      dim("key_head_dim", &M::key_head_dim, "key width per head"),
                      dim("value_head_dim", &M::value_head_dim, "value width per head"),
                      dim("conv_width", &M::conv_width, "short convolution on q, k, v; 0 is none", 0, 64),
                      flag("negative_eigenvalues", &M::negative_eigenvalues, "beta in (0, 2)"),
                      real("gate_lower_bound", &M::gate_lower_bound, "bound of the log decay; 0 is none", -5.0, 0.0)};
  }
};

/// State-space duality with a scalar decay per head (Mamba-2, arXiv 2405.21060); the inner width is heads x head_dim.
struct Mamba2 {
  Dim heads = 64;
  Dim head_dim = 64;
  Dim state_dim = 128;
  Dim groups = 1;
  Dim conv_width = 4;
  bool conv_bias = true;

  bool operator==(const Mamba2&) const = default;
  static constexpr auto fields() {
    return std::tuple{dim("heads", &Mamba2::heads, "heads"),
                      dim("head_dim", &Mamba2::head_dim, "value width per head"),
                      dim("state_dim", &Mamba2::state_dim, "state width N"),
                      dim("groups", &Mamba2::groups, "groups that share B and C; divides heads"),
                      dim("conv_width", &Mamba2::conv_width, "short convolution on x, B, C", 1, 64),
                      flag("conv_bias", &Mamba2::conv_bias, "bias on the convolution")};
  }
};

/// Matrix LSTM with exponential input gates (xLSTM, arXiv 2405.04517; layer of xLSTM-7B, arXiv 2503.13427).
struct MLstm {
  Dim heads = 8;
  Dim key_head_dim = 128;
  Dim value_head_dim = 256;

  bool operator==(const MLstm&) const = default;
  static constexpr auto fields() {
    return std::tuple{dim("heads", &MLstm::heads, "heads"),
                      dim("key_head_dim", &MLstm::key_head_dim, "key width per head"),
                      dim("value_head_dim", &MLstm::value_head_dim, "value width per head")};
  }
};

/// Gated delta rule with a momentum state (Momentum DeltaNet, arXiv 2605.05838): two states per head.
struct MomentumDeltaNet {
  Dim heads = 8;
  Dim key_head_dim = 256;
  Dim value_head_dim = 256;
  Dim conv_width = 4;
  bool output_gate = true;

  bool operator==(const MomentumDeltaNet&) const = default;
  static constexpr auto fields() {
    using M = MomentumDeltaNet;
    return std::tuple{dim("heads", &M::heads, "heads"), dim("key_head_dim", &M::key_head_dim, "key width per head"),
                      dim("value_head_dim", &M::value_head_dim, "value width per head"),
                      dim("conv_width", &M::conv_width, "short convolution on q, k, v; 0 is none", 0, 64),
                      flag("output_gate", &M::output_gate, "gate on the output")};
  }
};

/// Every mixer that stands alone; also the branches of a ParallelMixer.
using SingleMixer = std::variant<FullAttention, SlidingWindowAttention, MultiHeadLatentAttention, RetNet, Gla, Hgrn,
                                 Hgrn2, DeltaNet, GatedDeltaNet, KimiDeltaAttention, Mamba2, MLstm, MomentumDeltaNet>;

inline constexpr std::size_t kMaxBranches = 16;

/// Intra-layer hybrid: 1 to `kMaxBranches` branches that read the same input and are fused (Hymba arXiv 2411.13676,
/// Falcon-H1 2507.22448).
struct ParallelMixer {
  std::vector<SingleMixer> branches;
  Fusion fusion = Fusion::sum;

  bool operator==(const ParallelMixer&) const = default;
};

using Mixer = std::variant<FullAttention, SlidingWindowAttention, MultiHeadLatentAttention, RetNet, Gla, Hgrn, Hgrn2,
                           DeltaNet, GatedDeltaNet, KimiDeltaAttention, Mamba2, MLstm, MomentumDeltaNet, ParallelMixer>;

/// How a mixer's decoding state depends on the context: `grows` with it, is capped by a `window`, or is `constant`.
enum class StateKind { grows, window, constant };

struct MixerInfo {
  std::string_view name;   ///< as in JSON and on the command line
  std::string_view label;  ///< as in the literature
  char letter;             ///< in the layout notation; Megatron's where it has one
  StateKind state;         ///< of a ParallelMixer: the fastest-growing branch decides (see `state_kind`)
  std::string_view source;
};

/// One row per alternative of `Mixer`, in its order.
std::span<const MixerInfo, std::variant_size_v<Mixer>> mixer_table();

template <class M>
const MixerInfo& mixer_info(const M& mixer);  // M: an alternative, SingleMixer or Mixer

/// Row index of `name`, or nothing.
std::optional<std::size_t> find_mixer(std::string_view name);

/// The mixer at `index` of the table with the field's usual dimensions for `d_model` (the class defaults of
/// flash-linear-attention where it has the mixer; Gated DeltaNet as in arXiv 2507.06457: heads of 256, expand_v 1).
/// The index of ParallelMixer gives FullAttention and Mamba2 side by side.
Mixer default_mixer(std::size_t index, Dim d_model);

/// Softmax attention over all or part of the context keeps keys and values; everything else keeps a fixed state.
StateKind state_kind(const Mixer& mixer);

/// True for FullAttention and MultiHeadLatentAttention, and for a ParallelMixer with such a branch: the layers that a
/// hybrid's ratio counts as "full".
bool is_full_attention(const Mixer& mixer);

Mixer to_mixer(const SingleMixer& mixer);

// --- implementation ---

namespace detail {
template <class T, class Variant>
struct IndexOf;
template <class T, class... Ts>
struct IndexOf<T, std::variant<T, Ts...>> : std::integral_constant<std::size_t, 0> {};
template <class T, class U, class... Ts>
struct IndexOf<T, std::variant<U, Ts...>>
    : std::integral_constant<std::size_t, 1 + IndexOf<T, std::variant<Ts...>>::value> {};
}  // namespace detail

template <class M>
const MixerInfo& mixer_info(const M& mixer) {
  if constexpr (std::is_same_v<M, Mixer> || std::is_same_v<M, SingleMixer>) {
    return mixer_table()[mixer.index()];  // SingleMixer lists the same alternatives in the same order
  } else {
    return mixer_table()[detail::IndexOf<M, Mixer>::value];
  }
}

}  // namespace plait::spec
