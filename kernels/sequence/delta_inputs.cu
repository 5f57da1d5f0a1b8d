#include <algorithm>

#include "kernels/sequence/taps.cuh"

/// Two kernels a pass: convolution, SiLU and norms of the q, k and v columns, where a head's channels are neighbouring
/// lanes; and the gates from the columns after them.
namespace plait::kernels::cuda {
namespace {

constexpr int kStretch = 16;   // tokens that a thread walks through
constexpr float kEps = 1e-6f;  // of the l2 norm
constexpr int kGateThreads = 256;

std::int64_t channels_of(const PlaitDeltaInputs& p) { return 2 * p.heads * p.key_dim + p.value_heads * p.value_dim; }

int lines_of(const PlaitDeltaInputs& p) {
  return static_cast<int>(std::max<std::int64_t>(1, 128 / (channels_of(p) / kPack)));
}

std::int64_t blocks_of(const PlaitDeltaInputs& p) {
  const std::int64_t stretches = p.batch * divide_up(p.tokens, kStretch);
  return std::clamp<std::int64_t>(kBlocksWanted / p.members, 1, divide_up(stretches, lines_of(p)));
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

/// A column of packs, asked for kAhead tokens before they are taken; zeros from `count` on. Loops are unrolled by as
/// much, so that the places of the ring are registers.
constexpr int kAhead = 4;
template <class E>
struct Ahead {
  const E* from;  ///< of the token to be asked for next
  std::int64_t stride;
  int left;  ///< tokens not yet asked for
  Pack<E, kPack> ring[kAhead];

  __device__ Ahead(const E* first, std::int64_t row_stride, int count) : from(first), stride(row_stride), left(count) {
#pragma unroll
    for (int i = 0; i < kAhead; ++i) ask(i);
  }
  __device__ void ask(int place) {
    ring[place] = left > 0 ? *reinterpret_cast<const Pack<E, kPack>*>(from) : Pack<E, kPack>{};
    from += stride;
    --left;
  }
  __device__ void next(float (&to)[kPack], int place) {
#pragma unroll
    for (int j = 0; j < kPack; ++j) to[j] = as_float(ring[place].values[j]);
    ask(place);
  }
};

/// Sums over the lanes of a head; all lanes of the warp take part.
__device__ float sum_over_head(float x, int lanes) {
  for (int step = lanes / 2; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}

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

template <class E, int W>
__global__ void __launch_bounds__(384) inputs_forward(PlaitDeltaInputs p, int head_lanes) {
  const std::int64_t c = threadIdx.x * kPack, channels = blockDim.x * kPack, member = blockIdx.y;
  const Taps<W> taps(p.weight, nullptr, member * channels + c);
  const Target to(p, c);
  E* const all_out = static_cast<E*>(to.which == 0 ? p.q : to.which == 1 ? p.k : p.v) + to.offset;
  const std::int64_t per_sequence = (p.tokens + kStretch - 1) / kStretch, all = p.batch * per_sequence;
  for (std::int64_t line = blockIdx.x * blockDim.y; line < all; line += gridDim.x * blockDim.y) {
    const bool there = line + threadIdx.y < all;
    const Stretch at(p, member, there ? line + threadIdx.y : line, per_sequence, there);
    const E* const u = static_cast<const E*>(p.u) + at.sequence * p.columns + c;
    E* out = all_out + (at.sequence + at.first) * to.stride;
    float past[W][kPack];
    read_past<W>(past, u, at.first, p.columns);
    Ahead<E> ahead_u(u + at.first * p.columns, p.columns, at.count);
    for (int turn = 0; turn < kStretch; turn += kAhead) {
#pragma unroll
      for (int place = 0; place < kAhead; ++place) {
        push<W>(past);
        ahead_u.next(past[0], place);
        float y[kPack], squares = 0.0f;
#pragma unroll
        for (int j = 0; j < kPack; ++j) {
          y[j] = activated(PLAIT_SWISH, taps.apply(past, j));
          squares += y[j] * y[j];
        }
        const float r = rsqrtf(sum_over_head(squares, head_lanes) + kEps);
        if (to.which != 2) {
#pragma unroll
          for (int j = 0; j < kPack; ++j) y[j] *= r;
        }
        if (turn + place < at.count) write(out, y);
        out += to.stride;
      }
    }
  }
}

/// Tokens of a walk backward: a stretch and what it feeds, in whole turns of the ring.
template <int W>
constexpr int kWalk = (kStretch + W - 1 + kAhead - 1) / kAhead* kAhead;

template <class E, int W>
__global__ void __launch_bounds__(512) inputs_backward(PlaitDeltaInputs p, int head_lanes) {
  const std::int64_t c = threadIdx.x * kPack, channels = blockDim.x * kPack, member = blockIdx.y;
  const Taps<W> taps(p.weight, nullptr, member * channels + c);
  const Target to(p, c);
  const E* const all_d = static_cast<const E*>(to.which == 0 ? p.d_q : to.which == 1 ? p.d_k : p.d_v) + to.offset;
  float d_taps[W][kPack] = {};  // in the order of the weight
  const std::int64_t per_sequence = (p.tokens + kStretch - 1) / kStretch, all = p.batch * per_sequence;
  for (std::int64_t line = blockIdx.x * blockDim.y; line < all; line += gridDim.x * blockDim.y) {
    const bool there = line + threadIdx.y < all;
    const Stretch at(p, member, there ? line + threadIdx.y : line, per_sequence, there);
    // What the tokens here feed stands up to W - 1 tokens on.
    const int fed = there ? static_cast<int>(min(static_cast<std::int64_t>(at.count + W - 1), p.tokens - at.first)) : 0;
    const E* const u = static_cast<const E*>(p.u) + at.sequence * p.columns + c;
    E* d_u = static_cast<E*>(p.d_u) + (at.sequence + at.first - (W - 1)) * p.columns + c;
    float past[W][kPack], dz[W][kPack] = {};
    read_past<W>(past, u, at.first, p.columns);
    Ahead<E> ahead_u(u + at.first * p.columns, p.columns, fed);
    Ahead<E> ahead_d(all_d + (at.sequence + at.first) * to.stride, to.stride, fed);
    for (int turn = 0; turn < kWalk<W>; turn += kAhead) {
#pragma unroll
      for (int place = 0; place < kAhead; ++place) {
        const int t = turn + place;
        push<W>(past);
        push<W>(dz);
        float y[kPack], d_y[kPack], slopes[kPack], squares = 0.0f, along = 0.0f;
        ahead_u.next(past[0], place);
        ahead_d.next(d_y, place);
#pragma unroll
        for (int j = 0; j < kPack; ++j) {
          const float z = taps.apply(past, j), s = sigmoid(z);
          y[j] = z * s;
          slopes[j] = s + y[j] * (1.0f - s);
          squares += y[j] * y[j];
          along += y[j] * d_y[j];
        }
        const float r = rsqrtf(sum_over_head(squares, head_lanes) + kEps);
        const float rra = r * r * sum_over_head(along, head_lanes);
        // Zero where the gradient is: from `fed` on.
#pragma unroll
        for (int j = 0; j < kPack; ++j) dz[0][j] = (to.which != 2 ? r * (d_y[j] - y[j] * rra) : d_y[j]) * slopes[j];
        if (t < at.count) {
#pragma unroll
          for (int j = 0; j < kPack; ++j) {
#pragma unroll
            for (int s = 0; s < W; ++s) d_taps[W - 1 - s][j] += dz[0][j] * past[s][j];
          }
        }
        float d_x[kPack] = {};
#pragma unroll
        for (int j = 0; j < kPack; ++j) {
#pragma unroll
          for (int s = 0; s < W; ++s) d_x[j] += taps.weight[s][j] * dz[W - 1 - s][j];
        }
        if (t >= W - 1 && t - (W - 1) < at.count) write(d_u, d_x);
        d_u += p.columns;
      }
    }
  }
  extern __shared__ float sums[];  // [lines, channels], one tap after the other
#pragma unroll
  for (int s = 0; s < W; ++s) {
#pragma unroll
    for (int j = 0; j < kPack; ++j) sums[threadIdx.y * channels + c + j] = d_taps[s][j];
    __syncthreads();
    if (threadIdx.y == 0) {
#pragma unroll
      for (int j = 0; j < kPack; ++j) {
        float sum = 0.0f;
        for (unsigned line = 0; line < blockDim.y; ++line) sum += sums[line * channels + c + j];
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
    const std::int64_t at = (member * rows + row) * p.columns, gate = (member * rows + row) * H + h;
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
  return 0;
}

template <class E, bool kBackward>
int inputs_of(const PlaitDeltaInputs& p, cudaStream_t stream, const Message& message) {
  if (check(p, message)) return 1;
  if (p.members * p.batch * p.tokens == 0) return 0;
  const std::int64_t channels = channels_of(p);
  const auto run = [&](void (*kernel)(PlaitDeltaInputs, int)) {
    const dim3 blocks(static_cast<unsigned>(blocks_of(p)), static_cast<unsigned>(p.members));
    const dim3 threads(static_cast<unsigned>(channels / kPack), static_cast<unsigned>(lines_of(p)));
    const auto shared = kBackward ? static_cast<std::size_t>(lines_of(p) * channels) * sizeof(float) : 0;
    kernel<<<blocks, threads, shared, stream>>>(p, static_cast<int>(p.key_dim / kPack));
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
  return plait::kernels::cuda::blocks_of(*p);
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
