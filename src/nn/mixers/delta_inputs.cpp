#include "src/nn/mixers/delta_inputs.h"

namespace plait::nn {

DeltaProjections::DeltaProjections(WeightFactory weights, std::int64_t d_model, std::int64_t keys, std::int64_t values,
                                   std::int64_t conv_width)
    : q_(weights, "q", keys, d_model, conv_width),
      k_(weights, "k", keys, d_model, conv_width),
      v_(weights, "v", values, d_model, conv_width) {}

DeltaInputs DeltaProjections::operator()(const at::Tensor& x, std::int64_t heads, std::int64_t value_heads,
                                         LayerState* state) const {
  // SiLU even without a convolution, unlike in the linear mixers
  const auto activated = [&](const ConvolvedProjection& projection, std::size_t slot) {
    const at::Tensor y = projection.activated(x, state, slot);
    return projection.has_convolution() ? y : at::silu(y);
  };
  const at::Tensor q = kernels::l2norm(split_heads(activated(q_, 0), heads));
  const at::Tensor k = kernels::l2norm(split_heads(activated(k_, 1), heads));
  return {repeat_heads(q, value_heads), repeat_heads(k, value_heads), split_heads(activated(v_, 2), value_heads)};
}

at::Tensor write_strength(const at::Tensor& b, bool negative_eigenvalues) {
  const at::Tensor beta = at::sigmoid(fold_members(b));
  return negative_eigenvalues ? 2 * beta : beta;
}

}  // namespace plait::nn
