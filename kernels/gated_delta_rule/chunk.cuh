#pragma once

#include "kernels/common/tile.cuh"
#include "kernels/gated_delta_rule/gated_delta_rule_cuda.h"

/// What the two passes share: the products inside chunks of 16 tokens, which need no state. Tokens i and j of a chunk,
/// G the running sum of g inside it, L_ij = e^(G_i - G_j) for i >= j:
///   b_ij = L_ij k_i.k_j (i > j),  m_ij = scale L_ij q_i.k_j (i >= j),  T = (I + diag(beta) b)^-1.
namespace plait::kernels::cuda {

inline constexpr int kChunk = 16;

/// Rows of V that a warp owns: its slice of the state is S^T [16, K].
inline constexpr int kSlice = 16;

/// Per token of a block's chunks, in shared memory.
struct Gates {
  float* sum;     ///< G
  float* decay;   ///< e^G
  float* rest;    ///< e^(G_last - G)
  float* weight;  ///< beta
};

template <class E>
__device__ __forceinline__ float decay_of(float exponent) {
  if constexpr (sizeof(E) == 2) return __expf(exponent);
  return expf(exponent);
}

/// Element of an array of either type.
__device__ __forceinline__ float load_gate(const void* from, PlaitDataType type, std::int64_t index) {
  if (type == PLAIT_BFLOAT16) return __bfloat162float(static_cast<const Bf16*>(from)[index]);
  return static_cast<const float*>(from)[index];
}
__device__ __forceinline__ void store_gate(void* to, PlaitDataType type, std::int64_t index, float value) {
  if (type == PLAIT_BFLOAT16) {
    static_cast<Bf16*>(to)[index] = __float2bfloat16(value);
  } else {
    static_cast<float*>(to)[index] = value;
  }
}

/// A chunk's T, transposed, with about fp32's precision: bf16 as two tiles, high and low.
template <class E>
struct Solve {
  static constexpr int kBytes = 1024;
  unsigned char* memory;

  /// result[i][j] = T[i][j].
  __device__ __forceinline__ Precise<E> rows() const {
    if constexpr (sizeof(E) == 2) {
      return {load_transposed(Tile<Bf16, 16>(memory), 0, 0), load_transposed(Tile<Bf16, 16>(memory + 512), 0, 0)};
    } else {
      return {load_transposed(Tile<float, 16>(memory), 0, 0)};
    }
  }
  /// result[i][j] = T[j][i].
  __device__ __forceinline__ Precise<E> columns() const {
    if constexpr (sizeof(E) == 2) {
      return {load(Tile<Bf16, 16>(memory), 0, 0), load(Tile<Bf16, 16>(memory + 512), 0, 0)};
    } else {
      return {load(Tile<float, 16>(memory), 0, 0)};
    }
  }

  /// Inverts I + a: a is strictly lower triangular, in the accumulators of a whole warp. Each lane solves for one column by
  /// forward substitution in fp32, which stays exact where powers of a would grow (equal keys, beta near 2).
  __device__ __forceinline__ void invert(const Acc& a) const {
    float* rows = reinterpret_cast<float*>(memory);
#pragma unroll
    for (int i = 0; i < 8; i += 2) {
      *reinterpret_cast<float2*>(rows + acc_row(i) * 16 + acc_col(i)) = make_float2(a.x[i], a.x[i + 1]);
    }
    __syncwarp();
    const int lane = lane_id(), column = lane & 15;
    float t[16];
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      float sum = i == column ? 1.0f : 0.0f;
#pragma unroll
      for (int j = 0; j < i; j += 4) {
        const float4 x = *reinterpret_cast<const float4*>(rows + i * 16 + j);
        sum -= x.x * t[j];
        if (j + 1 < i) sum -= x.y * t[j + 1];
        if (j + 2 < i) sum -= x.z * t[j + 2];
        if (j + 3 < i) sum -= x.w * t[j + 3];
      }
      t[i] = sum;
    }
    __syncwarp();
    if constexpr (sizeof(E) == 2) {
      const bool low = lane >= 16;
      const Tile<Bf16, 16> tile(memory + (low ? 512 : 0));
      std::uint32_t pairs[8];
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const std::uint32_t high = pack_bf16(t[2 * i], t[2 * i + 1]);
        const std::uint32_t rest = pack_bf16(t[2 * i] - low_bf16(high), t[2 * i + 1] - high_bf16(high));
        pairs[i] = low ? rest : high;
      }
      *reinterpret_cast<uint4*>(tile.piece(column, 0)) = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
      *reinterpret_cast<uint4*>(tile.piece(column, 1)) = make_uint4(pairs[4], pairs[5], pairs[6], pairs[7]);
    } else if (lane < 16) {
      const Tile<float, 16> tile(memory);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        *reinterpret_cast<float4*>(tile.piece(column, i)) = make_float4(t[4 * i], t[4 * i + 1], t[4 * i + 2], t[4 * i + 3]);
      }
    }
  }
};

