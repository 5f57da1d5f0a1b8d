#include <algorithm>

#include "kernels/common/launch.cuh"
#include "kernels/common/part_sums_cuda.h"

namespace plait::kernels::cuda {
namespace {

constexpr int kColumns = 8, kLines = 128, kWarps = kColumns * kLines / 32, kLinesOfWarp = 32 / kColumns;

/// x becomes its sum over the lanes of the same column.
__device__ float sum_over_lines(float x) {
#pragma unroll
  for (int step = kColumns; step < 32; step *= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}

/// A block is kColumns columns of a member; each of its lines sums every so manieth part.
__global__ void __launch_bounds__(kColumns* kLines) part_sums(PlaitPartSums p) {
  __shared__ float sums[kWarps][kColumns];
  const PlaitParts& of = p.of[blockIdx.z];
  const unsigned column = threadIdx.x % kColumns, line = threadIdx.x / kColumns;
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kColumns + column, member = blockIdx.y;
  if (static_cast<std::int64_t>(blockIdx.x) * kColumns >= of.width) return;
  float sum = 0.0f;
  if (c < of.width) {
#pragma unroll 4
    for (std::int64_t i = line; i < of.parts; i += kLines) sum += of.x[(member * of.parts + i) * of.width + c];
  }
  sum = sum_over_lines(sum);
  if (line % kLinesOfWarp == 0) sums[line / kLinesOfWarp][column] = sum;
  __syncthreads();
  if (threadIdx.x >= 32) return;
  float all = 0.0f;
#pragma unroll
  for (int warp = 0; warp < kWarps; warp += kLinesOfWarp) all += sums[warp + line][column];
  all = sum_over_lines(all);
  if (line == 0 && c < of.width) of.sums[member * of.width + c] = all;
}

}  // namespace
}  // namespace plait::kernels::cuda

extern "C" int plait_part_sums(const PlaitPartSums* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  const Message message{text, text_bytes};
  std::int64_t widest = 0;
  for (std::int64_t i = 0; i < p->count; ++i) widest = std::max(widest, p->of[i].width);
  if (p->members * widest == 0) return 0;
  const dim3 blocks(static_cast<unsigned>((widest + kColumns - 1) / kColumns), static_cast<unsigned>(p->members),
                    static_cast<unsigned>(p->count));
  part_sums<<<blocks, kColumns * kLines, 0, stream>>>(*p);
  if (const cudaError_t e = cudaGetLastError()) return message.failed("part_sums", e);
  return 0;
}
