#include "kernels/adamw/adamw_cuda.h"
#include "kernels/common/launch.cuh"

namespace plait::kernels::cuda {
namespace {

constexpr int kThreads = 256, kNormThreads = 1024;

__global__ void __launch_bounds__(kThreads) row_squares(PlaitRowSquares p) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (row >= p.rows) return;
  float sum = 0.0f;
#pragma unroll 8
  for (std::int64_t c = 0; c < p.width; ++c) sum += p.x[row * p.width + c] * p.x[row * p.width + c];
  p.squares[row] = sum;
}

/// A block is a member.
__global__ void __launch_bounds__(kNormThreads) member_norms(PlaitMemberNorms p) {
  __shared__ float sums[kNormThreads];
  const std::int64_t* const rows = p.rows_of + blockIdx.x * p.most;
  float sum = 0.0f;
#pragma unroll 4
  for (std::int64_t i = threadIdx.x; i < p.most; i += kNormThreads) sum += p.squares[rows[i]];
  sums[threadIdx.x] = sum;
  for (unsigned half = kNormThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (threadIdx.x == 0) p.norms[blockIdx.x] = sqrtf(sums[0]);
}

__global__ void __launch_bounds__(kThreads) adamw(PlaitAdamW p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.rows * p.width) return;
  const std::int64_t row = i / p.width, member = p.member[row];
  const bool alive = p.alive[member];
  const float rate = alive ? p.rate[member] : 0.0f, gradient = alive ? p.gradient[i] * p.scale[member] : 0.0f;
  const float first = p.first[i] + (1.0f - p.beta1) * (gradient - p.first[i]);
  const float second = p.beta2 * p.second[i] + (1.0f - p.beta2) * gradient * gradient;
  const float deviation = sqrtf(second) * rsqrtf(p.corrections[1]) + p.eps;
  p.first[i] = first;
  p.second[i] = second;
  p.value[i] = p.value[i] * (1.0f - rate * p.weight_decay[row]) - rate / p.corrections[0] * (first / deviation);
}

int enqueued(const char* name, const Message& message) {
  if (const cudaError_t e = cudaGetLastError()) return message.failed(name, e);
  return 0;
}

unsigned blocks_of(std::int64_t threads) { return static_cast<unsigned>((threads + kThreads - 1) / kThreads); }

}  // namespace
}  // namespace plait::kernels::cuda

extern "C" {

int plait_row_squares(const PlaitRowSquares* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  if (p->rows == 0) return 0;
  row_squares<<<blocks_of(p->rows), kThreads, 0, stream>>>(*p);
  return enqueued("row_squares", {text, text_bytes});
}

int plait_member_norms(const PlaitMemberNorms* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  if (p->members == 0) return 0;
  member_norms<<<static_cast<unsigned>(p->members), kNormThreads, 0, stream>>>(*p);
  return enqueued("member_norms", {text, text_bytes});
}

int plait_adamw(const PlaitAdamW* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  if (p->rows * p->width == 0) return 0;
  adamw<<<blocks_of(p->rows * p->width), kThreads, 0, stream>>>(*p);
  return enqueued("adamw", {text, text_bytes});
}

}  // extern "C"