/// Turns the raw g and beta of a chunk's tokens (first at `token`) into its Gates. By a whole warp.
template <class E>
__device__ __forceinline__ void sum_gates(const Gates& gates, int token, const float* raw_g, const float* raw_beta) {
  const int lane = lane_id(), t = token + (lane & 15);
  float sum = raw_g[t];
  const float weight = raw_beta[t];
#pragma unroll
  for (int d = 1; d < kChunk; d *= 2) {
    const float before = __shfl_up_sync(0xffffffffu, sum, d, 16);
    if ((lane & 15) >= d) sum += before;
  }
  const float last = __shfl_sync(0xffffffffu, sum, 15, 16);
  __syncwarp();
  if (lane < 16) {
    gates.sum[t] = sum;
    gates.decay[t] = decay_of<E>(sum);
    gates.rest[t] = decay_of<E>(last - sum);
    gates.weight[t] = weight;
  }
  __syncwarp();
}

/// A chunk's products, by a whole warp: T into `solve`; m (kBackward: its transpose) into `m`; kBackward: b into `b`.
template <class E, int K, bool kBackward>
__device__ __forceinline__ void multiply_inside(const Tile<E, K>& q, const Tile<E, K>& k, int token, const Gates& gates,
                                                float scale, const Solve<E>& solve, Operand<E>* m, Operand<E>* b) {
  Acc kk = zero_acc(), qk = zero_acc();
#pragma unroll
  for (int c = 0; c < K; c += 16) {
    const Operand<E> keys = load(k, token, c), queries = load(q, token, c);
    multiply(kk, keys, keys);
    if constexpr (kBackward) {
      multiply(qk, keys, queries);
    } else {
      multiply(qk, queries, keys);
    }
  }
  Acc a, b_acc, m_acc;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int row = acc_row(i), col = acc_col(i);
    // Serves both triangles, and never has an exponent above 0.
    const float decay = decay_of<E>(-fabsf(gates.sum[token + row] - gates.sum[token + col]));
    b_acc.x[i] = row > col ? decay * kk.x[i] : 0.0f;
    a.x[i] = gates.weight[token + row] * b_acc.x[i];
    const bool seen = kBackward ? col >= row : row >= col;
    m_acc.x[i] = seen ? scale * decay * qk.x[i] : 0.0f;
  }
  store_lanes(m, pack<E>(m_acc));
  if constexpr (kBackward) store_lanes(b, pack<E>(b_acc));
  solve.invert(a);
}

/// A column factor of an accumulator whose columns are tokens.
struct Columns {
  float x[4];
  __device__ __forceinline__ float operator[](int i) const { return x[(i & 1) + 2 * (i >> 2)]; }
};
__device__ __forceinline__ Columns load_columns(const float* per_token, int token) {
  const float* from = per_token + token + 2 * (lane_id() & 3);
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

/// Tokens between two checkpoints of the state, which the backward pass starts from: as many as its shared memory holds.
template <class E, int K, int V>
constexpr int checkpoint_tokens() {
  if (sizeof(E) == 2) return K * V <= 64 * 64 ? 64 : 32;
  return K * V <= 64 * 64 ? 32 : 16;
}
/// Checkpoint c of a head's sequence, of warp w: K/16 operands. [N*H, checkpoints, V/16, K/16] of them.
template <class E, int K, int V>
__device__ __forceinline__ Operand<E>* checkpoint(void* workspace, std::int64_t head, int checkpoints, int c, int warp) {
  constexpr int kLanes = 32;
  return static_cast<Operand<E>*>(workspace) +
         (((head * checkpoints + c) * (V / 16) + warp) * (K / 16)) * kLanes;
}

}  // namespace plait::kernels::cuda
