#pragma once

#include <algorithm>

#include "kernels/gated_delta_rule/chunk.cuh"

namespace plait::kernels::cuda {

template <class E, int K, int V>
struct BackwardShape {
  static constexpr int kTokens = checkpoint_tokens<E, K, V>();  ///< that a block holds at once
  static constexpr int kChunks = kTokens / kChunk;
  static constexpr int kSlices = V / kSlice;                 ///< warps that hold a slice of the states
  static constexpr int kWarps = std::max(kSlices, kChunks);  ///< all take chunks
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kParts = kWarps / kChunks;  ///< warps that share a chunk where chunks go to warps
  static constexpr int kMinBlocks = sizeof(E) == 4 || V == 128 || K == 128 ? 1 : V == 64 ? 2 : 4;
  /// In the last step a chunk's record and rows of all tiles are one warp's: it loads the next ones into their place as
  /// soon as it has no more use for them.
  static constexpr bool kOwnChunk = kParts == 1 && K <= kTokens;
  static constexpr int kUnroll = V == 32 ? 2 : 1;  ///< measured
  /// Operands of a whole chunk that stay in registers while the columns of K pass by.
  static constexpr bool kHold = V * static_cast<int>(sizeof(E)) <= 256;
  static_assert(kHold || !kOwnChunk);
  static constexpr int kSize = static_cast<int>(sizeof(E));
  /// Room for the next tokens beside the present ones, where one block fills a multiprocessor in any case.
  static constexpr int kStages = V == 128 && K >= 64 ? 2 : 1;
  static constexpr int kStageBytes = kTokens * (2 * K + 2 * V) * kSize;
  static constexpr int kTileBytes = kStages * kStageBytes + kTokens * V * kSize;
  static constexpr int kStateBytes = K * V * kSize;
  /// Sums over warps, in the place of a chunk's T once that is done.
  static constexpr int kSumBytes = 4 * (kChunk * (kSlices + kParts) + kSlices);
  static_assert(kSumBytes <= Solve<E>::kBytes || kChunks == 1);
  static constexpr int kRecordBytes = kChunks * Record<E>::kBytes + std::max(0, kSumBytes - Solve<E>::kBytes);
  static constexpr int kBytes = kTileBytes + 2 * kChunks * kStateBytes + kRecordBytes;
};

/// A block walks one head of one sequence from its end. Per kTokens tokens, from a checkpoint of the state and the
/// chunks' records:
/// 1. columns of V to warps: forward through the chunks for S0, Vn, U; back through them for dS1, Y, dbeta, dS in
/// registers;
/// 2. chunks to warps: the gradients of m and b, then dq, dk (columns of K pass by), dg.
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
  const auto q_of = [&](int n) { return Tile<E, K>(shared + (n % Shape::kStages) * Shape::kStageBytes); };
  const auto k_of = [&](int n) { return Tile<E, K>(q_of(n).memory + kTokens * K * Shape::kSize); };
  const auto v_of = [&](int n) { return Tile<E, V>(k_of(n).memory + kTokens * K * Shape::kSize); };
  const auto o_of = [&](int n) { return Tile<E, V>(v_of(n).memory + kTokens * V * Shape::kSize); };
  const Tile<E, V> y_tile(shared + Shape::kStages * Shape::kStageBytes);
  unsigned char* states = shared + Shape::kTileBytes;                      // per chunk S0^T [V, K]
  unsigned char* d_states = states + Shape::kChunks * Shape::kStateBytes;  // per chunk dS1^T [V, K]
  unsigned char* records = d_states + Shape::kChunks * Shape::kStateBytes;
  const auto state_of = [&](int c) { return Tile<E, K>(states + c * Shape::kStateBytes); };
  const auto d_state_of = [&](int c) { return Tile<E, K>(d_states + c * Shape::kStateBytes); };
  const auto record_of = [&](int c) { return Record<E>{records + c * Record<E>::kBytes}; };
  const auto d_beta_sums = [&](int c) { return reinterpret_cast<float*>(record_of(c).inside().solve().memory); };
  const auto gate_sums = [&](int c) { return d_beta_sums(c) + kChunk * Shape::kSlices; };  // [parts, 16]
  // e^(G_last) <S0, dS1> [slices]; before them [slices, 16] and [parts, 16].
  const auto state_sums = [&](int c) { return gate_sums(c) + kChunk * Shape::kParts; };

