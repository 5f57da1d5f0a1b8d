#pragma once

#include "kernels/sequence/delta_inputs.h"
#include "src/nn/mixers/linear_parts.h"

/// What the layers of the delta rule share.
namespace plait::nn {

/// Slots of the state: histories of the three convolutions, then the recurrent state.
inline constexpr std::size_t kScanSlot = 3;

/// q, k and v: projection, short convolution, SiLU, heads; then the l2 norm of q and k, and one copy per value head.
/// The writing strength beta = sigmoid(b_proj x), twice that where eigenvalues below 0 are wanted, and with a scalar
/// gate the log decay g = -exp(A_log) softplus(a_proj x + dt_bias).
class DeltaProjections {
 public:
  DeltaProjections(WeightFactory weights, std::int64_t d_model, const kernels::DeltaShape& shape);

  /// x [G, B, T, d_model]; q and k have Hv heads.
  kernels::DeltaInputs operator()(const at::Tensor& x, LayerState* state) const;

  // For kernels::delta_layer.
  const kernels::DeltaShape& shape() const { return shape_; }
  std::vector<at::Tensor> weights() const;  ///< of q, k, v, a where it decays, and b
  std::vector<at::Tensor> filters() const;  ///< of q, k and v, [G, D, 1, W]
  const at::Tensor& a_log() const { return a_log_; }
  const at::Tensor& dt_bias() const { return dt_bias_; }

 private:
  kernels::DeltaInputs in_one_product(const at::Tensor& x) const;
  kernels::DeltaInputs by_operations(const at::Tensor& x, LayerState* state) const;

  kernels::DeltaShape shape_;
  ConvolvedProjection q_, k_, v_;
  at::Tensor a_, b_, a_log_, dt_bias_;
};

}  // namespace plait::nn
