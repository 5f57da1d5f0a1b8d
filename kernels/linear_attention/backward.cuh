#pragma once

#include <algorithm>

#include "kernels/linear_attention/channel_gates.cuh"
#include "kernels/linear_attention/dispatch.cuh"
#include "kernels/linear_attention/head_gates.cuh"

namespace plait::kernels::cuda::linear {

template <class E, int K, int V, bool kByChannel>
struct BackwardShape {
  static constexpr int kTokens = checkpoint_tokens<E, K, V, kByChannel>();  ///< that a block holds at once
  static constexpr int kChunks = kTokens / kChunk;
  static constexpr int kSlices = V / kSlice;           ///< warps that hold a slice of the states
  static constexpr int kWarps = std::max(kSlices, 4);  ///< all take chunks
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kParts = kWarps / kChunks;  ///< warps that share a chunk where chunks go to warps
  static constexpr int kMinBlocks = sizeof(E) == 4 || V == 128 || K == 128 ? 1
                                    : V == 64 || (kByChannel && K == 64)   ? 2
                                                                           : 4;
  /// Operands of a whole chunk that stay in registers while the columns of K pass by, if there are registers.
  static constexpr bool kHold = kByChannel ? kMinBlocks == 2 : V * static_cast<int>(sizeof(E)) <= 256;
  static constexpr int kSize = static_cast<int>(sizeof(E));
  static constexpr int kKeyBytes = kTokens * K * kSize, kValueBytes = kTokens * V * kSize;
  static constexpr int kTileBytes =
      (kByChannel ? 4 : 2) * kKeyBytes + 3 * kValueBytes + (kByChannel ? kTokens * K * 4 : 0);
  static constexpr int kStateBytes = K * V * kSize;
  static constexpr int kOperandBytes = 32 * kSize * 8;
  static constexpr int kGateBytes =
      kByChannel ? kChunks * K * 4 : kTokens * Gates<E>::kBytes + 4 * (kParts * kTokens + kSlices * kChunks);
  static constexpr int kInsideBytes = kChunks * (kByChannel ? 32 * 8 * 4 * kParts : kOperandBytes);
  static constexpr int kBytes = kTileBytes + 2 * kChunks * kStateBytes + kInsideBytes + kGateBytes;
};

/// A block walks one head of one sequence from its end. Per kTokens tokens, from a checkpoint of the state:
/// 1. chunks to warps: the products inside chunks;
/// 2. columns of V to warps: forward through the chunks for S0; back through them for dS1 and dv, dS in registers;
/// 3. chunks to warps: the gradient of m, then dq, dk, dg (columns of K pass by).
/// No sum crosses blocks; those that cross warps are taken in a fixed order.
template <class E, int K, int V, bool kByChannel>
__global__ void __launch_bounds__(BackwardShape<E, K, V, kByChannel>::kThreads,
                                  BackwardShape<E, K, V, kByChannel>::kMinBlocks)
    backward_kernel(const PlaitLinearAttention p) {
  using Shape = BackwardShape<E, K, V, kByChannel>;
  constexpr int kTokens = Shape::kTokens, kThreads = Shape::kThreads;
  extern __shared__ __align__(1024) unsigned char shared[];
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = lane_id(), v0 = warp * kSlice;
  const std::int64_t head = blockIdx.x, sequence = head / p.heads, h = head % p.heads;
  const std::int64_t first = sequence * p.tokens * p.heads + h;
  const int tokens = static_cast<int>(p.tokens), loads = (tokens + kTokens - 1) / kTokens;
  const bool gates_too = p.g && p.d_g, holds_state = warp < Shape::kSlices;
  const std::int64_t k_stride = p.heads * K, v_stride = p.heads * V;

  // Tiles of the block's tokens. By channel q and k stand twice, as given and decayed (scale e^G q, e^(G_last - G) k):
  // their gradients take the place of the latter, dg that of g.
  const Tile<E, K> q_tile(shared), k_tile(shared + Shape::kKeyBytes),
      decayed_q(shared + (kByChannel ? 2 : 0) * Shape::kKeyBytes),
      decayed_k(shared + (kByChannel ? 3 : 1) * Shape::kKeyBytes);
  const Tile<E, V> v_tile(decayed_k.memory + Shape::kKeyBytes), d_v_tile(v_tile.memory + Shape::kValueBytes),
      o_tile(d_v_tile.memory + Shape::kValueBytes);
  const Tile<float, K> g_tile(o_tile.memory + Shape::kValueBytes);
  unsigned char* states = shared + Shape::kTileBytes;                      // per chunk S0^T [V, K]
  unsigned char* d_states = states + Shape::kChunks * Shape::kStateBytes;  // per chunk dS1^T [V, K]
  unsigned char* inside = d_states + Shape::kChunks * Shape::kStateBytes;
  unsigned char* gate_memory = inside + Shape::kInsideBytes;
  const auto state_of = [&](int c) { return Tile<E, K>(states + c * Shape::kStateBytes); };
  const auto d_state_of = [&](int c) { return Tile<E, K>(d_states + c * Shape::kStateBytes); };
  const auto m_of = [&](int c) { return reinterpret_cast<Right<E>*>(inside) + 32 * c; };
  const auto m_parts_of = [&](int c) { return reinterpret_cast<Operand<float>*>(inside) + 32 * Shape::kParts * c; };
  // By head.
  auto* sums = reinterpret_cast<typename Gates<E>::Sum*>(gate_memory);
  float* numbers = reinterpret_cast<float*>(sums + kTokens);
  const Gates<E> gates{sums, numbers, numbers + kTokens, nullptr};
  float* raw_g = numbers + 2 * kTokens;                     // where others have weights
  float* gate_sums = raw_g + kTokens;                       // [parts, tokens]
  float* state_sums = gate_sums + Shape::kParts * kTokens;  // [slices, chunks], e^(G_last) <S0, dS1>
  // By channel.
  float* totals = reinterpret_cast<float*>(gate_memory);  // e^(G_last) [chunks, K]

  // A warp's checkpoint waits where its rows of the first chunk's state take its place.
  const auto own_checkpoint = [&](int i) {
    return reinterpret_cast<Operand<E>*>(states + v0 * K * Shape::kSize) + 32 * i;
  };

  std::uint32_t next_g = 0;
  const auto load_all = [&](int n) {
    const int token = n * kTokens, valid = tokens - token;
    const std::int64_t at = first + token * p.heads;
    load_rows<E, K, kTokens, kThreads>(q_tile, static_cast<const E*>(p.q) + at * K, k_stride, valid);
    load_rows<E, K, kTokens, kThreads>(k_tile, static_cast<const E*>(p.k) + at * K, k_stride, valid);
    load_rows<E, V, kTokens, kThreads>(v_tile, static_cast<const E*>(p.v) + at * V, v_stride, valid);
    load_rows<E, V, kTokens, kThreads>(o_tile, static_cast<const E*>(p.d_output) + at * V, v_stride, valid);
    if constexpr (kByChannel) {
      load_rows<float, K, kTokens, kThreads>(g_tile, static_cast<const float*>(p.g) + at * K, k_stride, valid);
    } else {
      next_g = p.g && thread < kTokens && thread < valid ? load_gate(p.g, p.gate_type, at + thread * p.heads) : 0;
    }
    if (n > 0 && holds_state) {
      const Operand<E>* from = checkpoint<E, K, V>(p.workspace, head, loads - 1, n - 1, warp);
#pragma unroll
      for (int i = 0; i < K / 16; ++i) copy_lanes(own_checkpoint(i), from + 32 * i);
    }
  };

  if (loads > 0) load_all(loads - 1);
  Acc d_state[K / 16];  // dS^T [16, K]
  load_state<K, V>(d_state, p.d_final_state && holds_state ? p.d_final_state + head * K * V : nullptr, v0);

  for (int n = loads - 1; n >= 0; --n) {
    const int left = tokens - n * kTokens;
    const int chunks = min(Shape::kChunks, (left + kChunk - 1) / kChunk);
    const std::int64_t at = first + static_cast<std::int64_t>(n) * kTokens * p.heads;
    if (!kByChannel && thread < kTokens) raw_g[thread] = gate_of(next_g, p.gate_type);
    wait_for_copies();
    __syncthreads();
    if (n > 0) {  // the next loads: there is no room for them yet
      const std::int64_t before = at - kTokens * p.heads;
      prefetch_rows<E, K, kTokens, kThreads>(static_cast<const E*>(p.q) + before * K, k_stride);
      prefetch_rows<E, K, kTokens, kThreads>(static_cast<const E*>(p.k) + before * K, k_stride);
      prefetch_rows<E, V, kTokens, kThreads>(static_cast<const E*>(p.v) + before * V, v_stride);
      prefetch_rows<E, V, kTokens, kThreads>(static_cast<const E*>(p.d_output) + before * V, v_stride);
      if constexpr (kByChannel)
        prefetch_rows<float, K, kTokens, kThreads>(static_cast<const float*>(p.g) + before * K, k_stride);
      if (n > 1 && holds_state) {
        const Operand<E>* next = checkpoint<E, K, V>(p.workspace, head, loads - 1, n - 2, warp);
        for (int i = lane; i < (K / 16) * Shape::kOperandBytes / 128; i += 32) {
          prefetch(reinterpret_cast<const unsigned char*>(next) + 128 * i);
        }
      }
    }

    if constexpr (kByChannel) {
      for (int c = warp / Shape::kParts; c < chunks; c += Shape::kWarps / Shape::kParts) {
        const int part = warp % Shape::kParts;
        const Acc m = multiply_inside(q_tile, k_tile, g_tile, kChunk * c, p.scale, decayed_q, decayed_k, totals + c * K,
                                      part, Shape::kParts);
        store_lanes(m_parts_of(c) + 32 * part, pack<float>(m));
      }
    } else {
      for (int c = warp; c < chunks; c += Shape::kWarps) {
        sum_gates<E>(gates.at(kChunk * c), raw_g + kChunk * c, nullptr);
        store_lanes(m_of(c), to_right(multiply_inside(q_tile, k_tile, kChunk * c, gates, p.scale)));
      }
    }
    __syncthreads();

    float own_state_sums[4] = {};
    if (holds_state) {
      Acc state[K / 16];
      if (n > 0) {
#pragma unroll
        for (int i = 0; i < K / 16; ++i) state[i] = unpack(load_lanes(own_checkpoint(i)));
        __syncwarp();
      } else {
        load_state<K, V>(state, p.initial_state ? p.initial_state + head * K * V : nullptr, v0);
      }
#pragma unroll 1
      for (int c = 0; c < chunks; ++c) {  // forward again
        const int token = kChunk * c;
        const float total = kByChannel ? 0.0f : gates.decay[token + kChunk - 1];
#pragma unroll
        for (int i = 0; i < K / 16; ++i) store(state_of(c), v0, 16 * i, pack<E>(state[i]));
        if (c + 1 == chunks) break;
        Operand<E> added = load_transposed(v_tile, token, v0);
        if constexpr (!kByChannel) {
          const Columns rest = load_columns(gates.rest + token);
          Acc values_to_end = unpack(added);
#pragma unroll
          for (int i = 0; i < 8; ++i) values_to_end.x[i] *= rest[i];
          added = pack<E>(values_to_end);
        }
#pragma unroll
        for (int i = 0; i < K / 16; ++i) {
          const Columns decay = state_decay<kByChannel>(total, totals + c * K, i);
#pragma unroll
          for (int j = 0; j < 8; ++j) state[i].x[j] *= decay[j];
          multiply(state[i], added, load_transposed_right(decayed_k, token, 16 * i));
        }
      }

#pragma unroll 1
      for (int c = chunks - 1; c >= 0; --c) {
        const int token = kChunk * c;
        const float total = kByChannel ? 0.0f : gates.decay[token + kChunk - 1];
        const Operand<E> d_out = load_transposed(o_tile, token, v0);  // dO^T
        Acc d_v = zero_acc(), d_v_odd = zero_acc(), d_v_inside = zero_acc(), states = zero_acc();
        if constexpr (kByChannel) {
          multiply(d_v_inside, d_out, to_right(sum_of_parts<E, Shape::kParts>(m_parts_of(c))));
        } else {
          multiply(d_v_inside, d_out, load_lanes(m_of(c)));
        }
#pragma unroll
        for (int i = 0; i < K / 16; ++i) {
          const Operand<E> d_s = pack<E>(d_state[i]);
          store(d_state_of(c), v0, 16 * i, d_s);
          multiply(i % 2 ? d_v_odd : d_v, d_s, load_right(decayed_k, token, 16 * i));
          if (!kByChannel && gates_too) multiply(states, d_s, load_right(state_of(c), v0, 16 * i));
        }
        add(d_v, d_v_odd);
        Operand<E> from_q = d_out;
        if constexpr (!kByChannel) {
          const Columns decay = load_columns(gates.decay + token), rest = load_columns(gates.rest + token);
          const float state_sum = total * diagonal_part(states);
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            if (i == c) own_state_sums[i] = state_sum;
          }
          Acc outputs = unpack(d_out);
#pragma unroll
          for (int i = 0; i < 8; ++i) {
            d_v.x[i] *= rest[i];
            outputs.x[i] *= p.scale * decay[i];
          }
          from_q = pack<E>(outputs);
        }
        add(d_v, d_v_inside);
        store_transposed(d_v_tile, token, v0, pack<E>(d_v));
#pragma unroll
        for (int i = 0; i < K / 16; ++i) {
          const Columns decay = state_decay<kByChannel>(total, totals + c * K, i);
#pragma unroll
          for (int j = 0; j < 8; ++j) d_state[i].x[j] *= decay[j];
          multiply(d_state[i], from_q, load_transposed_right(decayed_q, token, 16 * i));
        }
      }
    }
    __syncthreads();

    if (!kByChannel && holds_state) {
      const float sum = quad_sum(column_sums(own_state_sums));
      if ((lane & 7) == 0 && lane / 8 < Shape::kChunks) state_sums[warp * Shape::kChunks + lane / 8] = sum;
    }
    for (int c = warp / Shape::kParts; c < chunks; c += Shape::kWarps / Shape::kParts) {
      const int token = kChunk * c, part = warp % Shape::kParts;
      Operand<E> held[Shape::kHold ? 2 * (V / 16) : 1];
      if constexpr (Shape::kHold) {
#pragma unroll
        for (int j = 0; j < V / 16; ++j) {
          held[2 * j] = load(o_tile, token, 16 * j);
          held[2 * j + 1] = load(v_tile, token, 16 * j);
        }
      }
      const auto d_out = [&](int j) {
        if constexpr (Shape::kHold)
          return held[2 * j];
        else
          return load(o_tile, token, 16 * j);
      };
      const auto values = [&](int j) {
        if constexpr (Shape::kHold)
          return held[2 * j + 1];
        else
          return load(v_tile, token, 16 * j);
      };

      Acc d_m = zero_acc();  // (dm)^T
#pragma unroll
      for (int j = 0; j < V / 16; ++j) multiply(d_m, values(j), to_right(d_out(j)));
      if constexpr (kByChannel) {
        const TokenPairs<E> pairs = pairs_of<E>(d_m, p.scale);
#pragma unroll 1
        for (int i = part; i < K / 16; i += Shape::kParts) {
          Acc d_q = zero_acc(), d_k = zero_acc(), states = zero_acc();  // transposed
#pragma unroll
          for (int j = 0; j < V / 16; ++j) {
            const Operand<E> s = load_transposed(state_of(c), 16 * j, 16 * i),
                             d_s = load_transposed(d_state_of(c), 16 * j, 16 * i);
            multiply(d_q, s, to_right(d_out(j)));
            multiply(d_k, d_s, to_right(values(j)));
            multiply(states, s, to_right(d_s));
          }
          const Operand<E> queries = load_transposed(q_tile, token, 16 * i),
                           keys = load_transposed(k_tile, token, 16 * i);
          const Acc d_g = differentiate_inside(d_q, d_k, states, queries, keys,
                                               unpack(load_transposed(g_tile, token, 16 * i)), pairs, p.scale);
          store_transposed(decayed_q, token, 16 * i, pack<E>(d_q));
          store_transposed(decayed_k, token, 16 * i, pack<E>(d_k));
          store_transposed(g_tile, token, 16 * i, pack<float>(d_g));
        }
      } else {
        const Acc m = unpack(to_left(load_lanes(m_of(c))));
        const GateSums from_pairs = differentiate_inside(d_m, m, gates, token, p.scale);
        const Operand<E> q_by_k = pack<E>(d_m), k_by_q = transpose(q_by_k);
        float decay_row[2], rest_row[2], row_sum[2], rest_sum[2] = {};
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          decay_row[r] = gates.decay[token + acc_row(2 * r)];
          rest_row[r] = gates.rest[token + acc_row(2 * r)];
          row_sum[r] = part == 0 ? -from_pairs.row[r] : 0.0f;
        }
#pragma unroll 1
        for (int i = part; i < K / 16; i += Shape::kParts) {
          Acc d_q = zero_acc(), d_k = zero_acc();
#pragma unroll
          for (int j = 0; j < V / 16; ++j) {
            multiply(d_q, d_out(j), load_transposed_right(state_of(c), 16 * j, 16 * i));
            multiply(d_k, values(j), load_transposed_right(d_state_of(c), 16 * j, 16 * i));
          }
          const Acc queries = unpack(load(q_tile, token, 16 * i)), keys = unpack(load(k_tile, token, 16 * i));
#pragma unroll
          for (int e = 0; e < 8; ++e) {
            const int r = (e >> 1) & 1;
            d_q.x[e] *= p.scale * decay_row[r];
            d_k.x[e] *= rest_row[r];
            row_sum[r] += d_q.x[e] * queries.x[e];
            rest_sum[r] += d_k.x[e] * keys.x[e];
          }
          multiply(d_q, k_by_q, load_transposed_right(k_tile, token, 16 * i));
          multiply(d_k, q_by_k, load_transposed_right(q_tile, token, 16 * i));
          __syncwarp();
          store(q_tile, token, 16 * i, pack<E>(d_q));
          store(k_tile, token, 16 * i, pack<E>(d_k));
        }
        if (gates_too) {
          const float carried = warp_sum(rest_sum[0] + rest_sum[1]);
          float* to = gate_sums + part * kTokens + token;
          float row[2];
#pragma unroll
          for (int r = 0; r < 2; ++r) row[r] = quad_sum(row_sum[r] - rest_sum[r]);
          if ((lane & 3) == 0) {
            to[lane / 4] = row[0];
            to[lane / 4 + 8] = row[1];
          }
          __syncwarp();
          if (part == 0) {
            const float sum = column_sums(from_pairs.column);
            if ((lane & 4) == 0) to[summed_column()] += sum;
            __syncwarp();
          }
          if (lane == 0) to[kChunk - 1] += carried;
        }
      }
    }
    __syncthreads();

