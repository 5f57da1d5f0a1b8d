#pragma once

#include "kernels/sequence/activation.cuh"

/// What a thread of a short convolution holds: kPack channels beside each other, W tokens back.
namespace plait::kernels::cuda {

constexpr int kPack = 4;

template <int W>
struct Taps {
  float weight[W][kPack], bias[kPack];  ///< weight[s] of the token s steps back

  __device__ Taps(const float* weights, const float* biases, std::int64_t channel) {  // counted over members
#pragma unroll
    for (int j = 0; j < kPack; ++j) {
#pragma unroll
      for (int s = 0; s < W; ++s) weight[s][j] = weights[(channel + j) * W + W - 1 - s];
      bias[j] = biases != nullptr ? biases[channel + j] : 0.0f;
    }
  }
  __device__ float apply(const float (&past)[W][kPack], int j) const {
    float z = bias[j];
#pragma unroll
    for (int s = 0; s < W; ++s) z += weight[s][j] * past[s][j];
    return z;
  }
};

/// Moves a window on: [s] becomes s steps back.
template <int W>
__device__ void push(float (&window)[W][kPack]) {
#pragma unroll
  for (int s = W - 1; s > 0; --s) {
#pragma unroll
    for (int j = 0; j < kPack; ++j) window[s][j] = window[s - 1][j];
  }
#pragma unroll
  for (int j = 0; j < kPack; ++j) window[0][j] = 0.0f;
}

/// The tokens before `first`, as if one more were to be pushed.
template <int W, class E>
__device__ void read_past(float (&past)[W][kPack], const E* x, std::int64_t first, std::int64_t row_stride) {
#pragma unroll
  for (int s = 0; s < W; ++s) {
#pragma unroll
    for (int j = 0; j < kPack; ++j) past[s][j] = 0.0f;
    if (s < W - 1 && first - 1 - s >= 0) read(x + (first - 1 - s) * row_stride, past[s]);
  }
}

}  // namespace plait::kernels::cuda
