#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <span>
#include <vector>

/// AdamW (arXiv 1711.05101) on a GPU for a population whose weights lie in rows, each of one member.
namespace plait::kernels {

/// Whether the functions below take weights like this: fp32, on a GPU, with plait's kernels there.
bool fits_cuda_adamw(const at::Tensor& value);

constexpr std::int64_t kGradientRun = 8192;  ///< numbers that a run has at most

/// Where the gradients of a buffer go, in runs that are of one member and one gradient.
struct GradientRuns {
  at::Tensor table;                    ///< [n, 4] int64: gradient, begin there, begin in the buffer, count
  std::vector<std::int64_t> first_of;  ///< the first run of each gradient, and n
};

/// Copies gradients (dense fp32 or undefined, which is zero) into their buffers and gives the norms [M] of each
/// member's runs. `runs_of_member` [M, most] int64 counts the runs of all buffers one after the other; -1 is none.
at::Tensor cuda_take_gradients(std::span<const GradientRuns> runs, std::span<const std::vector<at::Tensor>> gradients,
                               std::span<const at::Tensor> to, const at::Tensor& runs_of_member);

struct StepRates {
  at::Tensor scale, rate;  ///< [M]
};
/// What a step still asks after its gradients' norms, all [M] but factor, [1]: alive becomes false where loss + norm is
/// not finite; loss_sum grows by loss; scale = min(clip / (norm + 1e-6), 1); rate = learning_rate factor. On any
/// device.
StepRates step_rates(const at::Tensor& loss, const at::Tensor& norm, double clip, const at::Tensor& learning_rate,
                     const at::Tensor& factor, at::Tensor& alive, at::Tensor& loss_sum);

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
