#include "src/nn/mixers/linear_parts.h"

#include "kernels/linear_attention/linear_attention.h"

namespace plait::nn {

ConvolvedProjection::ConvolvedProjection(WeightFactory& weights, const std::string& name, std::int64_t out,
                                         std::int64_t in, std::int64_t conv_width)
    : weight_(weights.linear(name + "_proj.weight", out, in)),
      conv_(weights.convolution(name + "_conv1d.weight", out, conv_width)) {}

at::Tensor ConvolvedProjection::operator()(const at::Tensor& x, LayerState* state, std::size_t slot) const {
  const at::Tensor y = project(x, weight_);
  return conv_.defined() ? continued_conv(y, conv_, {}, state, slot) : y;
}

at::Tensor ConvolvedProjection::activated(const at::Tensor& x, LayerState* state, std::size_t slot) const {
  const at::Tensor y = project(x, weight_);
  return conv_.defined() ? continued_conv(y, conv_, {}, state, slot, kernels::ConvActivation::silu) : y;
}

NormedOutput::NormedOutput(WeightFactory& weights, const LayerSite& site, const std::string& norm, std::int64_t heads,
                           std::int64_t value_head_dim, bool gated)
    : heads_(heads),
      eps_(site.norm_eps),
      gate_(gated ? weights.linear("g_proj.weight", heads * value_head_dim, site.d_model) : at::Tensor()),
      norm_(weights.vector(norm, value_head_dim, constant(1))),
      o_(weights.joined({weights.linear("o_proj.weight", site.d_model, heads * value_head_dim)})) {}

at::Tensor NormedOutput::operator()(const at::Tensor& output, const at::Tensor& x) const {
  const at::Tensor normed = gate_.defined() ? gated_head_norm(output, split_heads(project(x, gate_), heads_), norm_,
                                                              eps_, kernels::GateActivation::swish)
                                            : head_norm(output, norm_, eps_);
  return projected(merge_heads(normed, x.size(0)));
}

std::string linear_attention_scan_path(std::int64_t key_dim, std::int64_t value_dim, bool channel_gates,
                                       const at::TensorOptions& options) {
  const at::Tensor k = at::empty({1, 1, 1, key_dim}, options);
  return "linear attention: " + kernels::linear_attention_path(k, at::empty({1, 1, 1, value_dim}, options),
                                                               channel_gates ? k : at::empty({1, 1, 1}, options));
}

}  // namespace plait::nn
