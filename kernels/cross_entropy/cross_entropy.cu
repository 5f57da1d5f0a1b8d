#include <cuda_bf16.h>

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.cuh"
#include "kernels/cross_entropy/cross_entropy_cuda.h"

namespace plait::kernels::cuda {
namespace {

constexpr int kPack = 8;

/// The largest logit and the sum of exp(logit - largest), of a part of a row; parts are joined pairwise.
struct Partial {
  float largest, sum;

  __device__ Partial joined(const Partial& other) const {
    const float m = fmaxf(largest, other.largest);
    if (m == -INFINITY) return {m, 0.0f};
    return {m, sum * __expf(largest - m) + other.sum * __expf(other.largest - m)};
  }
};

/// A row of kThreads threads; kRows rows a block.
template <class E, int kThreads, int kRows>
__global__ void __launch_bounds__(kThreads* kRows) forward_kernel(PlaitCrossEntropy p) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kRows + threadIdx.y;
  const bool has_row = row < p.rows;
  const E* const logits = static_cast<const E*>(p.logits) + (has_row ? row : 0) * p.classes;
  const std::int64_t label = has_row ? p.labels[row] : 0;
  const float at_label = as_float(logits[label]);
  Partial part{-INFINITY, 0.0f};
  int better = 0;  // classes that are chosen before the label
#pragma unroll 4
  for (std::int64_t c = threadIdx.x * kPack; c < p.classes; c += kThreads * kPack) {
    float x[kPack];
    read(logits + c, x);
    float m = part.largest;
#pragma unroll
    for (int j = 0; j < kPack; ++j) {
      m = fmaxf(m, x[j]);
      better |= x[j] > at_label || (x[j] == at_label && c + j < label);
    }
    float sum = m == -INFINITY ? 0.0f : part.sum * __expf(part.largest - m);
#pragma unroll
    for (int j = 0; j < kPack; ++j) sum += m == -INFINITY ? 0.0f : __expf(x[j] - m);
    part = {m, sum};
  }
  for (int step = 16; step > 0; step /= 2) {
    part =
        part.joined({__shfl_xor_sync(0xffffffffu, part.largest, step), __shfl_xor_sync(0xffffffffu, part.sum, step)});
    better |= __shfl_xor_sync(0xffffffffu, better, step);
  }
  if (kThreads > 32) {
    __shared__ Partial parts[kThreads / 32];
    __shared__ int betters[kThreads / 32];
    if (threadIdx.x % 32 == 0) {
      parts[threadIdx.x / 32] = part;
      betters[threadIdx.x / 32] = better;
    }
    __syncthreads();
    part = parts[0];
    better = betters[0];
    for (int w = 1; w < kThreads / 32; ++w) {
      part = part.joined(parts[w]);
      better |= betters[w];
    }
  }
  if (threadIdx.x != 0 || !has_row) return;
  const float lse = part.largest + logf(part.sum);
  p.lse[row] = lse;
  p.loss[row] = lse - at_label;
  p.hits[row] = better == 0 && at_label == at_label;
}

template <class E>
__global__ void __launch_bounds__(256) backward_kernel(PlaitCrossEntropy p) {
  const std::int64_t packs = p.classes / kPack, all = p.rows * packs;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * 256 + threadIdx.x; i < all;
       i += static_cast<std::int64_t>(gridDim.x) * 256) {
    const std::int64_t row = i / packs, c = i % packs * kPack;
    const float lse = p.lse[row], d_loss = p.d_loss[row];
    const std::int64_t label = p.labels[row] - c;
    float x[kPack];
    read(static_cast<const E*>(p.logits) + i * kPack, x);
#pragma unroll
    for (int j = 0; j < kPack; ++j) x[j] = d_loss * (__expf(x[j] - lse) - (j == label ? 1.0f : 0.0f));
    write(static_cast<E*>(p.d_logits) + i * kPack, x);
  }
}

int check(const PlaitCrossEntropy& p, const Message& message) {
  if (p.classes >= kPack && p.classes % kPack == 0) return 0;
  return message.say("cross_entropy: classes are %lld; multiples of 8 are supported",
                     static_cast<long long>(p.classes));
}

template <class E>
int forward(const PlaitCrossEntropy& p, cudaStream_t stream, const Message& message) {
  if (check(p, message)) return 1;
  if (p.rows == 0) return 0;
  if (p.classes > 2048) {
    forward_kernel<E, 256, 1><<<static_cast<unsigned>(p.rows), dim3(256, 1), 0, stream>>>(p);
  } else {
    forward_kernel<E, 32, 8><<<static_cast<unsigned>((p.rows + 7) / 8), dim3(32, 8), 0, stream>>>(p);
  }
  if (const cudaError_t e = cudaGetLastError()) return message.failed("cross_entropy forward", e);
  return 0;
}

template <class E>
int backward(const PlaitCrossEntropy& p, cudaStream_t stream, const Message& message) {
  if (check(p, message)) return 1;
  if (p.rows == 0) return 0;
  const std::int64_t blocks = (p.rows * p.classes / kPack + 255) / 256;
  backward_kernel<E><<<static_cast<unsigned>(blocks < 16384 ? blocks : 16384), 256, 0, stream>>>(p);
  if (const cudaError_t e = cudaGetLastError()) return message.failed("cross_entropy backward", e);
  return 0;
}

}  // namespace
}  // namespace plait::kernels::cuda

extern "C" {

int plait_cross_entropy_forward(const PlaitCrossEntropy* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  return p->data_type == PLAIT_BFLOAT16 ? forward<__nv_bfloat16>(*p, stream, {text, text_bytes})
                                        : forward<float>(*p, stream, {text, text_bytes});
}

int plait_cross_entropy_backward(const PlaitCrossEntropy* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  return p->data_type == PLAIT_BFLOAT16 ? backward<__nv_bfloat16>(*p, stream, {text, text_bytes})
                                        : backward<float>(*p, stream, {text, text_bytes});
}

}  // extern "C"
