#pragma once

#include <span>
#include <string_view>
#include <tuple>
#include <variant>

#include "src/spec/field.h"

namespace plait::spec {

/// Gated MLP: gate, up and down projections without bias, 3 d w parameters.
struct SwiGlu {
  Dim width = 5632;

  bool operator==(const SwiGlu&) const = default;
  static constexpr auto fields() { return std::tuple{dim("width", &SwiGlu::width, "hidden width")}; }
};

/// Ungated MLP (squared ReLU or GELU): 2 d w parameters.
struct Mlp {
  Dim width = 8192;

  bool operator==(const Mlp&) const = default;
  static constexpr auto fields() { return std::tuple{dim("width", &Mlp::width, "hidden width")}; }
};

/// Mixture of experts with `active` of `experts` per token, a router of d x experts and an optional shared expert.
/// `latent_width` is the latent MoE of Nemotron 3 Super and Ultra.
struct MoE {
  Dim experts = 64;
  Dim active = 8;
  Dim expert_width = 512;
  Dim shared_width = 0;      ///< 0: no shared expert
  bool gated = true;         ///< SwiGLU experts (3 matrices) or plain ones (2)
  bool shared_gate = false;  ///< a d -> 1 sigmoid gate on the shared expert (Qwen)
  Dim latent_width = 0;      ///< the routed experts work at this width, between two projections of d; 0: at d

  bool operator==(const MoE&) const = default;
  static constexpr auto fields() {
    return std::tuple{
        dim("experts", &MoE::experts, "experts"),
        dim("active", &MoE::active, "experts per token"),
        dim("expert_width", &MoE::expert_width, "hidden width of one expert"),
        dim("shared_width", &MoE::shared_width, "hidden width of the shared expert; 0 is none", 0),
        flag("gated", &MoE::gated, "SwiGLU experts"),
        flag("shared_gate", &MoE::shared_gate, "sigmoid gate on the shared expert"),
        dim("latent_width", &MoE::latent_width, "width the experts work at (latent MoE); 0 is d_model", 0)};
  }
};

/// No channel mixer: the layer is the token mixer alone (Mamba models).
struct None {
  bool operator==(const None&) const = default;
  static constexpr auto fields() { return std::tuple{}; }
};

using ChannelMixer = std::variant<SwiGlu, Mlp, MoE, None>;

/// JSON names in variant order: swiglu, mlp, moe, none.
std::span<const std::string_view, std::variant_size_v<ChannelMixer>> channel_mixer_names();
std::string_view name_of(const ChannelMixer& mixer);

/// SwiGlu of the width that flash-linear-attention derives: 256 ceil(int(d ratio 2/3) / 256).
SwiGlu default_swiglu(Dim d_model, Dim hidden_ratio = 4);

}  // namespace plait::spec
