#pragma once

#include "kernels/common/entry.cuh"
#include "kernels/gated_delta_rule/gated_delta_rule_cuda.h"

namespace plait::kernels::cuda {

// One source a pass and type: each takes a compiler long enough.
int forward_bf16(const PlaitGatedDeltaRule& p, cudaStream_t stream, const Message& message);
int forward_fp32(const PlaitGatedDeltaRule& p, cudaStream_t stream, const Message& message);
int backward_bf16(const PlaitGatedDeltaRule& p, cudaStream_t stream, const Message& message);
int backward_fp32(const PlaitGatedDeltaRule& p, cudaStream_t stream, const Message& message);

}  // namespace plait::kernels::cuda
