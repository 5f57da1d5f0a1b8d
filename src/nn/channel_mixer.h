#pragma once

#include <functional>

#include "src/nn/layer.h"
#include "src/spec/channel_mixer.h"

namespace plait::nn {

/// [G, B, T, d_model] -> the same.
using ChannelLayer = std::function<at::Tensor(const at::Tensor& x)>;

/// The channel mixer of one group; empty for None. SwiGlu: down(silu(gate x) * up x), as in the library; Mlp:
/// down(relu(up x)^2) (arXiv 2109.08668); MoE: the `active` experts with the highest router logits, weighted by the
/// softmax over them (over all for a single one), and the shared expert if there is one. Every expert computes every
/// token and the others are masked: exact, without host syncs, at experts / active times the work. Weights of the
/// experts are stacked: "experts.up_proj.weight" [experts, expert_width, d_model].
ChannelLayer make_channel_mixer(const spec::ChannelMixer& mixer, WeightFactory weights, std::int64_t d_model);

}  // namespace plait::nn
