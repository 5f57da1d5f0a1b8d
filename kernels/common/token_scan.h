#pragma once

#include "kernels/common/scan.h"

namespace plait::kernels {

/// Whether token_scan takes these: on a CPU, with keys of at most recurrence.h's kWidestKey.
bool fits_token_scan(const at::Tensor& k);

/// The program Delta, or L where beta is undefined, token by token on a CPU. Arguments as in gated_delta_rule.h,
/// checked there; computed in fp32 (fp64 for fp64 inputs), heads spread over LibTorch's threads.
Scan token_scan(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                const at::Tensor& beta, const at::Tensor& initial_state, double scale);

}  // namespace plait::kernels
