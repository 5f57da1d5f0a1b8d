#include <cuda_bf16.h>

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.cuh"
#include "kernels/cross_entropy/cross_entropy_cuda.h"

namespace plait::kernels::cuda {
namespace {

constexpr int kPack = 8;

/// joined(x, y) over the kThreads threads of a row, in a fixed order; x in every thread.
template <int kThreads, class T, class Join>
__device__ T over_row(T x, Join joined) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) x = joined(x, __shfl_xor_sync(0xffffffffu, x, step));
  if constexpr (kThreads > 32) {
    __shared__ T parts[kThreads / 32];
    __syncthreads();
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
    __syncthreads();
    x = parts[0];
    for (int w = 1; w < kThreads / 32; ++w) x = joined(x, parts[w]);
  }
  return x;
}

/// A row of kThreads threads, which read it three times: once from memory.
template <int kThreads, int kRows>
__global__ void __launch_bounds__(kThreads* kRows) cross_entropy_kernel(PlaitCrossEntropy p) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kRows + threadIdx.y;
  if (row >= p.rows) return;  // with its whole warp
  auto* const logits = static_cast<__nv_bfloat16*>(p.logits) + row * p.classes;
  const std::int64_t label = p.labels[row];
  const float at_label = as_float(logits[label]);
  const auto for_each_pack = [&](auto&& use) {
#pragma unroll 4
    for (std::int64_t c = threadIdx.x * kPack; c < p.classes; c += kThreads * kPack) {
      float x[kPack];
      read(logits + c, x);
      use(c, x);
    }
  };

  float largest = -INFINITY;
  for_each_pack([&](std::int64_t, const float(&x)[kPack]) {
#pragma unroll
    for (int j = 0; j < kPack; ++j) largest = fmaxf(largest, x[j]);
  });
  largest = over_row<kThreads>(largest, [](float a, float b) { return fmaxf(a, b); });

  const float shift = largest * kLog2E;
  float sum = 0.0f;
  for_each_pack([&](std::int64_t, const float(&x)[kPack]) {
#pragma unroll
    for (int j = 0; j < kPack; ++j) sum += power_of_two(x[j] * kLog2E - shift);
  });
  sum = over_row<kThreads>(sum, [](float a, float b) { return a + b; });

  bool hit = at_label == largest;
  if (hit) {  // the same in the whole row
    int before = 0;
    for_each_pack([&](std::int64_t c, const float(&x)[kPack]) {
#pragma unroll
      for (int j = 0; j < kPack; ++j) before |= x[j] == largest && c + j < label;
    });
    hit = over_row<kThreads>(before, [](int a, int b) { return a | b; }) == 0;
  }
  if (threadIdx.x == 0) {
    p.loss[row] = largest + logf(sum) - at_label;
    p.hits[row] = hit;
  }
  if (p.d_loss == 0.0f) return;

  const float scale = p.d_loss / sum;
  for_each_pack([&](std::int64_t c, float(&x)[kPack]) {
#pragma unroll
    for (int j = 0; j < kPack; ++j) {
      x[j] = scale * power_of_two(x[j] * kLog2E - shift);
      if (c + j == label) x[j] -= p.d_loss;
    }
    write(logits + c, x);
  });
}

}  // namespace
}  // namespace plait::kernels::cuda

int plait_cross_entropy(const PlaitCrossEntropy* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  const Message message{text, text_bytes};
  if (p->classes < kPack || p->classes % kPack != 0) {
    return message.say("cross_entropy: classes are %lld; multiples of 8 are supported",
                       static_cast<long long>(p->classes));
  }
  if (p->rows == 0) return 0;
  if (p->classes > 2048) {
    cross_entropy_kernel<256, 1><<<static_cast<unsigned>(p->rows), dim3(256, 1), 0, stream>>>(*p);
  } else {
    cross_entropy_kernel<32, 8><<<static_cast<unsigned>((p->rows + 7) / 8), dim3(32, 8), 0, stream>>>(*p);
  }
  if (const cudaError_t e = cudaGetLastError()) return message.failed("cross_entropy", e);
  return 0;
}
