#include <cuda_bf16.h>

#include "kernels/common/block.cuh"
#include "kernels/common/elements.cuh"
#include "kernels/common/launch.cuh"
#include "kernels/cross_entropy/cross_entropy_cuda.h"

namespace plait::kernels::cuda {
namespace {

constexpr int kPack = 8, kEach = 4;
static_assert(1024 * kEach * kPack == PLAIT_CROSS_ENTROPY_CLASSES);

/// A row of kThreads threads, each with kEach packs of it in registers.
template <int kThreads, int kRows>
__global__ void __launch_bounds__(kThreads* kRows, 768 / (kThreads * kRows)) cross_entropy_kernel(PlaitCrossEntropy p) {
  using Two = __nv_bfloat162;
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kRows + threadIdx.y;
  if (row >= p.rows) return;  // with its whole warp
  auto* const logits = static_cast<__nv_bfloat16*>(p.logits) + row * p.classes;
  const int classes = static_cast<int>(p.classes), label = static_cast<int>(p.labels[row]);
  const float at_label = as_float(logits[label]);
  const auto column = [](int i) { return (i * kThreads + static_cast<int>(threadIdx.x)) * kPack; };

  Pack<__nv_bfloat16, kPack> x[kEach];
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    if (column(i) < classes) {
      x[i] = pack_at<kPack>(logits + column(i));
    } else {
#pragma unroll
      for (auto& value : x[i].values) value = __ushort_as_bfloat16(0xff80);  // -infinity
    }
  }
  Two most = __halves2bfloat162(x[0].values[0], x[0].values[1]);
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
#pragma unroll
    for (int j = 0; j < kPack; j += 2) most = __hmax2(most, __halves2bfloat162(x[i].values[j], x[i].values[j + 1]));
  }
  const float largest = over_threads<kThreads>(fmaxf(__low2float(most), __high2float(most)),
                                               [](float a, float b) { return fmaxf(a, b); });

  const float shift = largest * kLog2E;
  float terms[kEach][kPack], sum = 0.0f;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    unpack(x[i], terms[i]);
#pragma unroll
    for (float& term : terms[i]) {
      term = power_of_two(term * kLog2E - shift);
      sum += term;
    }
  }
  sum = sum_over_threads<kThreads>(sum);

  bool hit = at_label == largest;
  if (hit) {  // the same in the whole row
    int before = 0;
    for (int c = column(0); c < label; c += kThreads * kPack) {  // read again: registers are scarce
      float again[kPack];
      read(logits + c, again);
#pragma unroll
      for (int j = 0; j < kPack; ++j) before |= again[j] == largest && c + j < label;
    }
    hit = over_threads<kThreads>(before, [](int a, int b) { return a | b; }) == 0;
  }
  if (threadIdx.x == 0) {
    p.loss[row] = largest + logf(sum) - at_label;
    p.hits[row] = hit;
  }
  if (p.d_loss == 0.0f) return;

  const float scale = p.d_loss / sum;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    if (column(i) >= classes) continue;
#pragma unroll
    for (float& term : terms[i]) term *= scale;
    if (label / kPack == column(i) / kPack) {
#pragma unroll
      for (int j = 0; j < kPack; ++j) terms[i][j] -= column(i) + j == label ? p.d_loss : 0.0f;
    }
    write(logits + column(i), terms[i]);
  }
}

}  // namespace
}  // namespace plait::kernels::cuda

int plait_cross_entropy(const PlaitCrossEntropy* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  const Message message{text, text_bytes};
  if (p->classes < kPack || p->classes > PLAIT_CROSS_ENTROPY_CLASSES || p->classes % kPack != 0) {
    return message.say("cross_entropy: classes are %lld; multiples of 8 up to %d are supported",
                       static_cast<long long>(p->classes), PLAIT_CROSS_ENTROPY_CLASSES);
  }
  if (p->rows == 0) return 0;
  if (p->classes <= 32 * kEach * kPack) {
    cross_entropy_kernel<32, 8><<<static_cast<unsigned>((p->rows + 7) / 8), dim3(32, 8), 0, stream>>>(*p);
  } else if (p->classes <= 256 * kEach * kPack) {
    cross_entropy_kernel<256, 1><<<static_cast<unsigned>(p->rows), dim3(256, 1), 0, stream>>>(*p);
  } else {
    cross_entropy_kernel<1024, 1><<<static_cast<unsigned>(p->rows), dim3(1024, 1), 0, stream>>>(*p);
  }
  if (const cudaError_t e = cudaGetLastError()) return message.failed("cross_entropy", e);
  return 0;
}
