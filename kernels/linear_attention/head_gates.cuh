#pragma once

#include "kernels/common/walk.cuh"

/// Products inside a chunk under one gate a head and token (or none). Tokens i and j of a chunk, G the running sum of g
/// inside it, L_ij = e^(G_i - G_j) for i >= j: m_ij = scale L_ij q_i.k_j.
namespace plait::kernels::cuda::linear {

/// m^T, by a whole warp.
template <class E, int K>
__device__ __forceinline__ Operand<E> multiply_inside(const Tile<E, K>& q, const Tile<E, K>& k, int token,
                                                      const Gates<E>& gates, float scale) {
  Acc m = zero_acc();
#pragma unroll
  for (int c = 0; c < K; c += 16) multiply(m, load(k, token, c), load_right(q, token, c));
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int row = acc_row(i), col = acc_col(i);
    const float decay = decay_of<E>(gate_distance(gates, token + row, token + col));
    m.x[i] = col >= row ? scale * decay * m.x[i] : 0.0f;
  }
  return pack<E>(m);
}

/// What a chunk's gates get from dm^T, whose entries above the diagonal become those of scale (dm L)^T: F = dm m, by
/// rows and columns.
struct GateSums {
  float row[2] = {}, column[4] = {};  ///< of F^T, a lane's part
};
template <class E>
__device__ __forceinline__ GateSums differentiate_inside(Acc& d_m, const Acc& m, const Gates<E>& gates, int token,
                                                         float scale) {
  GateSums sums;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int row = acc_row(i), col = acc_col(i);
    const float decay = decay_of<E>(gate_distance(gates, token + row, token + col));
    d_m.x[i] = col >= row ? d_m.x[i] : 0.0f;
    const float both = d_m.x[i] * m.x[i];
    sums.row[(i >> 1) & 1] += both;
    sums.column[(i & 1) + 2 * (i >> 2)] += both;
    d_m.x[i] *= scale * decay;
  }
  return sums;
}

/// e^(G_last) of a chunk for columns 16 i.. of S^T: one number, or one a channel.
template <bool kByChannel>
__device__ __forceinline__ Columns state_decay(float by_head, const float* by_channel, int i) {
  if constexpr (kByChannel) return load_columns(by_channel + 16 * i);
  return {{by_head, by_head, by_head, by_head}};
}

}  // namespace plait::kernels::cuda::linear
