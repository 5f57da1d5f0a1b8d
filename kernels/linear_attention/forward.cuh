#pragma once

#include "kernels/linear_attention/channel_gates.cuh"
#include "kernels/linear_attention/dispatch.cuh"
#include "kernels/linear_attention/head_gates.cuh"

namespace plait::kernels::cuda::linear {

template <class E, int K, int V, bool kByChannel>
struct ForwardShape {
  static constexpr int kSize = static_cast<int>(sizeof(E));
  /// That a block loads at once; two warps are best left with two chunks.
  static constexpr int kTokens = kSize == 2 && !(kByChannel && V == 32) ? 64 : 32;
  static constexpr int kChunks = kTokens / kChunk;
  static constexpr int kEvery = checkpoint_tokens<E, K, V, kByChannel>();
  static constexpr int kSlices = V / kSlice;                            ///< warps that hold a slice of the state
  static constexpr int kWarps = kSlices > kChunks ? kSlices : kChunks;  ///< all make products inside chunks
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kParts = kByChannel ? kWarps / kChunks : 1;  ///< warps that share the products inside a chunk
  static constexpr int kMinBlocks = kSize == 4 || K == 128 ? 1 : (kByChannel && V > 32 ? 256 : 512) / kThreads;
  static constexpr int kStageBytes = kTokens * ((2 * K + V) * kSize + (kByChannel ? 4 * K : 0));
  static constexpr int kInsideBytes = 32 * 8 * kChunks * (kByChannel ? 4 * kParts : kSize);
  static constexpr int kGateBytes = kByChannel ? kChunks * K * 4 : kTokens * Gates<E>::kBytes;
  static constexpr int kMostBytes = 2 * kStageBytes + kInsideBytes + kGateBytes;
  static constexpr int bytes(std::int64_t tokens) { return kMostBytes - (tokens > kTokens ? 0 : kStageBytes); }
};

/// A block walks one head of one sequence. Per kTokens tokens: each warp makes the products inside its own chunks; then
/// each warp takes its 16 columns of V through all chunks, its slice of the state in registers, transposed.
template <class E, int K, int V, bool kByChannel>
__global__ void __launch_bounds__(ForwardShape<E, K, V, kByChannel>::kThreads,
                                  ForwardShape<E, K, V, kByChannel>::kMinBlocks)
    forward_kernel(const PlaitLinearAttention p) {
  using Shape = ForwardShape<E, K, V, kByChannel>;
  constexpr int kTokens = Shape::kTokens, kThreads = Shape::kThreads, kEvery = Shape::kEvery;
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
  const int checkpoints = (tokens + kEvery - 1) / kEvery - 1;

  unsigned char* inside = shared + (loads > 1 ? 2 : 1) * Shape::kStageBytes;
  unsigned char* gate_memory = inside + Shape::kInsideBytes;
  const auto m_of = [&](int c) { return reinterpret_cast<Right<E>*>(inside) + 32 * c; };
  const auto m_parts_of = [&](int c) { return reinterpret_cast<Operand<float>*>(inside) + 32 * Shape::kParts * c; };
  const auto q_tile = [&](int n) { return Tile<E, K>(shared + (n & 1) * Shape::kStageBytes); };
  const auto k_tile = [&](int n) { return Tile<E, K>(q_tile(n).memory + kTokens * K * Shape::kSize); };
  const auto v_tile = [&](int n) { return Tile<E, V>(q_tile(n).memory + 2 * kTokens * K * Shape::kSize); };
  // By head.
  auto* sums = reinterpret_cast<typename Gates<E>::Sum*>(gate_memory);
  float* numbers = reinterpret_cast<float*>(sums + kTokens);
  const Gates<E> gates{sums, numbers, numbers + kTokens, nullptr};
  float* raw_g = numbers + 2 * kTokens;  // where others have weights
  // By channel.
  const auto g_tile = [&](int n) { return Tile<float, K>(q_tile(n).memory + kTokens * (2 * K + V) * Shape::kSize); };
  float* totals = reinterpret_cast<float*>(gate_memory);  // e^(G_last) [chunks, K]

  std::uint32_t next_g = 0;
  const auto load_all = [&](int n) {
    const int token = n * kTokens, valid = tokens - token;
    load_rows<E, K, kTokens, kThreads>(q_tile(n), q + token * k_stride, k_stride, valid);
    load_rows<E, K, kTokens, kThreads>(k_tile(n), k + token * k_stride, k_stride, valid);
    load_rows<E, V, kTokens, kThreads>(v_tile(n), v + token * v_stride, v_stride, valid);
    if constexpr (kByChannel) {
      load_rows<float, K, kTokens, kThreads>(g_tile(n), static_cast<const float*>(p.g) + first * K + token * k_stride,
                                             k_stride, valid);
    } else {
      next_g = p.g && thread < kTokens && thread < valid
                   ? load_gate(p.g, p.gate_type, first + (token + thread) * p.heads)
                   : 0;
    }
  };

  if (loads > 0) load_all(0);
  Acc state[K / 16];  // S^T [16, K]
  const bool holds_state = warp < Shape::kSlices;
  load_state<K, V>(state, p.initial_state && holds_state ? p.initial_state + head * K * V : nullptr, v0);

  for (int n = 0; n < loads; ++n) {
    const int left = tokens - n * kTokens;
    const int chunks = min(Shape::kChunks, (left + kChunk - 1) / kChunk);
    if (!kByChannel && thread < kTokens) raw_g[thread] = gate_of(next_g, p.gate_type);
    wait_for_copies();
    __syncthreads();
    if (n + 1 < loads) load_all(n + 1);

    const Tile<E, K> queries = q_tile(n), keys = k_tile(n);
    const Tile<E, V> values = v_tile(n);
    for (int c = warp / Shape::kParts; c < chunks; c += Shape::kWarps / Shape::kParts) {
      if constexpr (kByChannel) {
        const int part = warp % Shape::kParts;
        const Acc m = multiply_inside(queries, keys, g_tile(n), kChunk * c, p.scale, queries, keys, totals + c * K,
                                      part, Shape::kParts);
        store_lanes(m_parts_of(c) + 32 * part, pack<float>(m));
      } else {
        sum_gates<E>(gates.at(kChunk * c), raw_g + kChunk * c, nullptr);
        store_lanes(m_of(c), to_right(transpose(multiply_inside(queries, keys, kChunk * c, gates, p.scale))));
      }
    }
    __syncthreads();
    if (!holds_state) continue;

#pragma unroll 1
    for (int c = 0; c < chunks; ++c) {
      const int token = kChunk * c, place = n * kTokens + token;
      const bool checks = p.workspace && place > 0 && place % kEvery == 0;
      Operand<E>* at = checks ? checkpoint<E, K, V>(p.workspace, head, checkpoints, place / kEvery - 1, warp) : nullptr;
      const float total = kByChannel ? 0.0f : gates.decay[token + kChunk - 1];
      const Operand<E> fresh = load_transposed(values, token, v0);  // V^T [16, tokens]
      Acc out = zero_acc(), out_odd = zero_acc();                   // (q S)^T [16 of V, tokens]
#pragma unroll
      for (int i = 0; i < K / 16; ++i) {
        const Operand<E> s = pack<E>(state[i]);
        if (checks) store_lanes(at + 32 * i, s);
        multiply(i % 2 ? out_odd : out, s, load_right(queries, token, 16 * i));
      }
      add(out, out_odd);
      Operand<E> added = fresh;
      if constexpr (!kByChannel) {
        const Columns decay = load_columns(gates.decay + token), rest = load_columns(gates.rest + token);
        Acc values_to_end = unpack(fresh);
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          out.x[i] *= p.scale * decay[i];
          values_to_end.x[i] *= rest[i];
        }
        added = pack<E>(values_to_end);
      }
      if constexpr (kByChannel) {
        multiply(out, fresh, to_right(transpose(sum_of_parts<E, Shape::kParts>(m_parts_of(c)))));
      } else {
        multiply(out, fresh, load_lanes(m_of(c)));
      }
      store_transposed(values, token, v0, pack<E>(out));
#pragma unroll
      for (int i = 0; i < K / 16; ++i) {
        const Columns decay = state_decay<kByChannel>(total, totals + c * K, i);
#pragma unroll
        for (int j = 0; j < 8; ++j) state[i].x[j] *= decay[j];
        multiply(state[i], added, load_transposed_right(keys, token, 16 * i));
      }
    }

    __syncwarp();
    constexpr int kPieces = kSlice * Shape::kSize / 16, kStep = 32 / kPieces;
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

}  // namespace plait::kernels::cuda::linear
