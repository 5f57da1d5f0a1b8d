#pragma once

#include "kernels/gated_delta_rule/chunk.cuh"

namespace plait::kernels::cuda {

constexpr int max_of(int a, int b) { return a > b ? a : b; }

template <class E, int K, int V>
struct BackwardShape {
  static constexpr int kTokens = checkpoint_tokens<E, K, V>();  ///< that a block holds at once
  static constexpr int kChunks = kTokens / kChunk;
  static constexpr int kSlices = V / kSlice;               ///< warps that hold a slice of the states
  static constexpr int kWarps = max_of(kSlices, kChunks);  ///< all take chunks
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kParts = max_of(1, kWarps / kChunks);  ///< warps that share a chunk where chunks go to warps
  static constexpr int kMinBlocks = sizeof(E) == 4 || V == 128 || K == 128 ? 1 : V == 64 ? 2 : 4;
  static constexpr int kUnroll = V == 32 ? 2 : 1;  ///< measured
  /// Operands of a whole chunk that stay in registers while the columns of K pass by.
  static constexpr bool kHold = V * static_cast<int>(sizeof(E)) <= 256;
  static constexpr int kSize = static_cast<int>(sizeof(E));
  static constexpr int kTileBytes = kTokens * (2 * K + 3 * V) * kSize;
  static constexpr int kStateBytes = K * V * kSize;
  static constexpr int kOperandBytes = 32 * static_cast<int>(sizeof(Operand<E>));
  /// The solves make room for sums over warps once they are done.
  static constexpr int kSumBytes = 16 * ((kSlices * (kTokens + kChunks) + kParts * kTokens + 3) / 4);
  static constexpr int kSolveBytes = max_of(kChunks * Solve<E>::kBytes, kSumBytes);
  static constexpr int kBytes =
      kTileBytes + 2 * kChunks * kStateBytes + kSolveBytes + 2 * kChunks * kOperandBytes + Gates<E>::kBytes * kTokens;
};

/// A block walks one head of one sequence from its end. Per kTokens tokens, from a checkpoint of the state:
/// 1. chunks to warps: the products inside chunks;
/// 2. columns of V to warps: forward through the chunks for S0, Vn, U; back through them for dS1, Y, dbeta, dS in
/// registers;
/// 3. chunks to warps: the gradients of m and b, then dq, dk (columns of K pass by), dg.
/// No sum crosses blocks; those that cross warps are taken in a fixed order.
template <class E, int K, int V>
__global__ void __launch_bounds__(BackwardShape<E, K, V>::kThreads, BackwardShape<E, K, V>::kMinBlocks)
    backward_kernel(const PlaitGatedDeltaRule p) {
  using Shape = BackwardShape<E, K, V>;
  constexpr int kTokens = Shape::kTokens, kThreads = Shape::kThreads;
  extern __shared__ __align__(1024) unsigned char shared[];
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = lane_id(), v0 = warp * kSlice;
  const std::int64_t head = blockIdx.x, sequence = head / p.heads, h = head % p.heads;
  const std::int64_t first = sequence * p.tokens * p.heads + h;
  const int tokens = static_cast<int>(p.tokens), loads = (tokens + kTokens - 1) / kTokens;
  const bool gated = p.g != nullptr, holds_state = warp < Shape::kSlices;
  const std::int64_t k_stride = p.heads * K, v_stride = p.heads * V;

  // Tiles of the block's tokens, and where their gradients take their place: q -> dq, k -> dk, v -> Vn, beta Y = dv.
  const Tile<E, K> q_tile(shared), k_tile(shared + kTokens * K * Shape::kSize);
  const Tile<E, V> v_tile(shared + 2 * kTokens * K * Shape::kSize), y_tile(v_tile.memory + kTokens * V * Shape::kSize),
      o_tile(y_tile.memory + kTokens * V * Shape::kSize);
  unsigned char* states = shared + Shape::kTileBytes;                      // per chunk S0^T [V, K]
  unsigned char* d_states = states + Shape::kChunks * Shape::kStateBytes;  // per chunk dS1^T [V, K]
  unsigned char* solves = d_states + Shape::kChunks * Shape::kStateBytes;
  unsigned char* operands = solves + Shape::kSolveBytes;
  auto* sums = reinterpret_cast<typename Gates<E>::Sum*>(operands + 2 * Shape::kChunks * Shape::kOperandBytes);
  float* numbers = reinterpret_cast<float*>(sums + kTokens);
  const Gates<E> gates{sums, numbers, numbers + kTokens, numbers + 2 * kTokens};
  float* d_beta_sums = reinterpret_cast<float*>(solves);      // [slices, tokens]
  float* gate_sums = d_beta_sums + Shape::kSlices * kTokens;  // [parts, tokens]
  float* state_sums = gate_sums + Shape::kParts * kTokens;    // [slices, chunks], e^(G_last) <S0, dS1>
  const auto state_of = [&](int c) { return Tile<E, K>(states + c * Shape::kStateBytes); };
  const auto d_state_of = [&](int c) { return Tile<E, K>(d_states + c * Shape::kStateBytes); };
  const auto solve_of = [&](int c) { return Solve<E>{solves + c * Solve<E>::kBytes}; };
  const auto m_of = [&](int c) { return reinterpret_cast<Right<E>*>(operands + 2 * c * Shape::kOperandBytes); };
  const auto b_of = [&](int c) { return reinterpret_cast<Right<E>*>(operands + (2 * c + 1) * Shape::kOperandBytes); };

  float next_g = 0.0f, next_beta = 0.0f;
  Operand<E> next_state[K / 16];
  const auto load_all = [&](int n) {
    const int token = n * kTokens, valid = tokens - token;
    const std::int64_t at = first + token * p.heads;
    load_rows<E, K, kTokens, kThreads>(q_tile, static_cast<const E*>(p.q) + at * K, k_stride, valid);
    load_rows<E, K, kTokens, kThreads>(k_tile, static_cast<const E*>(p.k) + at * K, k_stride, valid);
    load_rows<E, V, kTokens, kThreads>(v_tile, static_cast<const E*>(p.v) + at * V, v_stride, valid);
    load_rows<E, V, kTokens, kThreads>(o_tile, static_cast<const E*>(p.d_output) + at * V, v_stride, valid);
    next_g = next_beta = 0.0f;
    if (thread < kTokens && thread < valid) {
      const std::int64_t index = at + thread * p.heads;
      if (gated) next_g = load_gate(p.g, p.gate_type, index);
      next_beta = load_gate(p.beta, p.gate_type, index);
    }
    if (n > 0 && holds_state) {
      const Operand<E>* from = checkpoint<E, K, V>(p.workspace, head, loads - 1, n - 1, warp);
#pragma unroll
      for (int i = 0; i < K / 16; ++i) next_state[i] = load_lanes(from + 32 * i);
    }
  };

  if (loads > 0) load_all(loads - 1);
  Acc d_state[K / 16];  // dS^T [16, K]
  load_state<K, V>(d_state, p.d_final_state && holds_state ? p.d_final_state + head * K * V : nullptr, v0);

  for (int n = loads - 1; n >= 0; --n) {
    const int left = tokens - n * kTokens;
    const int chunks = min(Shape::kChunks, (left + kChunk - 1) / kChunk);
    if (thread < kTokens) {
      gates.rest[thread] = next_g;  // where sum_gates finds them raw
      gates.weight[thread] = next_beta;
    }
    wait_for_copies();
    __syncthreads();
    if (n > 0) {  // the next loads: there is no room for them yet
      const std::int64_t at = first + (n - 1) * kTokens * p.heads;
      prefetch_rows<E, K, kTokens, kThreads>(static_cast<const E*>(p.q) + at * K, k_stride);
      prefetch_rows<E, K, kTokens, kThreads>(static_cast<const E*>(p.k) + at * K, k_stride);
      prefetch_rows<E, V, kTokens, kThreads>(static_cast<const E*>(p.v) + at * V, v_stride);
      prefetch_rows<E, V, kTokens, kThreads>(static_cast<const E*>(p.d_output) + at * V, v_stride);
      if (n > 1 && holds_state) {
        const Operand<E>* next = checkpoint<E, K, V>(p.workspace, head, loads - 1, n - 2, warp);
        for (int i = lane; i < (K / 16) * Shape::kOperandBytes / 128; i += 32) {
          prefetch(reinterpret_cast<const unsigned char*>(next) + 128 * i);
        }
      }
    }

    for (int c = warp; c < chunks; c += Shape::kWarps) {
      sum_gates<E>(gates, kChunk * c, gates.rest, gates.weight);
      multiply_inside<E, K, true>(q_tile, k_tile, kChunk * c, gates, p.scale, solve_of(c), m_of(c), b_of(c));
    }
    __syncthreads();

    float own_state_sums[4] = {};
    // Of chunk 2i, or 2i + 1 in lanes with bit 2 set.
    float own_d_beta[(Shape::kChunks + 1) / 2] = {};
    if (holds_state) {
      Acc state[K / 16];
      if (n > 0) {
#pragma unroll
        for (int i = 0; i < K / 16; ++i) state[i] = unpack(next_state[i]);
      } else {
        load_state<K, V>(state, p.initial_state ? p.initial_state + head * K * V : nullptr, v0);
      }
      // Forward again: S0, Vn and U = (v - decayed S0 k) - b Vn, whose product with Y is dbeta.
#pragma unroll 1
      for (int c = 0; c < chunks; ++c) {
        const int token = kChunk * c;
        const Columns decay = load_columns(gates.decay, token), rest = load_columns(gates.rest, token),
                      weight = load_columns(gates.weight, token);
        const float last_decay = gates.decay[token + kChunk - 1];
        Acc seen = zero_acc(), seen_odd = zero_acc();
#pragma unroll
        for (int i = 0; i < K / 16; ++i) {
          const Operand<E> s = pack<E>(state[i]);
          store(state_of(c), v0, 16 * i, s);
          multiply(i % 2 ? seen_odd : seen, s, load_right(k_tile, token, 16 * i));
        }
        add(seen, seen_odd);
        Acc error = unpack(load_transposed(v_tile, token, v0)), target;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          error.x[i] -= decay[i] * seen.x[i];
          target.x[i] = weight[i] * error.x[i];
        }
        Acc fresh = zero_acc();
        multiply(fresh, split<E>(target), solve_of(c).rows());
        const Operand<E> fresh_operand = pack<E>(fresh);
        Acc inside = zero_acc();
        multiply(inside, fresh_operand, load_lanes(b_of(c)));
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          error.x[i] -= inside.x[i];
          fresh.x[i] *= rest[i];
        }
        store_transposed(v_tile, token, v0, fresh_operand);
        store_own(y_tile, token, v0, pack<E>(error));
        const Operand<E> added = pack<E>(fresh);
#pragma unroll
        for (int i = 0; i < K / 16; ++i) {
#pragma unroll
          for (int j = 0; j < 8; ++j) state[i].x[j] *= last_decay;
          multiply(state[i], added, load_transposed_right(k_tile, token, 16 * i));
        }
      }

#pragma unroll 1
      for (int c = chunks - 1; c >= 0; --c) {
        const int token = kChunk * c;
        const Columns decay = load_columns(gates.decay, token), rest = load_columns(gates.rest, token),
                      weight = load_columns(gates.weight, token);
        const float last_decay = gates.decay[token + kChunk - 1];
        const Operand<E> d_out = load_transposed(o_tile, token, v0);  // dO^T
        Acc d_fresh = zero_acc(), d_fresh_odd = zero_acc(), inside = zero_acc(), states = zero_acc();
        multiply(inside, d_out, load_lanes(m_of(c)));
#pragma unroll
        for (int i = 0; i < K / 16; ++i) {
          const Operand<E> d_s = pack<E>(d_state[i]);
          store(d_state_of(c), v0, 16 * i, d_s);
          multiply(i % 2 ? d_fresh_odd : d_fresh, d_s, load_right(k_tile, token, 16 * i));
          if (gated) multiply(states, d_s, load_right(state_of(c), v0, 16 * i));
        }
        add(d_fresh, d_fresh_odd);
        const float state_sum = last_decay * diagonal_part(states);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          if (i == c) own_state_sums[i] = state_sum;
        }
#pragma unroll
        for (int i = 0; i < 8; ++i) d_fresh.x[i] = inside.x[i] + rest[i] * d_fresh.x[i];
        Acc y = zero_acc();
        multiply(y, split<E>(d_fresh), solve_of(c).columns());
        const Acc error = unpack(load_own(y_tile, token, v0));
        __syncwarp();
        float by_token[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int a = (i & 1) + 4 * (i >> 1);  // the entry of column i in the upper half
          by_token[i] = y.x[a] * error.x[a] + y.x[a + 2] * error.x[a + 2];
        }
        const float d_beta = column_sums(by_token);
#pragma unroll
        for (int i = 0; i < (Shape::kChunks + 1) / 2; ++i) {
          if (c == 2 * i + ((lane >> 2) & 1)) own_d_beta[i] = d_beta;
        }
        Acc from_q = unpack(d_out), from_k;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          from_q.x[i] *= p.scale * decay[i];
          y.x[i] *= weight[i];
          from_k.x[i] = -decay[i] * y.x[i];
        }
        store_transposed(y_tile, token, v0, pack<E>(y));
        const Operand<E> q_factor = pack<E>(from_q), k_factor = pack<E>(from_k);
#pragma unroll
        for (int i = 0; i < K / 16; ++i) {
#pragma unroll
          for (int j = 0; j < 8; ++j) d_state[i].x[j] *= last_decay;
          multiply(d_state[i], q_factor, load_transposed_right(q_tile, token, 16 * i));
          multiply(d_state[i], k_factor, load_transposed_right(k_tile, token, 16 * i));
        }
      }
    }
    __syncthreads();

    if (holds_state) {
#pragma unroll
      for (int i = 0; i < (Shape::kChunks + 1) / 2; ++i) {
        const int c = 2 * i + ((lane >> 2) & 1);
        if (c < Shape::kChunks) d_beta_sums[warp * kTokens + kChunk * c + summed_column()] = own_d_beta[i];
      }
      const float sum = quad_sum(column_sums(own_state_sums));
      if ((lane & 7) == 0 && lane / 8 < Shape::kChunks) state_sums[warp * Shape::kChunks + lane / 8] = sum;
    }
    for (int c = warp / Shape::kParts; c < chunks; c += Shape::kWarps / Shape::kParts) {
      const int token = kChunk * c, part = warp % Shape::kParts;
      Operand<E> held[Shape::kHold ? 3 * (V / 16) : 1];
      if constexpr (Shape::kHold) {
#pragma unroll
        for (int j = 0; j < V / 16; ++j) {
          held[3 * j] = load(o_tile, token, 16 * j);
          held[3 * j + 1] = load(y_tile, token, 16 * j);
          held[3 * j + 2] = load(v_tile, token, 16 * j);
        }
      }
      const auto d_out = [&](int j) {
        if constexpr (Shape::kHold)
          return held[3 * j];
        else
          return load(o_tile, token, 16 * j);
      };
      const auto y = [&](int j) {
        if constexpr (Shape::kHold)
          return held[3 * j + 1];
        else
          return load(y_tile, token, 16 * j);
      };
      const auto fresh = [&](int j) {
        if constexpr (Shape::kHold)
          return held[3 * j + 2];
        else
          return load(v_tile, token, 16 * j);
      };

      Acc d_m = zero_acc(), d_b = zero_acc();  // (dm)^T; beta times -db
#pragma unroll
      for (int j = 0; j < V / 16; ++j) {
        multiply(d_m, fresh(j), to_right(d_out(j)));
        multiply(d_b, y(j), to_right(fresh(j)));
      }
      const Acc m = unpack(to_left(load_lanes(m_of(c)))), b = unpack(to_left(load_lanes(b_of(c))));
      float gate_row[2] = {}, gate_column[4] = {};
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const int row = acc_row(i), col = acc_col(i);
        const float decay = decay_of<E>(gate_distance(gates, token + row, token + col));
        d_m.x[i] = col >= row ? d_m.x[i] : 0.0f;
        d_b.x[i] = row > col ? -d_b.x[i] : 0.0f;
        const float moved = d_b.x[i] * b.x[i] - d_m.x[i] * m.x[i];
        gate_row[(i >> 1) & 1] += moved;
        gate_column[(i & 1) + 2 * (i >> 2)] += moved;
        d_m.x[i] *= p.scale * decay;
        d_b.x[i] *= decay;
      }
      const Operand<E> q_by_k = pack<E>(d_m), k_by_q = transpose(q_by_k), lower = pack<E>(d_b),
                       k_by_k = join(lower, transpose(lower));
      float decay_row[2], rest_row[2], q_sum[2] = {}, k_sum[2] = {}, rest_sum[2] = {};
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        decay_row[r] = gates.decay[token + acc_row(2 * r)];
        rest_row[r] = gates.rest[token + acc_row(2 * r)];
      }
