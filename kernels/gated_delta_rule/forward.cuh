#pragma once

#include "kernels/gated_delta_rule/chunk.cuh"

namespace plait::kernels::cuda {

template <class E, int K, int V>
struct ForwardShape {
  static constexpr int kTokens = sizeof(E) == 2 ? 64 : 32;  ///< that a block loads at once
  static constexpr int kChunks = kTokens / kChunk;
  static constexpr int kEvery = checkpoint_tokens<E, K, V>();
  static constexpr int kSlices = V / kSlice;                            ///< warps that hold a slice of the state
  static constexpr int kWarps = kSlices > kChunks ? kSlices : kChunks;  ///< all make products inside chunks
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kMinBlocks = sizeof(E) == 4 || K == 128 ? 1 : V == 128 ? 2 : 4;
  static constexpr int kStageBytes = kTokens * (2 * K + V) * static_cast<int>(sizeof(E));
  static constexpr int kInsideBytes = kChunks * (Inside<E>::kBytes + Record<E>::kOperandBytes);
  static constexpr int kMostBytes = 2 * kStageBytes + kInsideBytes + kTokens * 8;
  static constexpr int bytes(std::int64_t tokens) { return kMostBytes - (tokens > kTokens ? 0 : kStageBytes); }
};

/// A block walks one head of one sequence. Per kTokens tokens: each warp makes the products inside its own chunks; then
/// each warp takes its 16 columns of V through all chunks, its slice of the state in registers. All of it transposed,
/// so that S^T, Vn^T and T pass from product to product without leaving their registers.
template <class E, int K, int V>
__global__ void __launch_bounds__(ForwardShape<E, K, V>::kThreads, ForwardShape<E, K, V>::kMinBlocks)
    forward_kernel(const PlaitGatedDeltaRule p) {
  using Shape = ForwardShape<E, K, V>;
  constexpr int kTokens = Shape::kTokens;
  extern __shared__ __align__(1024) unsigned char shared[];
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = lane_id(), v0 = warp * kSlice;
  const std::int64_t head = blockIdx.x, sequence = head / p.heads, h = head % p.heads;
  const std::int64_t first = sequence * p.tokens * p.heads + h;  // of the head's [T] in [N, T, H]
  const std::int64_t k_stride = p.heads * K, v_stride = p.heads * V;
  const E* q = static_cast<const E*>(p.q) + first * K;
  const E* k = static_cast<const E*>(p.k) + first * K;
  const E* v = static_cast<const E*>(p.v) + first * V;
  E* output = static_cast<E*>(p.output) + first * V;
  const int tokens = static_cast<int>(p.tokens), loads = (tokens + kTokens - 1) / kTokens;
  constexpr int kEvery = Shape::kEvery;
  const int checkpoints = (tokens + kEvery - 1) / kEvery - 1;

  unsigned char* insides = shared + (loads > 1 ? 2 : 1) * Shape::kStageBytes;
  unsigned char* operands = insides + Shape::kChunks * Inside<E>::kBytes;
  float* raw_g = reinterpret_cast<float*>(operands + Shape::kChunks * Record<E>::kOperandBytes);
  float* raw_beta = raw_g + kTokens;
  const auto inside_of = [&](int c) { return Inside<E>{insides + c * Inside<E>::kBytes}; };
  const auto m_of = [&](int c) { return reinterpret_cast<Right<E>*>(operands + c * Record<E>::kOperandBytes); };
  auto* const records = static_cast<unsigned char*>(p.workspace);
  const std::int64_t first_record = head * ((tokens + kChunk - 1) / kChunk);
  const auto q_tile = [&](int n) { return Tile<E, K>(shared + (n & 1) * Shape::kStageBytes); };
  const auto k_tile = [&](int n) { return Tile<E, K>(q_tile(n).memory + kTokens * K * sizeof(E)); };
  const auto v_tile = [&](int n) { return Tile<E, V>(q_tile(n).memory + 2 * kTokens * K * sizeof(E)); };

  std::uint32_t next_g = 0, next_beta = 0;
  const auto load_all = [&](int n) {
    const int token = n * kTokens, valid = tokens - token;
    load_rows<E, K, kTokens, Shape::kThreads>(q_tile(n), q + token * k_stride, k_stride, valid);
    load_rows<E, K, kTokens, Shape::kThreads>(k_tile(n), k + token * k_stride, k_stride, valid);
    load_rows<E, V, kTokens, Shape::kThreads>(v_tile(n), v + token * v_stride, v_stride, valid);
    next_g = next_beta = 0;
    if (thread < kTokens && thread < valid) {
      const std::int64_t index = first + (token + thread) * p.heads;
      if (p.g) next_g = load_gate(p.g, p.gate_type, index);
      next_beta = load_gate(p.beta, p.gate_type, index);
    }
  };

  if (loads > 0) load_all(0);
  Acc state[K / 16];  // S^T [16, K]
  const bool holds_state = warp < Shape::kSlices;
  load_state<K, V>(state, p.initial_state && holds_state ? p.initial_state + head * K * V : nullptr, v0);
  Operand<E> state_operand[K / 16];
#pragma unroll
  for (int c = 0; c < K / 16; ++c) state_operand[c] = pack<E>(state[c]);

  for (int n = 0; n < loads; ++n) {
    const int left = tokens - n * kTokens;
    const int chunks = min(Shape::kChunks, (left + kChunk - 1) / kChunk);
    if (thread < kTokens) {
      raw_g[thread] = gate_of(next_g, p.gate_type);
      raw_beta[thread] = gate_of(next_beta, p.gate_type);
    }
    wait_for_copies();
    __syncthreads();
    if (n + 1 < loads) load_all(n + 1);

    const Tile<E, K> queries = q_tile(n), keys = k_tile(n);
    const Tile<E, V> values = v_tile(n);
    for (int c = warp; c < chunks; c += Shape::kWarps) {
      const std::int64_t record = first_record + n * Shape::kChunks + c;
      sum_gates<E>(inside_of(c).gates(), raw_g + kChunk * c, raw_beta + kChunk * c);
      multiply_inside<E, K>(queries, keys, kChunk * c, inside_of(c), p.scale, m_of(c),
                            Record<E>{records ? records + record * Record<E>::kBytes : nullptr});
    }
    __syncthreads();
    if (!holds_state) continue;

#pragma unroll 1
    for (int c = 0; c < chunks; ++c) {
      const int token = kChunk * c, place = n * kTokens + token;
      if (records && place > 0 && place % kEvery == 0) {
        Operand<E>* at = checkpoint<E, K, V>(records + record_bytes<E>(p), head, checkpoints, place / kEvery - 1, warp);
#pragma unroll
        for (int i = 0; i < K / 16; ++i) store_lanes(at + 32 * i, state_operand[i]);
      }
      const Gates<E> gates = inside_of(c).gates();
      const Columns decay = load_columns(gates.decay), rest = load_columns(gates.rest),
                    weight = load_columns(gates.weight);
      const float last_decay = gates.decay[kChunk - 1];
      Acc seen = zero_acc(), seen_odd = zero_acc(), out = zero_acc();  // (k S)^T, (q S)^T [16 of V, tokens]
#pragma unroll
      for (int i = 0; i < K / 16; ++i)
        multiply(i % 2 ? seen_odd : seen, state_operand[i], load_right(keys, token, 16 * i));
      add(seen, seen_odd);
#pragma unroll
      for (int i = 0; i < K / 16; ++i) multiply(out, state_operand[i], load_right(queries, token, 16 * i));
      Acc target = unpack(load_transposed(values, token, v0));
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        target.x[i] = weight[i] * (target.x[i] - decay[i] * seen.x[i]);
        out.x[i] *= p.scale * decay[i];
      }
      Acc fresh = zero_acc();  // Vn^T
      multiply(fresh, split<E>(target), inside_of(c).solve().rows());
      multiply(out, pack<E>(fresh), load_lanes(m_of(c)));
      store_transposed(values, token, v0, pack<E>(out));
#pragma unroll
      for (int i = 0; i < 8; ++i) fresh.x[i] *= rest[i];
      const Operand<E> added = pack<E>(fresh);
#pragma unroll
      for (int i = 0; i < K / 16; ++i) {
#pragma unroll
        for (int j = 0; j < 8; ++j) state[i].x[j] *= last_decay;
        multiply(state[i], added, load_transposed_right(keys, token, 16 * i));
        state_operand[i] = pack<E>(state[i]);
      }
    }

    __syncwarp();
    constexpr int kPieces = kSlice * static_cast<int>(sizeof(E)) / 16, kStep = 32 / kPieces;
    const int row = lane / kPieces, piece = v0 / values.kPerPiece + lane % kPieces;
    E* to = output + (n * kTokens + row) * v_stride + piece * values.kPerPiece;
#pragma unroll
    for (int i = 0; i < kTokens / kStep; ++i) {
      if (row + i * kStep < left)
        *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(values.piece(row + i * kStep, piece));
      to += kStep * v_stride;
    }
  }
  if (p.final_state && holds_state) store_state<K, V>(state, p.final_state + head * K * V, v0);
}

}  // namespace plait::kernels::cuda