    write_rows<E, K, kTokens, kThreads>(decayed_q, static_cast<E*>(p.d_q) + at * K, k_stride, left);
    write_rows<E, K, kTokens, kThreads>(decayed_k, static_cast<E*>(p.d_k) + at * K, k_stride, left);
    write_rows<E, V, kTokens, kThreads>(d_v_tile, static_cast<E*>(p.d_v) + at * V, v_stride, left);
    if constexpr (kByChannel) {
      if (gates_too)
        write_rows<float, K, kTokens, kThreads>(g_tile, static_cast<float*>(p.d_g) + at * K, k_stride, left);
    }
    // A thread loads into what it has just written out: no barrier between.
    if (n > 0) load_all(n - 1);

    if (!kByChannel && gates_too && warp * 32 < kTokens) {
      const int t = min(thread, kTokens - 1), c = t / kChunk;
      float sum = 0.0f;
      if (c < chunks) {
        for (int part = 0; part < Shape::kParts; ++part) sum += gate_sums[part * kTokens + t];
        if (t % kChunk == kChunk - 1) {
          for (int w = 0; w < Shape::kSlices; ++w) sum += state_sums[w * Shape::kChunks + c];
        }
      }
      sum = sum_onwards(sum, lane & 15);
      if (thread < kTokens && thread < left) store_gate(p.d_g, p.gate_type, at + thread * p.heads, sum);
    }
  }
  if (p.d_initial_state && holds_state) store_state<K, V>(d_state, p.d_initial_state + head * K * V, v0);
}

}  // namespace plait::kernels::cuda::linear
