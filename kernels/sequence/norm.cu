#include <algorithm>

#include "kernels/sequence/activation.cuh"

namespace plait::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPack = 8;  // numbers of a lane beside each other

/// A row is read by `lanes` neighbouring lanes, kEach packs a lane.
struct Shape {
  int lanes, each;
};

Shape shape_of(const PlaitNorm& p) {
  const std::int64_t packs = p.width / kPack;
  int lanes = 1;
  while (lanes < packs && lanes < 32) lanes *= 2;
  int each = 1;
  while (lanes * each < packs) each *= 2;
  return {lanes, each};
}

/// Blocks of one member, as many as a large GPU holds at once; each takes every so manieth group of rows.
std::int64_t blocks_of(const PlaitNorm& p, bool backward) {
  const std::int64_t at_once = kMultiprocessors * (backward ? 3 : 6);
  return std::clamp<std::int64_t>(at_once / p.members, 1, divide_up(p.rows, kThreads / shape_of(p).lanes));
}

/// Where the gate of a row, counted over members, begins.
__device__ std::int64_t gate_at(const PlaitNorm& p, std::int64_t row) {
  if (p.gate_group == 0) return row * p.width;
  const unsigned group = static_cast<unsigned>(p.gate_group), of = static_cast<unsigned>(row) / group;
  return of * p.gate_stride + (static_cast<unsigned>(row) - of * group) * p.width;
}

__device__ float sum_over_lanes(float x, int lanes) {
  for (int step = lanes / 2; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}

template <class E, class Out, int kEach, bool kBackward>
__global__ void __launch_bounds__(kThreads, kEach == 1 ? 3 : 1) norm_kernel(PlaitNorm p, int lanes) {
  const int lane = static_cast<int>(threadIdx.x) % lanes, line = static_cast<int>(threadIdx.x) / lanes;
  const int lines = kThreads / lanes;
  const std::int64_t member = blockIdx.y, width = p.width;
  const E* const x_all = static_cast<const E*>(p.x);
  const Out* const gate_all = static_cast<const Out*>(p.gate);
  float weight[kEach][kPack], d_weight[kEach][kPack];
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const std::int64_t c = (lane + lanes * i) * kPack;
#pragma unroll
    for (int j = 0; j < kPack; ++j) {
      weight[i][j] = p.weight != nullptr && c < width ? p.weight[member * width + c + j] : 1.0f;
      d_weight[i][j] = 0.0f;
    }
  }
  // All lanes of a warp take part in every turn: the sums are shuffles.
  for (std::int64_t group = blockIdx.x * lines; group < p.rows; group += gridDim.x * lines) {
    const std::int64_t row = group + line;
    const std::int64_t at = (member * p.rows + row) * width;
    const std::int64_t at_gate = gate_all != nullptr ? gate_at(p, member * p.rows + row) : 0;
    const auto column = [&](int i) { return (lane + lanes * i) * kPack; };
    const auto there = [&](int i) { return column(i) < width && row < p.rows; };
    // All loads before the first sum, which they would wait for.
    Pack<Out, kPack> gates[kEach], others[kEach];  // others: what is added; backward: dy
    Pack<E, kPack> d_sums[kEach];
    const void* const other = kBackward ? p.dy : p.add;
    float x[kEach][kPack] = {};
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      if (!there(i)) continue;
      const std::int64_t at_pack = at + column(i);
      read(x_all + at_pack, x[i]);
      if (other != nullptr) others[i] = pack_at<kPack>(static_cast<const Out*>(other) + at_pack);
      if (gate_all != nullptr) gates[i] = pack_at<kPack>(gate_all + at_gate + column(i));
      if (kBackward && p.d_sum != nullptr) d_sums[i] = pack_at<kPack>(static_cast<const E*>(p.d_sum) + at_pack);
    }
    float squares = 0.0f;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      if (!kBackward && p.add != nullptr && there(i)) {
        float add[kPack];
        unpack(others[i], add);
#pragma unroll
        for (int j = 0; j < kPack; ++j) x[i][j] += add[j];
        write(static_cast<E*>(p.sum) + at + column(i), x[i]);
      }
#pragma unroll
      for (int j = 0; j < kPack; ++j) squares += x[i][j] * x[i][j];
    }
    const float r = rsqrtf(sum_over_lanes(squares, lanes) / p.divisor + p.eps);
    float e[kEach][kPack] = {}, along = 0.0f;  // backward: the gradient of the normed row
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      if (!there(i)) continue;
      float gate[kPack], given[kPack];
      if (gate_all != nullptr) unpack(gates[i], gate);
      if (kBackward) unpack(others[i], e[i]);
