#pragma once

#include "kernels/sequence/sequence.h"

/// Norms and short convolution by the loops of rows.h, rows spread over LibTorch's threads; arguments checked by the
/// caller.
namespace plait::kernels {

bool fits_cpu_rows(const at::Tensor& x);  ///< on a CPU, fp32 or fp64

/// x / sqrt(sum x^2 / divisor + eps) * weight * factor, the last two where defined.
at::Tensor cpu_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& factor, double divisor,
                    double eps);

/// short_conv without a history.
at::Tensor cpu_short_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace plait::kernels
