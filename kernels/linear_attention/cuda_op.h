#pragma once

#include <string>

#include "kernels/common/scan.h"

namespace plait::kernels {

/// Why plait's CUDA kernel does not take these, in words; empty when it does. `g` may be undefined.
std::string linear_attention_cuda_refusal(const at::Tensor& k, const at::Tensor& v, const at::Tensor& g);

/// linear_attention on a GPU by the kernel of linear_attention_cuda.h; arguments checked by the caller. Head dims are
/// filled up with zeros to 32, 64 or 128; gates are fp32. Throws std::runtime_error with the call that failed.
Scan linear_attention_cuda(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                           const at::Tensor& initial_state, double scale);

}  // namespace plait::kernels
