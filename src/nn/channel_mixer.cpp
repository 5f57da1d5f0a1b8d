#include "src/nn/channel_mixer.h"

#include <variant>

namespace plait::nn {
namespace {

at::Tensor squared_relu(const at::Tensor& x) { return at::relu(x).square(); }

ChannelLayer make(const spec::SwiGlu& mixer, WeightFactory weights, std::int64_t d_model) {
  const at::Tensor gate = weights.linear("gate_proj.weight", mixer.width, d_model);
  const at::Tensor up = weights.linear("up_proj.weight", mixer.width, d_model);
  const kernels::JoinedWeights both = weights.joined({gate, up}),
                               down = weights.joined({weights.linear("down_proj.weight", d_model, mixer.width)});
  return [=](const at::Tensor& x) {
    if (x.is_cuda()) return project(kernels::swiglu(project(x, both)), down);
    return project(at::silu(project(x, gate)) * project(x, up), down);
  };
}

ChannelLayer make(const spec::Mlp& mixer, WeightFactory weights, std::int64_t d_model) {
  const at::Tensor up = weights.linear("up_proj.weight", mixer.width, d_model);
  const kernels::JoinedWeights down = weights.joined({weights.linear("down_proj.weight", d_model, mixer.width)});
  return [=](const at::Tensor& x) { return project(squared_relu(project(x, up)), down); };
}

ChannelLayer make_dense(bool gated, std::int64_t width, WeightFactory weights, std::int64_t d_model) {
  return gated ? make(spec::SwiGlu{width}, weights, d_model) : make(spec::Mlp{width}, weights, d_model);
}

ChannelLayer make(const spec::MoE& mixer, WeightFactory weights, std::int64_t d_model) {
  const std::int64_t experts = mixer.experts, width = mixer.expert_width, active = mixer.active;
  const at::Tensor router = weights.linear("gate.weight", experts, d_model);
  at::Tensor gate;
  if (mixer.gated) gate = weights.add("experts.gate_proj.weight", {experts, width, d_model}, normal(0.02));
  const at::Tensor up = weights.add("experts.up_proj.weight", {experts, width, d_model}, normal(0.02));
  const at::Tensor down = weights.add("experts.down_proj.weight", {experts, d_model, width}, normal(0.02));
  ChannelLayer shared;
  at::Tensor shared_gate;
  if (mixer.shared_width > 0) {
    shared = make_dense(mixer.gated, mixer.shared_width, weights.below("shared_expert"), d_model);
    if (mixer.shared_gate) shared_gate = weights.linear("shared_expert_gate.weight", 1, d_model);
  }
  return [=](const at::Tensor& x) {
    const at::Tensor scores = in_full_precision(project(x, router));
    const auto [logits, chosen] = scores.topk(active, -1);
    // One expert alone has share 1 whatever the router says, which would not train it: then its share of all.
    const at::Tensor weight = active > 1 ? logits.softmax(-1) : scores.softmax(-1).gather(-1, chosen);
    const at::Tensor shares = at::zeros_like(scores).scatter(-1, chosen, weight);
    // All experts as one wide layer, [G, B, T, experts * width].
    const at::Tensor upward = project(x, up.flatten(1, 2));
    const at::Tensor hidden = gate.defined() ? at::silu(project(x, gate.flatten(1, 2))) * upward : squared_relu(upward);
    const at::Tensor masked = hidden.unflatten(-1, {experts, width}) * shares.to(x.scalar_type()).unsqueeze(-1);
    at::Tensor y = project(masked.flatten(-2), down.transpose(1, 2).flatten(2));
    if (shared) {
      const at::Tensor common = shared(x);
      y = y + (shared_gate.defined() ? common * at::sigmoid(project(x, shared_gate)) : common);
    }
    return y;
  };
}

ChannelLayer make(const spec::None&, const WeightFactory&, std::int64_t) { return {}; }

}  // namespace

ChannelLayer make_channel_mixer(const spec::ChannelMixer& mixer, WeightFactory weights, std::int64_t d_model) {
  return std::visit([&](const auto& alternative) { return make(alternative, weights, d_model); }, mixer);
}

}  // namespace plait::nn
