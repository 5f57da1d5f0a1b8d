#pragma once

#include "kernels/joined_weights/joined_weights.h"
#include "kernels/sequence/delta_inputs.h"

/// A layer of DeltaNet or Gated DeltaNet between its two products, as one operator: what projects its tokens then has
/// one gradient, which three kernels write into, and one product with the weights. Runs on a GPU alone.
namespace plait::kernels {

/// Whether delta_layer takes these.
bool fits_delta_layer(const at::TensorOptions& options, const DeltaShape& shape);

/// u [M, B, T, C] holds the output gate (H V columns, or none), then what delta_inputs takes; filters, joined [M, D, 1,
/// W], a_log and dt_bias as there. The gated delta rule (arXiv 2412.06464) of them, then per head rms_norm with the
/// weight norm [M, V], times swish(gate): [M, B, T, H V]. Differentiable in u and all weights.
at::Tensor delta_layer(const at::Tensor& u, const JoinedWeights& filters, const at::Tensor& a_log,
                       const at::Tensor& dt_bias, const at::Tensor& norm, const DeltaShape& shape, double eps);

}  // namespace plait::kernels
