#pragma once

#include <type_traits>

#include "kernels/common/cuda_types.h"
#include "kernels/common/tile.cuh"

/// What the kernels of recurrences share that walk through a head in chunks of 16 tokens, with a state [K, V]: gates
/// of one number a head and token, slices of the state, and their checkpoints.
namespace plait::kernels::cuda {

inline constexpr int kChunk = 16;

/// Rows of V that a warp owns: its slice of the state is S^T [16, K].
inline constexpr int kSlice = 16;

/// Per token, in shared memory. Differences of G after gates of -60 leave fp32 inputs too few digits.
template <class E>
struct Gates {
  using Sum = std::conditional_t<sizeof(E) == 4, double, float>;
  static constexpr int kBytes = static_cast<int>(sizeof(Sum)) + 12;
  static constexpr float kUnit = sizeof(E) == 4 ? 1.0f : 1.442695041f;  ///< of exponents: bf16 works in powers of 2
  Sum* sum;                                                             ///< G, times kUnit
  float* decay;                                                         ///< e^G
  float* rest;                                                          ///< e^(G_last - G)
  float* weight;                                                        ///< beta, if there is one

  /// Of the tokens from one on.
  __device__ __forceinline__ Gates at(int token) const {
    return {sum + token, decay + token, rest + token, weight ? weight + token : nullptr};
  }
};

/// e^x of x in units of Gates::kUnit.
template <class E>
__device__ __forceinline__ float decay_of(float exponent) {
  if constexpr (sizeof(E) == 4) return expf(exponent);
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(exponent));
  return y;
}

/// Element of an array of either type, as its bits: a conversion would wait for the load. 0 is the number 0.
__device__ __forceinline__ std::uint32_t load_gate(const void* from, PlaitDataType type, std::int64_t index) {
  if (type == PLAIT_BFLOAT16) return static_cast<const std::uint16_t*>(from)[index];
  return static_cast<const std::uint32_t*>(from)[index];
}
__device__ __forceinline__ float gate_of(std::uint32_t bits, PlaitDataType type) {
  return __uint_as_float(type == PLAIT_BFLOAT16 ? bits << 16 : bits);
}
__device__ __forceinline__ void store_gate(void* to, PlaitDataType type, std::int64_t index, float value) {
  if (type == PLAIT_BFLOAT16) {
    static_cast<Bf16*>(to)[index] = __float2bfloat16(value);
  } else {
    static_cast<float*>(to)[index] = value;
  }
}

/// Turns the raw g, and beta if there is one, of a chunk's tokens into its Gates. By a whole warp.
template <class E>
__device__ __forceinline__ void sum_gates(const Gates<E>& gates, const float* raw_g, const float* raw_beta) {
  const int lane = lane_id(), t = lane & 15;
  typename Gates<E>::Sum sum = Gates<E>::kUnit * raw_g[t];
  const float weight = raw_beta ? raw_beta[t] : 1.0f;
#pragma unroll
  for (int d = 1; d < kChunk; d *= 2) {
    const auto before = __shfl_up_sync(0xffffffffu, sum, d, 16);
    if ((lane & 15) >= d) sum += before;
  }
  const auto last = __shfl_sync(0xffffffffu, sum, 15, 16);
  __syncwarp();
  if (lane < 16) {
    gates.sum[t] = sum;
    gates.decay[t] = decay_of<E>(static_cast<float>(sum));
    gates.rest[t] = decay_of<E>(static_cast<float>(last - sum));
    if (raw_beta) gates.weight[t] = weight;
  }
  __syncwarp();
}

/// The sum over this and later tokens of a chunk, whose tokens the lanes of a half warp have in order.
__device__ __forceinline__ float sum_onwards(float x, int in_chunk) {
#pragma unroll
  for (int d = 1; d < kChunk; d *= 2) {
    const float after = __shfl_down_sync(0xffffffffu, x, d, kChunk);
    if (in_chunk + d < kChunk) x += after;
  }
  return x;
}

/// -|G_i - G_j|: serves both triangles of a chunk, and never makes an exponent above 0.
template <class E>
__device__ __forceinline__ float gate_distance(const Gates<E>& gates, int i, int j) {
  return -fabsf(static_cast<float>(gates.sum[i] - gates.sum[j]));
}

/// A column factor of an accumulator whose columns are tokens.
struct Columns {
  float x[4];
  __device__ __forceinline__ float operator[](int i) const { return x[(i & 1) + 2 * (i >> 2)]; }
};
__device__ __forceinline__ Columns load_columns(const float* per_token) {
  const float* from = per_token + 2 * (lane_id() & 3);
  const float2 a = *reinterpret_cast<const float2*>(from), b = *reinterpret_cast<const float2*>(from + 8);
  return {{a.x, a.y, b.x, b.y}};
}

/// The slice of a state [K, V] of columns v..v+15, transposed, from and to device memory.
template <int K, int V>
__device__ __forceinline__ void load_state(Acc (&state)[K / 16], const float* from, int v) {
#pragma unroll
  for (int c = 0; c < K / 16; ++c) {
#pragma unroll
    for (int i = 0; i < 8; ++i) state[c].x[i] = from ? from[(16 * c + acc_col(i)) * V + v + acc_row(i)] : 0.0f;
  }
}
template <int K, int V>
__device__ __forceinline__ void store_state(const Acc (&state)[K / 16], float* to, int v) {
#pragma unroll
  for (int c = 0; c < K / 16; ++c) {
#pragma unroll
    for (int i = 0; i < 8; ++i) to[(16 * c + acc_col(i)) * V + v + acc_row(i)] = state[c].x[i];
  }
}

/// Checkpoint c of a head's sequence, of warp w: K/16 operands. [N*H, checkpoints, V/16, K/16] of them.
template <class E, int K, int V>
__device__ __forceinline__ Operand<E>* checkpoint(void* workspace, std::int64_t head, int checkpoints, int c,
                                                  int warp) {
  constexpr int kLanes = 32;
  return static_cast<Operand<E>*>(workspace) + (((head * checkpoints + c) * (V / 16) + warp) * (K / 16)) * kLanes;
}

}  // namespace plait::kernels::cuda
