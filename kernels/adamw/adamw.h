#pragma once

#include <torch/torch.h>

#include <vector>

/// AdamW (arXiv 1711.05101) on a GPU for a population whose weights lie in rows, each of one member.
namespace plait::kernels {

/// Whether the functions below take weights like this: fp32, on a GPU, with plait's kernels there.
bool fits_cuda_adamw(const at::Tensor& value);

/// Norms [M] of the rows of each member in the gradients [R_i, W_i], whose rows are counted one after the other;
/// `rows_of_member` [M, n] int64 is filled up with the number of all rows.
at::Tensor cuda_member_norms(const std::vector<at::Tensor>& gradients, const at::Tensor& rows_of_member);

struct AdamWRows {
  at::Tensor value, first, second, gradient;  ///< [R, W]
  at::Tensor weight_decay;                    ///< [R, 1]
  at::Tensor member;                          ///< [R] int64
};
struct AdamWRates {
  double beta1, beta2, eps;
  at::Tensor scale, rate;  ///< [M]
  at::Tensor alive;        ///< [M] bool
  at::Tensor corrections;  ///< [2]
};
/// One step in place, as adamw_cuda.h says.
void cuda_adamw(const AdamWRows& rows, const AdamWRates& rates);

}  // namespace plait::kernels
