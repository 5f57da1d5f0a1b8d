#pragma once

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.cuh"
#include "kernels/sequence/sequence_cuda.h"

namespace plait::kernels::cuda {

__device__ inline float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }

/// The activation of z and its derivative.
__device__ inline float activated(PlaitActivation activation, float z) {
  if (activation == PLAIT_NO_ACTIVATION) return z;
  return activation == PLAIT_SWISH ? z * sigmoid(z) : sigmoid(z);
}
__device__ inline float slope(PlaitActivation activation, float z) {
  if (activation == PLAIT_NO_ACTIVATION) return 1.0f;
  const float s = sigmoid(z);
  return activation == PLAIT_SWISH ? s * (1.0f + z * (1.0f - s)) : s * (1.0f - s);
}

constexpr std::int64_t kBlocksWanted = 132 * 8;  // a few on every multiprocessor of a large GPU

inline std::int64_t divide_up(std::int64_t x, std::int64_t by) { return (x + by - 1) / by; }

}  // namespace plait::kernels::cuda
