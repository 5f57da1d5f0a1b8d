#pragma once

#include "src/nn/mixers/linear_parts.h"

/// What the layers of the delta rule share.
namespace plait::nn {

struct DeltaInputs {
  at::Tensor q, k, v;  // [G * B, T, Hv, K], q and k of unit length; v [G * B, T, Hv, V]
};

/// Slots of the state: histories of the three convolutions, then the recurrent state.
inline constexpr std::size_t kScanSlot = 3;

/// q, k and v: projection, short convolution, SiLU, heads; then the l2 norm of q and k, and one copy per value head.
class DeltaProjections {
 public:
  DeltaProjections(WeightFactory weights, std::int64_t d_model, std::int64_t keys, std::int64_t values,
                   std::int64_t conv_width);

  DeltaInputs operator()(const at::Tensor& x, std::int64_t heads, std::int64_t value_heads, LayerState* state) const;

 private:
  ConvolvedProjection q_, k_, v_;
};

/// beta = sigmoid(b), twice that where eigenvalues below 0 are wanted: b [G, B, T, H] -> [G * B, T, H].
at::Tensor write_strength(const at::Tensor& b, bool negative_eigenvalues);

}  // namespace plait::nn
