#pragma once

#include "kernels/sequence/sequence.h"

/// Norms and short convolution by the kernels of sequence_cuda.h; arguments checked by the caller.
namespace plait::kernels {

bool fits_cuda_norm(const at::Tensor& x);
/// The norm of sequence.cpp: x / sqrt(sum x^2 / divisor + eps) * weight * activation(gate), the last two where defined;
/// of dtype `out`, which is x's or bf16 beside fp32.
at::Tensor cuda_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& gate, double divisor, double eps,
                     GateActivation activation, at::ScalarType out);

NormedSum cuda_normed_sum(const at::Tensor& x, const at::Tensor& y, const at::Tensor& weight, double eps,
                          at::ScalarType dtype);

/// Both passes of a gated norm without autograd, gate and d_gate undefined or columns of wider rows of x's dtype: x [M,
/// B, T, H, V], gate [M, B, T, H V], weight [M, V] fp32.
at::Tensor cuda_head_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& gate, double eps);
struct NormGradients {
  at::Tensor dx, weight_parts;  ///< the second to be summed over its second axis; undefined without a weight
};
NormGradients cuda_head_norm_backward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& gate, double eps,
                                      const at::Tensor& dy, const at::Tensor& d_gate);

bool fits_cuda_swiglu(const at::Tensor& u);
at::Tensor cuda_swiglu(const at::Tensor& u);

bool fits_cuda_short_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& history);
at::Tensor cuda_short_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                           ConvActivation activation);

}  // namespace plait::kernels
