#pragma once

#include <torch/torch.h>

#include <optional>

/// What stands around the recurrences: short convolution, norms and rotary embedding. Weights lead with the population
/// axis M; activations are [M, B, T, ...].
namespace plait::kernels {

enum class ConvActivation { none, silu };

/// Causal depthwise convolution: y_t = activation(sum_j weight[:, W-1-j] x_{t-j} (+ bias)), zero (or `history`) before
/// the start. x [M, B, T, D]; weight [M, D, W]; bias [M, D] or undefined; history, the W-1 tokens before, [M, B, W-1,
/// D] or undefined. Weight and bias may be fp32 beside x of another dtype; they are rounded to x's where no kernel of
/// plait's runs.
at::Tensor short_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {},
                      const at::Tensor& history = {}, ConvActivation activation = ConvActivation::none);

/// x / sqrt(sum x^2 + 1e-6) over the last axis.
at::Tensor l2norm(const at::Tensor& x);

/// RMSNorm over the last axis (arXiv 1910.07467): x / sqrt(mean x^2 + eps) * weight, of `dtype`, by default x's. weight
/// [M, D] for x [M, ..., D].
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps,
                    std::optional<at::ScalarType> dtype = {});

struct NormedSum {
  at::Tensor sum;     ///< of x's dtype
  at::Tensor normed;  ///< of `dtype`
};
/// x + y and its rms_norm: a residual stream x [M, ..., D], fp32 beside y of `dtype`, on its way through a norm. An
/// undefined y is zero.
NormedSum normed_sum(const at::Tensor& x, const at::Tensor& y, const at::Tensor& weight, double eps,
                     at::ScalarType dtype);

/// silu(gate) * up for u = [gate | up], [..., 2 F] -> [..., F] (arXiv 2002.05202).
at::Tensor swiglu(const at::Tensor& u);

enum class GateActivation { swish, sigmoid };

/// rms_norm(x) * activation(gate), x and gate [M, ..., D].
at::Tensor gated_rms_norm(const at::Tensor& x, const at::Tensor& gate, const at::Tensor& weight, double eps,
                          GateActivation activation);

/// Rotary embedding (arXiv 2104.09864) of the first `width` channels, channel i paired with i + width/2, in fp32:
/// x [N, T, H, D], positions first, first + 1, ... ; width 0 is D.
at::Tensor rotary(const at::Tensor& x, double base, std::int64_t first = 0, std::int64_t width = 0);

}  // namespace plait::kernels
