#include "src/nn/mixers/delta_inputs.h"

namespace plait::nn {

DeltaProjections::DeltaProjections(WeightFactory weights, std::int64_t d_model, std::int64_t keys, std::int64_t values,
                                   std::int64_t conv_width)
    : q_(weights.linear("q_proj.weight", keys, d_model)),
      k_(weights.linear("k_proj.weight", keys, d_model)),
      v_(weights.linear("v_proj.weight", values, d_model)),
      q_conv_(weights.convolution("q_conv1d.weight", keys, conv_width)),
      k_conv_(weights.convolution("k_conv1d.weight", keys, conv_width)),
      v_conv_(weights.convolution("v_conv1d.weight", values, conv_width)) {}

DeltaInputs DeltaProjections::operator()(const at::Tensor& x, std::int64_t heads, std::int64_t value_heads,
                                         LayerState* state) const {
  const auto activated = [&](const at::Tensor& weight, const at::Tensor& conv, std::size_t slot) {
    const at::Tensor y = project(x, weight);
    return conv.defined() ? continued_conv(y, conv, {}, state, slot, kernels::ConvActivation::silu) : at::silu(y);
  };
  const at::Tensor q = kernels::l2norm(split_heads(activated(q_, q_conv_, 0), heads));
  const at::Tensor k = kernels::l2norm(split_heads(activated(k_, k_conv_, 1), heads));
  return {repeat_heads(q, value_heads), repeat_heads(k, value_heads),
          split_heads(activated(v_, v_conv_, 2), value_heads)};
}

at::Tensor write_strength(const at::Tensor& b, bool negative_eigenvalues) {
  const at::Tensor beta = at::sigmoid(fold_members(b));
  return negative_eigenvalues ? 2 * beta : beta;
}

}  // namespace plait::nn
