#include "kernels/adamw/adamw_cuda.h"
#include "kernels/common/block.cuh"
#include "kernels/common/elements.cuh"
#include "kernels/common/launch.cuh"

namespace plait::kernels::cuda {
namespace {

constexpr int kThreads = 256, kNormThreads = 1024;

/// A block is a run.
__global__ void __launch_bounds__(kThreads) take_gradients(PlaitTakeGradients p) {
  const std::int64_t* const run = p.run + blockIdx.x * 4;
  const float* const from = p.gradients[run[0] - p.first];
  const std::int64_t begin = run[1], to = run[2], count = run[3];
  float sum = 0.0f;
#pragma unroll 8
  for (std::int64_t i = threadIdx.x; i < count; i += kThreads) {
    const float x = from != nullptr ? from[begin + i] : 0.0f;
    p.to[to + i] = x;
    sum += x * x;
  }
  sum = sum_over_threads<kThreads>(sum);
  if (threadIdx.x == 0) p.squares[blockIdx.x] = sum;
}

/// A block is a member.
__global__ void __launch_bounds__(kNormThreads) member_norms(PlaitMemberNorms p) {
  const std::int64_t* const runs = p.runs_of + blockIdx.x * p.most;
  float sum = 0.0f;
#pragma unroll 4
  for (std::int64_t i = threadIdx.x; i < p.most; i += kNormThreads) sum += runs[i] >= 0 ? p.squares[runs[i]] : 0.0f;
  sum = sum_over_threads<kNormThreads>(sum);
  if (threadIdx.x == 0) p.norms[blockIdx.x] = sqrtf(sum);
}

/// A thread is a member.
__global__ void __launch_bounds__(kThreads) step_rates(PlaitStepRates p) {
  const std::int64_t m = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (m >= p.members) return;
  const float loss = p.loss[m], norm = p.norm[m];
  if (!isfinite(loss + norm)) p.alive[m] = false;
  p.loss_sum[m] += loss;
  const float scale = p.clip / (norm + 1e-6f);
  p.scale[m] = scale > 1.0f ? 1.0f : scale;  // what is no number stays none
  p.rate[m] = p.learning_rate[m] * p.factor[0];
}

/// A thread takes kPack neighbouring numbers of a row.
template <int kPack>
__global__ void __launch_bounds__(kThreads) adamw(PlaitAdamW p) {
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kPack;
  if (i >= p.rows * p.width) return;
  const std::int64_t row = i / p.width, member = p.member[row];
  const bool alive = p.alive[member];
  const float rate = alive ? p.rate[member] : 0.0f, scale = p.scale[member];
  const float kept = 1.0f - rate * p.weight_decay[row], step = rate / p.corrections[0];
  const float deviation_scale = rsqrtf(p.corrections[1]);
  float gradient[kPack], first[kPack], second[kPack], value[kPack];
  read(p.gradient + i, gradient);
  read(p.first + i, first);
  read(p.second + i, second);
  read(p.value + i, value);
#pragma unroll
  for (int j = 0; j < kPack; ++j) {
    const float g = alive ? gradient[j] * scale : 0.0f;
    first[j] += (1.0f - p.beta1) * (g - first[j]);
    second[j] = p.beta2 * second[j] + (1.0f - p.beta2) * g * g;
    value[j] = value[j] * kept - step * (first[j] / (sqrtf(second[j]) * deviation_scale + p.eps));
  }
  write(p.first + i, first);
  write(p.second + i, second);
  write(p.value + i, value);
}

int enqueued(const char* name, const Message& message) {
  if (const cudaError_t e = cudaGetLastError()) return message.failed(name, e);
  return 0;
}

unsigned blocks_of(std::int64_t threads) { return static_cast<unsigned>((threads + kThreads - 1) / kThreads); }

}  // namespace
}  // namespace plait::kernels::cuda

extern "C" {

int plait_take_gradients(const PlaitTakeGradients* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  if (p->runs == 0) return 0;
  take_gradients<<<static_cast<unsigned>(p->runs), kThreads, 0, stream>>>(*p);
  return enqueued("take_gradients", {text, text_bytes});
}

int plait_member_norms(const PlaitMemberNorms* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  if (p->members == 0) return 0;
  member_norms<<<static_cast<unsigned>(p->members), kNormThreads, 0, stream>>>(*p);
  return enqueued("member_norms", {text, text_bytes});
}

int plait_step_rates(const PlaitStepRates* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  if (p->members == 0) return 0;
  step_rates<<<blocks_of(p->members), kThreads, 0, stream>>>(*p);
  return enqueued("step_rates", {text, text_bytes});
}

int plait_adamw(const PlaitAdamW* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  if (p->rows * p->width == 0) return 0;
  if (p->width % 4 == 0) {
    adamw<4><<<blocks_of(p->rows * p->width / 4), kThreads, 0, stream>>>(*p);
  } else {
    adamw<1><<<blocks_of(p->rows * p->width), kThreads, 0, stream>>>(*p);
  }
  return enqueued("adamw", {text, text_bytes});
}

}  // extern "C"
