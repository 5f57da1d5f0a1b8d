#pragma once

#include <torch/torch.h>

namespace plait::kernels {

/// Rows of a table by member: weight [M, V, D], tokens [M, ...] int64 below V -> [M, ..., D]. Differentiable in the
/// weight; on a GPU its gradient is summed in a fixed order by a kernel where it is fp32 and D is 32, 64, 128 or 256.
at::Tensor embedding(const at::Tensor& weight, const at::Tensor& tokens);

}  // namespace plait::kernels