#pragma unroll Shape::kUnroll
      for (int i = part; i < K / 16; i += Shape::kParts) {
        Acc d_q = zero_acc(), d_k = zero_acc(), d_rest = zero_acc();
#pragma unroll
        for (int j = 0; j < V / 16; ++j) {
          const Right<E> s = load_transposed_right(state_of(c), 16 * j, 16 * i);
          multiply(d_q, d_out(j), s);
          multiply(d_k, y(j), s);
          multiply(d_rest, fresh(j), load_transposed_right(d_state_of(c), 16 * j, 16 * i));
        }
        const Acc queries = unpack(load(q_tile, token, 16 * i)), keys = unpack(load(k_tile, token, 16 * i));
#pragma unroll
        for (int e = 0; e < 8; ++e) {
          const int r = (e >> 1) & 1;
          d_q.x[e] *= p.scale * decay_row[r];
          d_k.x[e] *= -decay_row[r];
          d_rest.x[e] *= rest_row[r];
          q_sum[r] += d_q.x[e] * queries.x[e];
          k_sum[r] += d_k.x[e] * keys.x[e];
          rest_sum[r] += d_rest.x[e] * keys.x[e];
          d_k.x[e] += d_rest.x[e];
        }
        const Right<E> keys_columns = load_transposed_right(k_tile, token, 16 * i),
                       queries_columns = load_transposed_right(q_tile, token, 16 * i);
        multiply(d_q, k_by_q, keys_columns);
        multiply(d_k, k_by_k, keys_columns);
        multiply(d_k, q_by_k, queries_columns);
        __syncwarp();
        store(q_tile, token, 16 * i, pack<E>(d_q));
        store(k_tile, token, 16 * i, pack<E>(d_k));
      }
      if (gated) {
        const float carried = warp_sum(rest_sum[0] + rest_sum[1]);
        float* to = gate_sums + part * kTokens + token;
        float row[2];
#pragma unroll
        for (int r = 0; r < 2; ++r)
          row[r] = quad_sum((part == 0 ? gate_row[r] : 0.0f) + q_sum[r] + k_sum[r] - rest_sum[r]);
        if ((lane & 3) == 0) {
          to[lane / 4] = row[0];
          to[lane / 4 + 8] = row[1];
        }
        __syncwarp();
        if (part == 0) {
          const float sum = column_sums(gate_column);
          if ((lane & 4) == 0) to[summed_column()] -= sum;
          __syncwarp();
        }
        if (lane == 0) to[kChunk - 1] += carried;
      }
    }
    __syncthreads();

    const std::int64_t at = first + static_cast<std::int64_t>(n) * kTokens * p.heads;
    write_rows<E, K, kTokens, kThreads>(q_tile, static_cast<E*>(p.d_q) + at * K, k_stride, left);
    write_rows<E, K, kTokens, kThreads>(k_tile, static_cast<E*>(p.d_k) + at * K, k_stride, left);
    write_rows<E, V, kTokens, kThreads>(y_tile, static_cast<E*>(p.d_v) + at * V, v_stride, left);
    // A thread loads into what it has just written out: no barrier between.
    if (n > 0) load_all(n - 1);

    if (thread < kTokens) {
      float d_beta = 0.0f;
      for (int w = 0; w < Shape::kSlices; ++w) d_beta += d_beta_sums[w * kTokens + thread];
      const std::int64_t index = at + thread * p.heads;
      if (thread < left) store_gate(p.d_beta, p.gate_type, index, d_beta);
    }
    if (gated && warp * 32 < kTokens) {
      const int t = min(thread, kTokens - 1), c = t / kChunk;
      float sum = 0.0f;
      if (c < chunks) {
        for (int part = 0; part < Shape::kParts; ++part) sum += gate_sums[part * kTokens + t];
        if (t % kChunk == kChunk - 1) {
          for (int w = 0; w < Shape::kSlices; ++w) sum += state_sums[w * Shape::kChunks + c];
        }
      }
#pragma unroll
      for (int d = 1; d < kChunk; d *= 2) {
        const float after = __shfl_down_sync(0xffffffffu, sum, d, 16);
        if ((lane & 15) + d < 16) sum += after;
      }
      const std::int64_t index = at + thread * p.heads;
      if (thread < kTokens && thread < left) store_gate(p.d_g, p.gate_type, index, sum);
    }
  }
  if (p.d_initial_state && holds_state) store_state<K, V>(d_state, p.d_initial_state + head * K * V, v0);
}

}  // namespace plait::kernels::cuda
