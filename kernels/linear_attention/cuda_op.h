#pragma once

#include "kernels/common/scan.h"

namespace plait::kernels {

/// linear_attention on a GPU by the kernel of linear_attention_cuda.h, for what head_dims_refusal does not refuse;
/// arguments checked by the caller. Head dims are filled up with zeros to 32, 64 or 128; gates are fp32. Throws
/// std::runtime_error with the call that failed.
Scan linear_attention_cuda(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                           const at::Tensor& initial_state, double scale);

}  // namespace plait::kernels
