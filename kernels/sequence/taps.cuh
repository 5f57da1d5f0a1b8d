#pragma once

#include "kernels/sequence/activation.cuh"

/// What a thread of a short convolution holds: kPack channels beside each other, a ring of kRing tokens. Loops over
/// tokens are unrolled by kRing, so that the places of the ring are registers.
namespace plait::kernels::cuda {

constexpr int kPack = 4;
constexpr int kRing = 4;  // no convolution is wider

/// The token s steps back from the one at `place`.
__device__ constexpr int back(int place, int s) { return (place - s) & (kRing - 1); }

using Window = float[kRing][kPack];

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
  __device__ float apply(const Window& past, int place, int j) const {
    float z = bias[j];
#pragma unroll
    for (int s = 0; s < W; ++s) z += weight[s][j] * past[back(place, s)][j];
    return z;
  }
  /// The gradient of the token W - 1 steps back, from those of the results.
  __device__ float gradient(const Window& dz, int place, int j) const {
    float d = 0.0f;
#pragma unroll
    for (int s = 0; s < W; ++s) d += weight[s][j] * dz[back(place, W - 1 - s)][j];
    return d;
  }
};

/// The tokens before `first`, which comes to place 0.
template <int W, class E>
__device__ void read_past(Window& past, const E* x, std::int64_t first, std::int64_t row_stride) {
#pragma unroll
  for (int s = 1; s <= kRing; ++s) {
#pragma unroll
    for (int j = 0; j < kPack; ++j) past[back(0, s)][j] = 0.0f;
    if (s < W && first >= s) read(x + (first - s) * row_stride, past[back(0, s)]);
  }
}

}  // namespace plait::kernels::cuda
