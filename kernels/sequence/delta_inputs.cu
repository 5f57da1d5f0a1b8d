#include <algorithm>
#include <type_traits>

#include "kernels/sequence/taps.cuh"

/// Two kernels a pass: convolution, SiLU and norms of the q, k and v columns, where a head's channels are neighbouring
/// lanes; and the gates from the columns after them.
namespace plait::kernels::cuda {
namespace {

constexpr int kStretch = 64;   // tokens that a thread walks through
constexpr int kThreads = 128;  // of a block, at most
constexpr int kSummed = 2;     // tokens that the forward pass sums together
constexpr float kEps = 1e-6f;  // of the l2 norm
constexpr int kGateThreads = 256;

__host__ __device__ std::int64_t channels_of(const PlaitDeltaInputs& p) {
  return 2 * p.heads * p.key_dim + p.value_heads * p.value_dim;
}

/// Lanes of a head of q or k; no warp holds a part of one.
int head_lanes_of(const PlaitDeltaInputs& p) { return static_cast<int>(p.key_dim / kPack); }

/// Blocks that share a stretch, each with as many channels.
int slices_of(const PlaitDeltaInputs& p) {
  const std::int64_t packs = channels_of(p) / kPack;
  std::int64_t slices = divide_up(packs, kThreads);
  while (packs % slices != 0 || packs / slices % head_lanes_of(p) != 0) ++slices;
  return static_cast<int>(slices);
}

int lanes_of(const PlaitDeltaInputs& p) { return static_cast<int>(channels_of(p) / kPack / slices_of(p)); }

int lines_of(const PlaitDeltaInputs& p) { return kThreads / lanes_of(p); }

/// As many as a large GPU holds at once: each takes as many stretches as the others.
std::int64_t blocks_of(const PlaitDeltaInputs& p, bool backward) {
  const std::int64_t stretches = p.batch * divide_up(p.tokens, kStretch),
                     at_once = kMultiprocessors * (backward ? 4 : 8);
  return std::clamp<std::int64_t>(at_once / (p.members * slices_of(p)), 1, divide_up(stretches, lines_of(p)));
}

std::int64_t gate_blocks_of(const PlaitDeltaInputs& p) {
  return std::clamp<std::int64_t>(kBlocksWanted / p.members, 1,
                                  divide_up(p.batch * p.tokens, kGateThreads / p.value_heads));
}

/// Where a thread's channels go: q, k or v, of which it writes kPack columns.
struct Target {
  std::int64_t offset, stride;  ///< in numbers
  int which;                    ///< 0 q, 1 k, 2 v

  __device__ Target(const PlaitDeltaInputs& p, std::int64_t channel) {
    const std::int64_t keys = p.heads * p.key_dim;
    which = channel < keys ? 0 : channel < 2 * keys ? 1 : 2;
    offset = channel - which * keys;
    stride = which == 2 ? p.value_heads * p.value_dim : keys;
  }
};

/// A column of packs, asked for kRing tokens before they are taken; zeros from `count` on.
template <class E>
struct Ahead {
  const E* from;  ///< of the token to be asked for next
  std::int64_t stride;
  int left;  ///< tokens not yet asked for
  Pack<E, kPack> ring[kRing];

  __device__ Ahead(const E* first, std::int64_t row_stride, int count) : from(first), stride(row_stride), left(count) {
#pragma unroll
    for (int i = 0; i < kRing; ++i) ask<false>(i);
  }
  template <bool kThere>
  __device__ void ask(int place) {
    ring[place] = kThere || left > 0 ? pack_at<kPack>(from) : Pack<E, kPack>{};
    from += stride;
    --left;
  }
  template <bool kThere>
  __device__ void next(float (&to)[kPack], int place) {
    unpack(ring[place], to);
    ask<kThere>(place);
  }
};

/// x becomes its sum over the lanes of a head; all lanes of the warp take part.
template <int kCount>
__device__ void sum_over_head(float (&x)[kCount], int lanes) {
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
#pragma unroll
    for (float& of : x) {
      const float other = __shfl_xor_sync(0xffffffffu, of, step);
      if (step < lanes) of += other;
    }
  }
}

/// A warp may hold parts of two lines: it takes the turns of both.
__device__ int least_in_warp(int x) { return __reduce_min_sync(0xffffffffu, x); }
__device__ int most_in_warp(int x) { return __reduce_max_sync(0xffffffffu, x); }

/// A stretch of tokens of one sequence.
struct Stretch {
  std::int64_t first;     ///< token of its sequence
  std::int64_t sequence;  ///< row of the sequence's first token, counted over members
  int count;              ///< tokens; 0 for a line that has none