  auto* const all_records = static_cast<unsigned char*>(p.workspace);
  const std::int64_t first_record = head * ((tokens + kChunk - 1) / kChunk);
  const auto checkpoint_at = [&](int n) {
    return checkpoint<E, K, V>(all_records + record_bytes<E>(p), head, loads - 1, n, warp);
  };
  const auto record_at = [&](int n) { return all_records + (first_record + n * Shape::kChunks) * Record<E>::kBytes; };
  // The rows that a thread has a part in, of the tiles of each load.
  constexpr int kRows = Shape::kOwnChunk ? kChunk : kTokens, kRowThreads = Shape::kOwnChunk ? 32 : kThreads;
  const int first_row = Shape::kOwnChunk ? kChunk * warp : 0;
  const auto load_keys = [&](int n) {
    const int token = n * kTokens + first_row;
    const std::int64_t at = (first + token * p.heads) * K;
    load_rows<E, K, kRows, kRowThreads>(q_of(n).from(first_row), static_cast<const E*>(p.q) + at, k_stride,
                                        tokens - token);
    load_rows<E, K, kRows, kRowThreads>(k_of(n).from(first_row), static_cast<const E*>(p.k) + at, k_stride,
                                        tokens - token);
  };
  const auto load_values = [&](int n) {
    const int token = n * kTokens + first_row;
    const std::int64_t at = (first + token * p.heads) * V;
    load_rows<E, V, kRows, kRowThreads>(v_of(n).from(first_row), static_cast<const E*>(p.v) + at, v_stride,
                                        tokens - token);
    load_rows<E, V, kRows, kRowThreads>(o_of(n).from(first_row), static_cast<const E*>(p.d_output) + at, v_stride,
                                        tokens - token);
  };
  // A warp's checkpoint waits in its own columns of y_tile, or where its rows of the first chunk's state take its
  // place.
  const auto own_checkpoint = [&](int i) {
    return reinterpret_cast<Operand<E>*>(state_of(0).from(v0).memory) + 32 * i;
  };
  const auto load_checkpoint = [&](int n) {
    if (n == 0 || !holds_state) return;
#pragma unroll
    for (int i = 0; i < K / 16; ++i) {
      const Operand<E>* from = checkpoint_at(n - 1) + 32 * i;
      if constexpr (Shape::kOwnChunk) {
        copy_own(y_tile, 16 * i, v0, from);
      } else {
        copy_lanes(own_checkpoint(i), from);
      }
    }
  };
  constexpr int kRecordsAWarp = Shape::kOwnChunk || Shape::kChunks == 1 ? 1 : 2;
  const auto load_records = [&](int n) {
    const int c = kRecordsAWarp * warp, count = min(kRecordsAWarp, (tokens - n * kTokens + kChunk - 1) / kChunk - c);
    for (int i = lane; i < count * Record<E>::kBytes / 16; i += 32)
      copy_async(record_of(c).memory + 16 * i, record_at(n) + c * Record<E>::kBytes + 16 * i, true);
  };

  if (loads > 0) {
    load_keys(loads - 1);
    load_values(loads - 1);
    load_checkpoint(loads - 1);
    if (kRecordsAWarp * warp < Shape::kChunks) load_records(loads - 1);
  }
  Acc d_state[K / 16];  // dS^T [16, K]
  load_state<K, V>(d_state, p.d_final_state && holds_state ? p.d_final_state + head * K * V : nullptr, v0);

