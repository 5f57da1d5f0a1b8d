#pragma once

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.cuh"
#include "kernels/sequence/sequence_cuda.h"

namespace plait::kernels::cuda {

__device__ inline float sigmoid(float x) { return inverse(1.0f + power_of_two(-kLog2E * x)); }

struct Activated {
  float value, slope;
};
__device__ inline Activated activated(PlaitActivation activation, float z) {
  if (activation == PLAIT_NO_ACTIVATION) return {z, 1.0f};
  const float s = sigmoid(z), other = 1.0f - s;
  if (activation == PLAIT_SIGMOID) return {s, s * other};
  return {z * s, s + z * s * other};
}

constexpr std::int64_t kMultiprocessors = 132;  // of a large GPU
constexpr std::int64_t kBlocksWanted = 8 * kMultiprocessors;

inline std::int64_t divide_up(std::int64_t x, std::int64_t by) { return (x + by - 1) / by; }

}  // namespace plait::kernels::cuda