#pragma unroll
      for (int j = 0; j < kPack; ++j) {
        const float normed = x[i][j] * r;
        const Activated opening = gate_all != nullptr ? activated(p.activation, gate[j]) : Activated{1.0f, 0.0f};
        if (kBackward) {
          given[j] = e[i][j] * normed * weight[i][j] * opening.slope;
          e[i][j] *= opening.value;
          d_weight[i][j] += e[i][j] * normed;
          e[i][j] *= weight[i][j];
          along += e[i][j] * normed;
        } else {
          given[j] = normed * weight[i][j] * opening.value;
        }
      }
      if (!kBackward) write(static_cast<Out*>(p.y) + at + column(i), given);
      if (kBackward && gate_all != nullptr) write(static_cast<Out*>(p.dgate) + at_gate + column(i), given);
    }
    if (!kBackward) continue;
    along = sum_over_lanes(along, lanes) / p.divisor;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      if (!there(i)) continue;
#pragma unroll
      for (int j = 0; j < kPack; ++j) e[i][j] = (e[i][j] - x[i][j] * r * along) * r;
      if (p.d_sum != nullptr) {
        float d_sum[kPack];
        unpack(d_sums[i], d_sum);
#pragma unroll
        for (int j = 0; j < kPack; ++j) e[i][j] += d_sum[j];
      }
      write(static_cast<E*>(p.dx) + at + column(i), e[i]);
      if (p.d_add != nullptr) write(static_cast<Out*>(p.d_add) + at + column(i), e[i]);
    }
  }
  if constexpr (kBackward) {
    if (p.weight == nullptr) return;
    extern __shared__ float sums[];  // [lines, D]
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const std::int64_t c = (lane + lanes * i) * kPack;
      if (c >= width) continue;
#pragma unroll
      for (int j = 0; j < kPack; ++j) sums[line * width + c + j] = d_weight[i][j];
    }
    __syncthreads();
    for (std::int64_t c = threadIdx.x; c < width; c += kThreads) {
      float sum = 0.0f;
      for (int l = 0; l < lines; ++l) sum += sums[l * width + c];
      p.weight_partials[(member * gridDim.x + blockIdx.x) * width + c] = sum;
    }
  }
}

template <class E, class Out, bool kBackward>
int launch_norm(const PlaitNorm& p, cudaStream_t stream, const Message& message) {
  if (p.width < kPack || p.width > 1024 || p.width % kPack != 0) {
    return message.say("norm: width is %lld; multiples of 8 up to 1024 are supported", static_cast<long long>(p.width));
  }
  if (p.gate_group != 0 && (p.gate_stride % kPack != 0 || p.members * p.rows > 0x7fffffff)) {
    return message.say("norm: gates of %lld rows are %lld numbers apart; multiples of 8, for at most 2147483647 rows",
                       static_cast<long long>(p.members * p.rows), static_cast<long long>(p.gate_stride));
  }
  if (p.members * p.rows == 0) return 0;
  const Shape shape = shape_of(p);
  const auto run = [&](void (*kernel)(PlaitNorm, int)) {
    const auto shared = kBackward ? static_cast<std::size_t>(kThreads / shape.lanes * p.width) * sizeof(float) : 0;
    const dim3 blocks(static_cast<unsigned>(blocks_of(p, kBackward)), static_cast<unsigned>(p.members));
    kernel<<<blocks, kThreads, shared, stream>>>(p, shape.lanes);
    if (const cudaError_t e = cudaGetLastError()) return message.failed("norm", e);
    return 0;
  };
  if (shape.each == 1) return run(norm_kernel<E, Out, 1, kBackward>);
  return run(shape.each == 2 ? norm_kernel<E, Out, 2, kBackward> : norm_kernel<E, Out, 4, kBackward>);
}

template <bool kBackward>
int norm(const PlaitNorm& p, cudaStream_t stream, const Message& message) {
  using Bf16 = __nv_bfloat16;
  const bool out = p.out_type == PLAIT_BFLOAT16;
  if (p.data_type == PLAIT_BFLOAT16 && out) return launch_norm<Bf16, Bf16, kBackward>(p, stream, message);
  if (p.data_type == PLAIT_FLOAT32 && out) return launch_norm<float, Bf16, kBackward>(p, stream, message);
  if (p.data_type == PLAIT_FLOAT32) return launch_norm<float, float, kBackward>(p, stream, message);
  return message.say("norm: bf16 to fp32 is not supported");
}

}  // namespace
}  // namespace plait::kernels::cuda

extern "C" {

std::int64_t plait_norm_partials(const PlaitNorm* p) { return plait::kernels::cuda::blocks_of(*p, true); }

int plait_norm_forward(const PlaitNorm* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  return plait::kernels::cuda::norm<false>(*p, stream, {text, text_bytes});
}

int plait_norm_backward(const PlaitNorm* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  return plait::kernels::cuda::norm<true>(*p, stream, {text, text_bytes});
}

}  // extern "C"