  for (int n = loads - 1; n >= 0; --n) {
    const int left = tokens - n * kTokens;
    const int chunks = min(Shape::kChunks, (left + kChunk - 1) / kChunk);
    wait_for_copies();
    __syncthreads();
    const Tile<E, K> q_tile = q_of(n), k_tile = k_of(n);
    const Tile<E, V> v_tile = v_of(n), o_tile = o_of(n);
    if (n > 0) {
      if constexpr (Shape::kStages == 2) {
        load_keys(n - 1);
        load_values(n - 1);
      } else {  // there is no room for them yet
        const std::int64_t at = first + (n - 1) * kTokens * p.heads;
        prefetch_rows<E, K, kTokens, kThreads>(static_cast<const E*>(p.q) + at * K, k_stride);
        prefetch_rows<E, K, kTokens, kThreads>(static_cast<const E*>(p.k) + at * K, k_stride);
        prefetch_rows<E, V, kTokens, kThreads>(static_cast<const E*>(p.v) + at * V, v_stride);
        prefetch_rows<E, V, kTokens, kThreads>(static_cast<const E*>(p.d_output) + at * V, v_stride);
      }
      if (n > 1 && holds_state) {
        const Operand<E>* next = checkpoint_at(n - 2);
        for (int i = lane; i < (K / 16) * Record<E>::kOperandBytes / 128; i += 32) {
          prefetch(reinterpret_cast<const unsigned char*>(next) + 128 * i);
        }
      }
      for (int i = thread; i < Shape::kChunks * Record<E>::kBytes / 128; i += kThreads)
        prefetch(record_at(n - 1) + 128 * i);
    }

    float own_state_sums[4] = {};
    // Of chunk 2i, or 2i + 1 in lanes with bit 2 set.
    float own_d_beta[(Shape::kChunks + 1) / 2] = {};
    if (holds_state) {
      Acc state[K / 16];
      if (n > 0) {
#pragma unroll
        for (int i = 0; i < K / 16; ++i)
          state[i] = unpack(Shape::kOwnChunk ? load_own(y_tile, 16 * i, v0) : load_lanes(own_checkpoint(i)));
        __syncwarp();
      } else {
        load_state<K, V>(state, p.initial_state ? p.initial_state + head * K * V : nullptr, v0);
      }
      // Forward again: S0, Vn and U = (v - decayed S0 k) - b Vn, whose product with Y is dbeta.
#pragma unroll 1
      for (int c = 0; c < chunks; ++c) {
        const int token = kChunk * c;
        const Gates<E> gates = record_of(c).inside().gates();
        const Columns decay = load_columns(gates.decay), rest = load_columns(gates.rest),
                      weight = load_columns(gates.weight);
        const float last_decay = gates.decay[kChunk - 1];
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
        multiply(fresh, split<E>(target), record_of(c).inside().solve().rows());
        const Operand<E> fresh_operand = pack<E>(fresh);
        Acc inside = zero_acc();
        multiply(inside, fresh_operand, load_lanes(record_of(c).b()));
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
        const Gates<E> gates = record_of(c).inside().gates();
        const Columns decay = load_columns(gates.decay), rest = load_columns(gates.rest),
                      weight = load_columns(gates.weight);
        const float last_decay = gates.decay[kChunk - 1];
        const Operand<E> d_out = load_transposed(o_tile, token, v0);  // dO^T
        Acc d_fresh = zero_acc(), d_fresh_odd = zero_acc(), inside = zero_acc(), states = zero_acc();
        multiply(inside, d_out, load_lanes(record_of(c).m()));
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
        multiply(y, split<E>(d_fresh), record_of(c).inside().solve().columns());
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
        if (c < Shape::kChunks) d_beta_sums(c)[warp * kChunk + summed_column()] = own_d_beta[i];
      }
      const float sum = quad_sum(column_sums(own_state_sums));
      if ((lane & 7) == 0 && lane / 8 < Shape::kChunks) state_sums(lane / 8)[warp] = sum;
    }
    const int c = warp / Shape::kParts, part = warp % Shape::kParts, token = kChunk * c;
    Operand<E> held[Shape::kHold ? 3 * (V / 16) : 1];
    if constexpr (Shape::kHold) {
#pragma unroll
      for (int j = 0; j < V / 16; ++j) {
        held[3 * j] = load(o_tile, token, 16 * j);
        held[3 * j + 1] = load(y_tile, token, 16 * j);
        held[3 * j + 2] = load(v_tile, token, 16 * j);
      }
    }
    const std::int64_t at = first + static_cast<std::int64_t>(n) * kTokens * p.heads;
    const auto write = [&]<int kCols>(const Tile<E, kCols>& tile, void* to, std::int64_t stride) {
      write_rows<E, kCols, kRows, kRowThreads>(
          tile.from(first_row), static_cast<E*>(to) + (at + first_row * p.heads) * kCols, stride, left - first_row);
    };
    float d_beta = 0.0f, d_gate = 0.0f;  // of a token a lane
    const auto sum_slices = [&](int t) {
      for (int w = 0; w < Shape::kSlices; ++w) d_beta += d_beta_sums(t / kChunk)[w * kChunk + t % kChunk];
      if (t % kChunk == kChunk - 1) {
        for (int w = 0; w < Shape::kSlices; ++w) d_gate += state_sums(t / kChunk)[w];
      }
    };
    const auto write_gates = [&](int t, bool mine) {
      const std::int64_t index = at + t * p.heads;
      if (mine && t < left) store_gate(p.d_beta, p.gate_type, index, d_beta);
      if (!gated) return;
      d_gate = sum_onwards(d_gate, t % kChunk);
      if (mine && t < left) store_gate(p.d_g, p.gate_type, index, d_gate);
    };
    if constexpr (Shape::kOwnChunk) {
      write(y_tile, p.d_v, v_stride);
      __syncthreads();  // the sums are there, and all of y_tile has been read
      sum_slices(token + lane % kChunk);
      if (n > 0) {
        load_values(n - 1);
        load_checkpoint(n - 1);
        __syncwarp();
        if (c >= chunks) load_records(n - 1);
      }
    }

    if (c < chunks) {
      const Gates<E> gates = record_of(c).inside().gates();
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
      const Acc m = unpack(to_left(load_lanes(record_of(c).m()))), b = unpack(to_left(load_lanes(record_of(c).b())));
      float gate_row[2] = {}, gate_column[4] = {};
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const int row = acc_row(i), col = acc_col(i);
        const float decay = decay_of<E>(gate_distance(gates, row, col));
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
        decay_row[r] = gates.decay[acc_row(2 * r)];
        rest_row[r] = gates.rest[acc_row(2 * r)];
      }
      if (Shape::kOwnChunk && n > 0) {
        __syncwarp();
        load_records(n - 1);
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
        float row[2];
#pragma unroll
        for (int r = 0; r < 2; ++r)
          row[r] = quad_sum((part == 0 ? gate_row[r] : 0.0f) + q_sum[r] + k_sum[r] - rest_sum[r]);
        const int t = lane % kChunk;
        const float upper = __shfl_sync(0xffffffffu, row[0], 4 * (t % 8)),
                    lower_half = __shfl_sync(0xffffffffu, row[1], 4 * (t % 8));
        float sum = t < 8 ? upper : lower_half;
        if (part == 0) sum -= __shfl_sync(0xffffffffu, column_sums(gate_column), lane_of_column(t));
        if (t == kChunk - 1) sum += carried;
        if constexpr (Shape::kOwnChunk) {
          d_gate += sum;
        } else {
          if (lane < kChunk) gate_sums(c)[part * kChunk + t] = sum;
        }
      }
    }
    if constexpr (Shape::kOwnChunk) {
      __syncwarp();
    } else {
      __syncthreads();
      if (n > 0) load_checkpoint(n - 1);
      constexpr int kTokensAWarp = kChunk * kRecordsAWarp;
      if (warp * kTokensAWarp < kTokens) {
        const int t = warp * kTokensAWarp + lane % kTokensAWarp;
        sum_slices(t);
        for (int i = 0; i < Shape::kParts; ++i) d_gate += gate_sums(t / kChunk)[i * kChunk + t % kChunk];
        write_gates(t, lane < kTokensAWarp);
        __syncwarp();
        if (n > 0) load_records(n - 1);
      }
      write(y_tile, p.d_v, v_stride);
    }
    write(q_tile, p.d_q, k_stride);
    write(k_tile, p.d_k, k_stride);
    if (n > 0 && Shape::kStages == 1) {  // a thread loads into what it has just written out: no barrier between
      load_keys(n - 1);
      if (!Shape::kOwnChunk) load_values(n - 1);
    }
    if constexpr (Shape::kOwnChunk) write_gates(token + lane % kChunk, lane < kChunk);
  }
  if (p.d_initial_state && holds_state) store_state<K, V>(d_state, p.d_initial_state + head * K * V, v0);
}

}  // namespace plait::kernels::cuda
