#pragma once

#include "kernels/common/entry.cuh"
#include "kernels/common/fragment.cuh"
#include "kernels/linear_attention/linear_attention_cuda.h"

namespace plait::kernels::cuda::linear {

/// Tokens between two checkpoints of the state, which the backward pass starts from: as many as its shared memory
/// holds.
template <class E, int K, int V, bool kByChannel>
constexpr int checkpoint_tokens() {
  if (sizeof(E) == 4) return K * V <= 64 * 64 ? 32 : 16;
  return K * V <= 64 * 64 && !kByChannel ? 64 : 32;
}

inline bool by_channel(const PlaitLinearAttention& p) { return p.g && p.gate_dim != 1; }

/// f.template operator()<E, K, V, kByChannel>() for the arguments, which have been checked.
template <class E, class F>
auto with_shape(const PlaitLinearAttention& p, F f) {
  return with_dims<E>(p, [&]<class, int K, int V>() {
    return by_channel(p) ? f.template operator()<E, K, V, true>() : f.template operator()<E, K, V, false>();
  });
}

// One source a pass and type: each takes a compiler long enough.
int forward_bf16(const PlaitLinearAttention& p, cudaStream_t stream, const Message& message);
int forward_fp32(const PlaitLinearAttention& p, cudaStream_t stream, const Message& message);
int backward_bf16(const PlaitLinearAttention& p, cudaStream_t stream, const Message& message);
int backward_fp32(const PlaitLinearAttention& p, cudaStream_t stream, const Message& message);

}  // namespace plait::kernels::cuda::linear
