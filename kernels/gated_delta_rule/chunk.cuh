#pragma once

#include "kernels/common/walk.cuh"
#include "kernels/gated_delta_rule/gated_delta_rule_cuda.h"

/// What the two passes share: the products inside chunks of 16 tokens, which need no state. Tokens i and j of a chunk,
/// G the running sum of g inside it, L_ij = e^(G_i - G_j) for i >= j:
///   b_ij = L_ij k_i.k_j (i > j),  m_ij = scale L_ij q_i.k_j (i >= j),  T = (I + diag(beta) b)^-1.
namespace plait::kernels::cuda {

/// A chunk's T, transposed, with about fp32's precision: bf16 as two tiles, high and low.
template <class E>
struct Solve {
  static constexpr int kBytes = 1024;
  unsigned char* memory;

  /// result[i][j] = T[i][j].
  __device__ __forceinline__ PreciseRight<E> rows() const {
    if constexpr (sizeof(E) == 2) {
      return {load_transposed_right(Tile<Bf16, 16>(memory), 0, 0),
              load_transposed_right(Tile<Bf16, 16>(memory + 512), 0, 0)};
    } else {
      return {load_transposed_right(Tile<float, 16>(memory), 0, 0)};
    }
  }
  /// result[i][j] = T[j][i].
  __device__ __forceinline__ PreciseRight<E> columns() const {
    if constexpr (sizeof(E) == 2) {
      return {load_right(Tile<Bf16, 16>(memory), 0, 0), load_right(Tile<Bf16, 16>(memory + 512), 0, 0)};
    } else {
      return {load_right(Tile<float, 16>(memory), 0, 0)};
    }
  }
  __device__ __forceinline__ Precise<E> left_columns() const {
    if constexpr (sizeof(E) == 2) {
      return {load(Tile<Bf16, 16>(memory), 0, 0), load(Tile<Bf16, 16>(memory + 512), 0, 0)};
    } else {
      return {load(Tile<float, 16>(memory), 0, 0)};
    }
  }

  /// Inverts I + a, a strictly lower triangular, by a whole warp. Forward substitution in fp32, a lane a column, for
  /// the two 8 x 8 blocks X11, X22 on the diagonal; below them -X22 a21 X11. Powers of a, which a series would need,
  /// grow to 1e5 and cancel where keys are alike and beta is near 2.
  __device__ __forceinline__ void invert(const Acc& a) const {
    float* rows_of_a = reinterpret_cast<float*>(memory);
#pragma unroll
    for (int i = 0; i < 8; i += 2) {
      *reinterpret_cast<float2*>(rows_of_a + acc_row(i) * 16 + acc_col(i)) = make_float2(a.x[i], a.x[i + 1]);
    }
    __syncwarp();
    const int lane = lane_id(), column = lane & 15, block = column / 8;
    const float* rows_of_block = rows_of_a + block * (8 * 16 + 8);
    float t[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      float sum = i == (column & 7) ? 1.0f : 0.0f;
#pragma unroll
      for (int j = 0; j < i; j += 4) {
        const float4 x = *reinterpret_cast<const float4*>(rows_of_block + i * 16 + j);
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
      std::uint32_t pairs[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const std::uint32_t high = pack_bf16(t[2 * i], t[2 * i + 1]);
        const std::uint32_t rest = pack_bf16(t[2 * i] - low_bf16(high), t[2 * i + 1] - high_bf16(high));
        pairs[i] = low ? rest : high;
      }
      *reinterpret_cast<uint4*>(tile.piece(column, block)) = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
      *reinterpret_cast<uint4*>(tile.piece(column, 1 - block)) = make_uint4(0, 0, 0, 0);
    } else if (lane < 16) {
      const Tile<float, 16> tile(memory);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        *reinterpret_cast<float4*>(tile.piece(column, 2 * block + i)) =
            make_float4(t[4 * i], t[4 * i + 1], t[4 * i + 2], t[4 * i + 3]);
        *reinterpret_cast<float4*>(tile.piece(column, 2 * (1 - block) + i)) = make_float4(0, 0, 0, 0);
      }
    }
    __syncwarp();
    Acc off = zero_acc(), half = zero_acc(), merged = zero_acc();
    off.x[2] = a.x[2];
    off.x[3] = a.x[3];
    multiply<false>(half, left_columns(), to_right(split<E>(off)));  // (a21 X11)^T
    multiply<false>(merged, split<E>(half), rows());                 // (X22 a21 X11)^T
    __syncwarp();
    const int row = lane / 4, col = 8 + 2 * (lane & 3);
    if constexpr (sizeof(E) == 2) {
      const std::uint32_t high = pack_bf16(-merged.x[4], -merged.x[5]);
      *reinterpret_cast<std::uint32_t*>(Tile<Bf16, 16>(memory).at(row, col)) = high;
      *reinterpret_cast<std::uint32_t*>(Tile<Bf16, 16>(memory + 512).at(row, col)) =
          pack_bf16(-merged.x[4] - low_bf16(high), -merged.x[5] - high_bf16(high));
    } else {
      *reinterpret_cast<float2*>(Tile<float, 16>(memory).at(row, col)) = make_float2(-merged.x[4], -merged.x[5]);
    }
  }
};

/// A chunk's gates and T.
template <class E>
struct Inside {
  static constexpr int kGateBytes = kChunk * Gates<E>::kBytes, kBytes = kGateBytes + Solve<E>::kBytes;
  unsigned char* memory;