  __device__ Stretch(const PlaitDeltaInputs& p, std::int64_t member, std::int64_t index, std::int64_t per_sequence,
                     bool there) {
    first = index % per_sequence * kStretch;
    sequence = (member * p.batch + index / per_sequence) * p.tokens;
    count = there ? static_cast<int>(min(static_cast<std::int64_t>(kStretch), p.tokens - first)) : 0;
  }
};

/// body(stretch) for all stretches of a block's line. Every line of a block has as many turns: some have no tokens.
template <class Body>
__device__ void for_each_stretch(const PlaitDeltaInputs& p, std::int64_t member, Body body) {
  const std::int64_t per_sequence = (p.tokens + kStretch - 1) / kStretch, all = p.batch * per_sequence;
  for (std::int64_t line = blockIdx.x * blockDim.y; line < all; line += gridDim.x * blockDim.y) {
    const bool there = line + threadIdx.y < all;
    body(Stretch(p, member, there ? line + threadIdx.y : line, per_sequence, there));
  }
}

template <bool kValue>
using Bool = std::integral_constant<bool, kValue>;

template <class E, int W>
__global__ void __launch_bounds__(kThreads, 6) inputs_forward(PlaitDeltaInputs p, int head_lanes) {
  const std::int64_t c = (blockIdx.z * blockDim.x + threadIdx.x) * kPack, channels = channels_of(p),
                     member = blockIdx.y;
  const Taps<W> taps(p.weight, nullptr, member * channels + c);
  const Target to(p, c);
  E* const all_out = static_cast<E*>(to.which == 0 ? p.q : to.which == 1 ? p.k : p.v) + to.offset;
  const bool normed = to.which != 2, norms = __any_sync(0xffffffffu, normed);  // of this thread, in this warp
  for_each_stretch(p, member, [&](const Stretch& at) {
    const E* const u = static_cast<const E*>(p.u) + at.sequence * p.row_stride + c;
    E* out = all_out + (at.sequence + at.first) * to.stride;
    Window past;
    read_past<W>(past, u, at.first, p.row_stride);
    Ahead<E> ahead_u(u + at.first * p.row_stride, p.row_stride, at.count);
    const auto take_turn = [&](int turn, auto inside) {
#pragma unroll
      for (int at_once = 0; at_once < kRing; at_once += kSummed) {
        float y[kSummed][kPack], squares[kSummed] = {};
#pragma unroll
        for (int i = 0; i < kSummed; ++i) {
          const int place = at_once + i;
          ahead_u.template next<inside.value>(past[place], place);
#pragma unroll
          for (int j = 0; j < kPack; ++j) {
            y[i][j] = activated(PLAIT_SWISH, taps.apply(past, place, j)).value;
            squares[i] += y[i][j] * y[i][j];
          }
        }
        if (norms) sum_over_head(squares, head_lanes);
#pragma unroll
        for (int i = 0; i < kSummed; ++i) {
          if (norms) {
            const float r = normed ? inverse_root(squares[i] + kEps) : 1.0f;
#pragma unroll
            for (int j = 0; j < kPack; ++j) y[i][j] *= r;
          }
          if (inside.value || turn + at_once + i < at.count) write(out, y[i]);
          out += to.stride;
        }
      }
    };
    // Inside, the tokens asked for are there.
    const int inside_to = least_in_warp(at.count - kRing), end = most_in_warp(at.count);
    int turn = 0;
    for (; turn + kRing <= inside_to; turn += kRing) take_turn(turn, Bool<true>());
    for (; turn < end; turn += kRing) take_turn(turn, Bool<false>());
  });
}

template <class E, int W>
__global__ void __launch_bounds__(kThreads, 3) inputs_backward(PlaitDeltaInputs p, int head_lanes) {
  const std::int64_t c = (blockIdx.z * blockDim.x + threadIdx.x) * kPack, channels = channels_of(p),
                     member = blockIdx.y;
  const Taps<W> taps(p.weight, nullptr, member * channels + c);
  const Target to(p, c);
  const E* const all_d = static_cast<const E*>(to.which == 0 ? p.d_q : to.which == 1 ? p.d_k : p.d_v) + to.offset;
  const bool normed = to.which != 2, norms = __any_sync(0xffffffffu, normed);
  float d_taps[W][kPack] = {};  // in the order of the weight
  for_each_stretch(p, member, [&](const Stretch& at) {
    // What the tokens here feed stands up to W - 1 tokens on.
    const int fed =
        at.count == 0 ? 0 : static_cast<int>(min(static_cast<std::int64_t>(at.count + W - 1), p.tokens - at.first));
    const E* const u = static_cast<const E*>(p.u) + at.sequence * p.row_stride + c;
    E* d_u = static_cast<E*>(p.d_u) + (at.sequence + at.first - (W - 1)) * p.row_stride + c;
    Window past, dz = {};
    read_past<W>(past, u, at.first, p.row_stride);
    Ahead<E> ahead_u(u + at.first * p.row_stride, p.row_stride, fed);
    Ahead<E> ahead_d(all_d + (at.sequence + at.first) * to.stride, to.stride, fed);
    const auto take_turn = [&](int turn, auto inside) {
      // The windows still hold the turn before.
      float x[kRing][kPack], d_y[kRing][kPack], y[kRing][kPack], slopes[kRing][kPack];
      float sums[2 * kRing] = {};  // of squares, and along y
#pragma unroll
      for (int place = 0; place < kRing; ++place) {
        ahead_u.template next<inside.value>(x[place], place);
        ahead_d.template next<inside.value>(d_y[place], place);
#pragma unroll
        for (int j = 0; j < kPack; ++j) {
          float z = 0.0f;
#pragma unroll
          for (int s = 0; s < W; ++s) z += taps.weight[s][j] * (s <= place ? x[place - s][j] : past[back(place, s)][j]);
          const Activated silu = activated(PLAIT_SWISH, z);
          y[place][j] = silu.value;
          slopes[place][j] = silu.slope;
          sums[2 * place] += y[place][j] * y[place][j];
          sums[2 * place + 1] += y[place][j] * d_y[place][j];
        }
      }
      if (norms) sum_over_head(sums, head_lanes);
#pragma unroll
      for (int place = 0; place < kRing; ++place) {
        const int t = turn + place;
        if (norms) {
          const float r = normed ? inverse_root(sums[2 * place] + kEps) : 1.0f;
          const float rra = normed ? r * r * sums[2 * place + 1] : 0.0f;
#pragma unroll
          for (int j = 0; j < kPack; ++j) d_y[place][j] = r * (d_y[place][j] - y[place][j] * rra);
        }
        // Zero where the gradient is: from `fed` on.
#pragma unroll
        for (int j = 0; j < kPack; ++j) {
          past[place][j] = x[place][j];
          dz[place][j] = d_y[place][j] * slopes[place][j];
        }
        if (inside.value || t < at.count) {
#pragma unroll
          for (int j = 0; j < kPack; ++j) {
#pragma unroll
            for (int s = 0; s < W; ++s) d_taps[W - 1 - s][j] += dz[place][j] * past[back(place, s)][j];
          }
        }
        float d_x[kPack];
#pragma unroll
        for (int j = 0; j < kPack; ++j) d_x[j] = taps.gradient(dz, place, j);
        if (inside.value || (t >= W - 1 && t - (W - 1) < at.count)) write(d_u, d_x);
        d_u += p.row_stride;
      }
    };
    // Inside, the tokens asked for are there, and the one that is written is of this stretch.
    const int inside_to = least_in_warp(min(at.count, fed - kRing));
    const int end = most_in_warp(at.count == 0 ? 0 : at.count + W - 1);
    int turn = 0;
    for (; turn < min(kRing, end); turn += kRing) take_turn(turn, Bool<false>());
    for (; turn + kRing <= inside_to; turn += kRing) take_turn(turn, Bool<true>());
    for (; turn < end; turn += kRing) take_turn(turn, Bool<false>());
  });
  extern __shared__ float sums[];  // [lines, slice], one tap after the other
  const unsigned slice = blockDim.x * kPack, own = threadIdx.x * kPack;
#pragma unroll
  for (int s = 0; s < W; ++s) {
#pragma unroll
    for (int j = 0; j < kPack; ++j) sums[threadIdx.y * slice + own + j] = d_taps[s][j];
    __syncthreads();
    if (threadIdx.y == 0) {
#pragma unroll
      for (int j = 0; j < kPack; ++j) {
        float sum = 0.0f;
        for (unsigned line = 0; line < blockDim.y; ++line) sum += sums[line * slice + own + j];
        p.weight_partials[((member * gridDim.x + blockIdx.x) * channels + c + j) * W + s] = sum;
      }
    }
    __syncthreads();
  }
}

/// A thread is a head, threadIdx.x, of every so manieth token.
template <class E, bool kBackward>
__global__ void gates(PlaitDeltaInputs p, std::int64_t channels) {
  const std::int64_t member = blockIdx.y, rows = p.batch * p.tokens, h = threadIdx.x, H = p.value_heads;
  const bool decays = p.a_log != nullptr;
  const float rate = decays ? -__expf(p.a_log[member * H + h]) : 0.0f;
  const float bias = decays ? p.dt_bias[member * H + h] : 0.0f;
  const std::int64_t of_a = channels + h, of_b = channels + (decays ? H : 0) + h;
  float d_a_log = 0.0f, d_bias = 0.0f;
  for (std::int64_t row = blockIdx.x * blockDim.y + threadIdx.y; row < rows; row += gridDim.x * blockDim.y) {
    const std::int64_t at = (member * rows + row) * p.row_stride, gate = (member * rows + row) * H + h;
    const E* const u = static_cast<const E*>(p.u) + at;
    const float step = decays ? as_float(u[of_a]) + bias : 0.0f, opening = sigmoid(as_float(u[of_b]));
    const float softplus = step > 20.0f ? step : log1pf(__expf(step));
    if constexpr (kBackward) {
      E* const d_u = static_cast<E*>(p.d_u) + at;
      put(d_u[of_b], p.d_beta[gate] * p.beta_scale * opening * (1.0f - opening));
      if (decays) {
        const float d_g = p.d_g[gate], d_step = d_g * rate * sigmoid(step);
        put(d_u[of_a], d_step);
        d_a_log += d_g * rate * softplus;
        d_bias += d_step;
      }
      for (std::int64_t c = channels + (decays ? 2 : 1) * H + h; c < p.columns; c += H) put(d_u[c], 0.0f);
    } else {
      p.beta[gate] = p.beta_scale * opening;
      if (decays) p.g[gate] = rate * softplus;
    }
  }
  if constexpr (kBackward) {
    if (!decays) return;
    __shared__ float sums[2][kGateThreads];
    sums[0][threadIdx.y * H + h] = d_a_log;
    sums[1][threadIdx.y * H + h] = d_bias;
    __syncthreads();
    if (threadIdx.y >= 2) return;
    float sum = 0.0f;
    for (unsigned line = 0; line < blockDim.y; ++line) sum += sums[threadIdx.y][line * H + h];
    p.gate_partials[((member * gridDim.x + blockIdx.x) * 2 + threadIdx.y) * H + h] = sum;
  }
}

int check(const PlaitDeltaInputs& p, const Message& message) {
  const std::int64_t channels = channels_of(p);
  if (p.key_dim < 4 || p.key_dim > 128 || (p.key_dim & (p.key_dim - 1)) != 0) {
    return message.say("delta_inputs: the key dim is %lld; powers of two from 4 to 128 are supported",
                       static_cast<long long>(p.key_dim));
  }
  if (channels % p.key_dim != 0 || channels > 1536) {
    return message.say("delta_inputs: q, k and v have %lld channels; multiples of the key dim up to 1536 are supported",
                       static_cast<long long>(channels));
  }
  if (p.value_heads < 1 || p.value_heads > kGateThreads / 2) {
    return message.say("delta_inputs: value heads are %lld; 1 to %d are supported",
                       static_cast<long long>(p.value_heads), kGateThreads / 2);
  }
  const std::int64_t wanted = channels + (p.a_log != nullptr ? 2 : 1) * p.value_heads;
  if (p.columns < wanted || p.columns % kPack != 0) {
    return message.say("delta_inputs: columns are %lld; multiples of 4 from %lld on are supported",
                       static_cast<long long>(p.columns), static_cast<long long>(wanted));
  }
  if (p.row_stride < p.columns || p.row_stride % kPack != 0) {
    return message.say("delta_inputs: rows are %lld apart; multiples of 4 from their %lld columns on are supported",
                       static_cast<long long>(p.row_stride), static_cast<long long>(p.columns));
  }
  return 0;
}

template <class E, bool kBackward>
int inputs_of(const PlaitDeltaInputs& p, cudaStream_t stream, const Message& message) {
  if (check(p, message)) return 1;
  if (p.members * p.batch * p.tokens == 0) return 0;
  const std::int64_t channels = channels_of(p);
  const auto run = [&](void (*kernel)(PlaitDeltaInputs, int)) {
    const dim3 blocks(static_cast<unsigned>(blocks_of(p, kBackward)), static_cast<unsigned>(p.members),
                      static_cast<unsigned>(slices_of(p)));
    const dim3 threads(static_cast<unsigned>(lanes_of(p)), static_cast<unsigned>(lines_of(p)));
    const auto shared = kBackward ? threads.x * threads.y * kPack * sizeof(float) : 0;
    kernel<<<blocks, threads, shared, stream>>>(p, head_lanes_of(p));
    if (const cudaError_t e = cudaGetLastError()) return message.failed("delta_inputs", e);
    const dim3 gate_blocks(static_cast<unsigned>(gate_blocks_of(p)), static_cast<unsigned>(p.members));
    const dim3 gate_threads(static_cast<unsigned>(p.value_heads), static_cast<unsigned>(kGateThreads / p.value_heads));
    gates<E, kBackward><<<gate_blocks, gate_threads, 0, stream>>>(p, channels);
    if (const cudaError_t e = cudaGetLastError()) return message.failed("delta_inputs gates", e);
    return 0;
  };
  if (p.width == 2) return run(kBackward ? inputs_backward<E, 2> : inputs_forward<E, 2>);
  if (p.width == 3) return run(kBackward ? inputs_backward<E, 3> : inputs_forward<E, 3>);
  if (p.width == 4) return run(kBackward ? inputs_backward<E, 4> : inputs_forward<E, 4>);
  return message.say("delta_inputs: width is %lld; 2, 3 and 4 are supported", static_cast<long long>(p.width));
}

template <bool kBackward>
int inputs(const PlaitDeltaInputs& p, cudaStream_t stream, const Message& message) {
  return p.data_type == PLAIT_BFLOAT16 ? inputs_of<__nv_bfloat16, kBackward>(p, stream, message)
                                       : inputs_of<float, kBackward>(p, stream, message);
}

}  // namespace
}  // namespace plait::kernels::cuda

extern "C" {

std::int64_t plait_delta_inputs_weight_partials(const PlaitDeltaInputs* p) {
  return plait::kernels::cuda::blocks_of(*p, true);
}
std::int64_t plait_delta_inputs_gate_partials(const PlaitDeltaInputs* p) {
  return plait::kernels::cuda::gate_blocks_of(*p);
}

int plait_delta_inputs_forward(const PlaitDeltaInputs* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  return plait::kernels::cuda::inputs<false>(*p, stream, {text, text_bytes});
}

int plait_delta_inputs_backward(const PlaitDeltaInputs* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  return plait::kernels::cuda::inputs<true>(*p, stream, {text, text_bytes});
}

}  // extern "C"
