#pragma once

#include "kernels/common/launch.cuh"
#include "kernels/gated_delta_rule/gated_delta_rule_cuda.h"

namespace plait::kernels::cuda {

/// f.template operator()<E, K, V>() for the head dims of the arguments, which have been checked.
template <class E, class F>
auto with_dims(const PlaitGatedDeltaRule& p, F f) {
  const auto with_v = [&]<int K>() {
    if (p.value_dim == 32) return f.template operator()<E, K, 32>();
    if (p.value_dim == 64) return f.template operator()<E, K, 64>();
    return f.template operator()<E, K, 128>();
  };
  if (p.key_dim == 32) return with_v.template operator()<32>();
  if (p.key_dim == 64) return with_v.template operator()<64>();
  return with_v.template operator()<128>();
}

// One source a pass and type: each takes a compiler long enough.
int forward_bf16(const PlaitGatedDeltaRule& p, cudaStream_t stream, const Message& message);
int forward_fp32(const PlaitGatedDeltaRule& p, cudaStream_t stream, const Message& message);
int backward_bf16(const PlaitGatedDeltaRule& p, cudaStream_t stream, const Message& message);
int backward_fp32(const PlaitGatedDeltaRule& p, cudaStream_t stream, const Message& message);

}  // namespace plait::kernels::cuda