  __device__ __forceinline__ Gates<E> gates() const {
    auto* sums = reinterpret_cast<typename Gates<E>::Sum*>(memory);
    float* numbers = reinterpret_cast<float*>(sums + kChunk);
    return {sums, numbers, numbers + kChunk, numbers + 2 * kChunk};
  }
  __device__ __forceinline__ Solve<E> solve() const { return {memory + kGateBytes}; }
};

/// What the forward pass leaves of every chunk for the backward pass: all that needs no state. [N, H, chunks] of them
/// are the first part of the workspace; the checkpoints of the state are the second.
template <class E>
struct Record {
  static constexpr int kOperandBytes = 32 * static_cast<int>(sizeof(Operand<E>));
  static constexpr int kBytes = 2 * kOperandBytes + Inside<E>::kBytes;
  unsigned char* memory;

  __device__ __forceinline__ Right<E>* m() const { return reinterpret_cast<Right<E>*>(memory); }  ///< transposed
  __device__ __forceinline__ Right<E>* b() const { return reinterpret_cast<Right<E>*>(memory + kOperandBytes); }
  __device__ __forceinline__ Inside<E> inside() const { return {memory + 2 * kOperandBytes}; }
};

template <class E>
__host__ __device__ inline std::int64_t record_bytes(const PlaitGatedDeltaRule& p) {
  return p.sequences * p.heads * ((p.tokens + kChunk - 1) / kChunk) * Record<E>::kBytes;
}

/// A chunk's products, by a whole warp: T from its gates into `inside`, m into `m`; all of it also into `record`, if
/// that has memory.
template <class E, int K>
__device__ __forceinline__ void multiply_inside(const Tile<E, K>& q, const Tile<E, K>& k, int token,
                                                const Inside<E>& inside, float scale, Right<E>* m,
                                                const Record<E>& record) {
  const Gates<E> gates = inside.gates();
  Acc kk = zero_acc(), qk = zero_acc();
#pragma unroll
  for (int c = 0; c < K; c += 16) {
    const Operand<E> keys = load(k, token, c);
    const Right<E> right_keys = to_right(keys);
    multiply(kk, keys, right_keys);
    multiply(qk, load(q, token, c), right_keys);
  }
  Acc a, b_acc, m_acc;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int row = acc_row(i), col = acc_col(i);
    const float decay = decay_of<E>(gate_distance(gates, row, col));
    b_acc.x[i] = row > col ? decay * kk.x[i] : 0.0f;
    a.x[i] = gates.weight[row] * b_acc.x[i];
    m_acc.x[i] = row >= col ? scale * decay * qk.x[i] : 0.0f;
  }
  const Operand<E> m_operand = pack<E>(m_acc);
  store_lanes(m, to_right(m_operand));
  if (record.memory) {
    store_lanes(record.m(), to_right(transpose(m_operand)));
    store_lanes(record.b(), to_right(pack<E>(b_acc)));
  }
  inside.solve().invert(a);
  if (record.memory) {
    __syncwarp();
    const auto* from = reinterpret_cast<const uint4*>(inside.memory);
    auto* to = reinterpret_cast<uint4*>(record.inside().memory);
    constexpr int kPieces = Inside<E>::kBytes / 16, kTurns = (kPieces + 31) / 32;
    uint4 pieces[kTurns];
#pragma unroll
    for (int i = 0; i < kTurns; ++i)
      if (32 * i + lane_id() < kPieces) pieces[i] = from[32 * i + lane_id()];
#pragma unroll
    for (int i = 0; i < kTurns; ++i)
      if (32 * i + lane_id() < kPieces) to[32 * i + lane_id()] = pieces[i];
  }
}

/// Tokens between two checkpoints of the state, which the backward pass starts from: as many as its shared memory
/// holds.
template <class E, int K, int V>
constexpr int checkpoint_tokens() {
  if (sizeof(E) == 2) return K * V <= 64 * 64 ? 64 : 32;
  return K * V <= 64 * 64 ? 32 : 16;
}

}  // namespace plait::kernels::cuda
