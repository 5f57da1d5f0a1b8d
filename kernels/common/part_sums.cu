#include "kernels/common/launch.cuh"
#include "kernels/common/part_sums_cuda.h"

namespace plait::kernels::cuda {
namespace {

constexpr int kColumns = 32, kLines = 32;

/// A block is kColumns columns of a member; each of its lines sums every so manieth part.
__global__ void __launch_bounds__(kColumns* kLines) part_sums(PlaitPartSums p) {
  __shared__ float sums[kLines][kColumns];
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kColumns + threadIdx.x, member = blockIdx.y;
  float sum = 0.0f;
  if (c < p.width) {
#pragma unroll 8
    for (std::int64_t i = threadIdx.y; i < p.parts; i += kLines) sum += p.x[(member * p.parts + i) * p.width + c];
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || c >= p.width) return;
  float all = 0.0f;
#pragma unroll
  for (int line = 0; line < kLines; ++line) all += sums[line][threadIdx.x];
  p.sums[member * p.width + c] = all;
}

}  // namespace
}  // namespace plait::kernels::cuda

extern "C" int plait_part_sums(const PlaitPartSums* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  const Message message{text, text_bytes};
  if (p->members * p->width == 0) return 0;
  const dim3 blocks(static_cast<unsigned>((p->width + kColumns - 1) / kColumns), static_cast<unsigned>(p->members));
  part_sums<<<blocks, dim3(kColumns, kLines), 0, stream>>>(*p);
  if (const cudaError_t e = cudaGetLastError()) return message.failed("part_sums", e);
  return 0;
}
