#include <algorithm>

#include "kernels/sequence/taps.cuh"

namespace plait::kernels::cuda {
namespace {

constexpr std::int64_t kStretch = 16;  // tokens that a thread walks through

/// A block is `lines` stretches of all channels.
int lines_of(const PlaitShortConv& p) {
  return static_cast<int>(std::max<std::int64_t>(1, 256 / (p.channels / kPack)));
}

/// Blocks of one member; each of their lines takes every so manieth stretch.
std::int64_t blocks_of(const PlaitShortConv& p) {
  const std::int64_t stretches = p.batch * divide_up(p.tokens, kStretch);
  return std::clamp<std::int64_t>(kBlocksWanted / p.members, 1, divide_up(stretches, lines_of(p)));
}

template <class E, int W>
__global__ void conv_forward(PlaitShortConv p) {
  const std::int64_t D = p.channels, c = threadIdx.x * kPack, member = blockIdx.y;
  const Taps<W> taps(p.weight, p.bias, member * D + c);
  const std::int64_t per_sequence = (p.tokens + kStretch - 1) / kStretch, all = p.batch * per_sequence;
  for (std::int64_t i = blockIdx.x * blockDim.y + threadIdx.y; i < all; i += gridDim.x * blockDim.y) {
    const std::int64_t first = i % per_sequence * kStretch, last = min(first + kStretch, p.tokens);
    const std::int64_t at = (member * p.batch + i / per_sequence) * p.tokens * D + c;
    const E* const x = static_cast<const E*>(p.x) + at;
    Window past;
    read_past<W>(past, x, first, D);
    for (std::int64_t turn = first; turn < last; turn += kRing) {
#pragma unroll
      for (int place = 0; place < kRing; ++place) {
        const std::int64_t t = turn + place;
        if (t >= last) break;
        read(x + t * D, past[place]);
        float y[kPack];
#pragma unroll
        for (int j = 0; j < kPack; ++j) y[j] = activated(p.activation, taps.apply(past, place, j)).value;
        write(static_cast<E*>(p.y) + at + t * D, y);
      }
    }
  }
}

template <class E, int W>
__global__ void conv_backward(PlaitShortConv p) {
  const std::int64_t D = p.channels, c = threadIdx.x * kPack, member = blockIdx.y;
  const Taps<W> taps(p.weight, p.bias, member * D + c);
  float d_taps[W + 1][kPack] = {};  // in the order of the weight, then the bias
  const std::int64_t per_sequence = (p.tokens + kStretch - 1) / kStretch, all = p.batch * per_sequence;
  for (std::int64_t i = blockIdx.x * blockDim.y + threadIdx.y; i < all; i += gridDim.x * blockDim.y) {
    const std::int64_t first = i % per_sequence * kStretch, last = min(first + kStretch, p.tokens);
    const std::int64_t at = (member * p.batch + i / per_sequence) * p.tokens * D + c;
    const E* const x = static_cast<const E*>(p.x) + at;
    const E* const dy = static_cast<const E*>(p.dy) + at;
    Window past, dz = {};
    read_past<W>(past, x, first, D);
    for (std::int64_t turn = first; turn < last + W - 1; turn += kRing) {
#pragma unroll
      for (int place = 0; place < kRing; ++place) {
        const std::int64_t t = turn + place, fed = t - (W - 1);  // the token whose gradient is whole
        if (fed >= last) break;
#pragma unroll
        for (int j = 0; j < kPack; ++j) dz[place][j] = 0.0f;
        if (t < p.tokens) {
          read(x + t * D, past[place]);
          read(dy + t * D, dz[place]);
#pragma unroll
          for (int j = 0; j < kPack; ++j) {
            dz[place][j] *= activated(p.activation, taps.apply(past, place, j)).slope;
            if (t >= last) continue;
#pragma unroll
            for (int s = 0; s < W; ++s) d_taps[W - 1 - s][j] += dz[place][j] * past[back(place, s)][j];
            d_taps[W][j] += dz[place][j];
          }
        }
        if (fed < first) continue;
        float dx[kPack];
#pragma unroll
        for (int j = 0; j < kPack; ++j) dx[j] = taps.gradient(dz, place, j);
        write(static_cast<E*>(p.dx) + at + fed * D, dx);
      }
    }
  }
  extern __shared__ float sums[];  // [lines, D], one tap after the other
#pragma unroll
  for (int s = 0; s <= W; ++s) {
#pragma unroll
    for (int j = 0; j < kPack; ++j) sums[threadIdx.y * D + c + j] = d_taps[s][j];
    __syncthreads();
    if (threadIdx.y == 0) {
#pragma unroll
      for (int j = 0; j < kPack; ++j) {
        float sum = 0.0f;
        for (unsigned line = 0; line < blockDim.y; ++line) sum += sums[line * D + c + j];
        p.partials[((member * gridDim.x + blockIdx.x) * D + c + j) * (W + 1) + s] = sum;
      }
    }
    __syncthreads();
  }
}

template <class E, bool kBackward>
int conv_of(const PlaitShortConv& p, cudaStream_t stream, const Message& message) {
  if (p.channels < kPack || p.channels % kPack != 0 || p.channels > 2048) {
    return message.say("short_conv: channels are %lld; multiples of 4 up to 2048 are supported",
                       static_cast<long long>(p.channels));
  }
  if (p.members * p.batch * p.tokens == 0) return 0;
  const auto run = [&](void (*kernel)(PlaitShortConv)) {
    const dim3 blocks(static_cast<unsigned>(blocks_of(p)), static_cast<unsigned>(p.members));
    const dim3 threads(static_cast<unsigned>(p.channels / kPack), static_cast<unsigned>(lines_of(p)));
    const auto shared = kBackward ? static_cast<std::size_t>(lines_of(p) * p.channels) * sizeof(float) : 0;
    kernel<<<blocks, threads, shared, stream>>>(p);
    if (const cudaError_t e = cudaGetLastError()) return message.failed("short_conv", e);
    return 0;
  };
  if (p.width == 2) return run(kBackward ? conv_backward<E, 2> : conv_forward<E, 2>);
  if (p.width == 3) return run(kBackward ? conv_backward<E, 3> : conv_forward<E, 3>);
  if (p.width == 4) return run(kBackward ? conv_backward<E, 4> : conv_forward<E, 4>);
  return message.say("short_conv: width is %lld; 2, 3 and 4 are supported", static_cast<long long>(p.width));
}

template <bool kBackward>
int conv(const PlaitShortConv& p, cudaStream_t stream, const Message& message) {
  return p.data_type == PLAIT_BFLOAT16 ? conv_of<__nv_bfloat16, kBackward>(p, stream, message)
                                       : conv_of<float, kBackward>(p, stream, message);
}

}  // namespace
}  // namespace plait::kernels::cuda

extern "C" {

std::int64_t plait_short_conv_partials(const PlaitShortConv* p) { return plait::kernels::cuda::blocks_of(*p); }

int plait_short_conv_forward(const PlaitShortConv* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  return plait::kernels::cuda::conv<false>(*p, stream, {text, text_bytes});
}

int plait_short_conv_backward(const PlaitShortConv* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  return plait::kernels::cuda::conv<true>(*p, stream, {text, text_bytes});
}

}  // extern "C"
