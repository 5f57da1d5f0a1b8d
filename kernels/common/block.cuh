#pragma once

namespace plait::kernels::cuda {

/// joined(x, y) over the kThreads threads of a block, or over each warp where that is 32, in a fixed order; the result
/// in every thread.
template <int kThreads, class T, class Join>
__device__ T over_threads(T x, Join joined) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) x = joined(x, __shfl_xor_sync(0xffffffffu, x, step));
  if constexpr (kThreads > 32) {
    __shared__ T parts[kThreads / 32];
    __syncthreads();  // parts may still be read from before
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
    __syncthreads();
    x = parts[0];
    for (int w = 1; w < kThreads / 32; ++w) x = joined(x, parts[w]);
  }
  return x;
}

template <int kThreads>
__device__ float sum_over_threads(float x) {
  return over_threads<kThreads>(x, [](float a, float b) { return a + b; });
}

}  // namespace plait::kernels::cuda
