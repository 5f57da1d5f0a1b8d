#include <algorithm>

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.cuh"
#include "kernels/joined_weights/joined_weights_cuda.h"

namespace plait::kernels::cuda {
namespace {

constexpr int kThreads = 256, kPack = 4;
constexpr std::int64_t kBlocksOfOne = 256;  // at most

template <int kPack, class E>
__device__ void copy(const PlaitWeightCopy& of) {
  const std::int64_t packs = of.count / kPack;
  for (std::int64_t i = blockIdx.x * kThreads + threadIdx.x; i < of.members * packs; i += gridDim.x * kThreads) {
    const std::int64_t member = i / packs;
    float x[kPack];
    read(of.from + i * kPack, x);
    write(static_cast<E*>(of.to) + member * of.stride + (i - member * packs) * kPack, x);
  }
}

/// blockIdx.y is a weight, which its blocks share.
__global__ void __launch_bounds__(kThreads) copy_weights(PlaitCopyWeights p) {
  const PlaitWeightCopy& of = p.of[blockIdx.y];
  const auto places = reinterpret_cast<std::uintptr_t>(of.from) | reinterpret_cast<std::uintptr_t>(of.to);
  const bool packed = places % 16 == 0 && of.count % kPack == 0 && of.stride % kPack == 0;
  if (of.data_type == PLAIT_BFLOAT16) {
    packed ? copy<kPack, __nv_bfloat16>(of) : copy<1, __nv_bfloat16>(of);
  } else {
    packed ? copy<kPack, float>(of) : copy<1, float>(of);
  }
}

}  // namespace
}  // namespace plait::kernels::cuda

extern "C" int plait_copy_weights(const PlaitCopyWeights* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  std::int64_t most = 0;
  for (std::int64_t i = 0; i < p->count; ++i) most = std::max(most, p->of[i].members * p->of[i].count);
  if (most == 0) return 0;
  const std::int64_t wanted = (most / kPack + kThreads - 1) / kThreads;
  const dim3 blocks(static_cast<unsigned>(std::clamp<std::int64_t>(wanted, 1, kBlocksOfOne)),
                    static_cast<unsigned>(p->count));
  copy_weights<<<blocks, kThreads, 0, stream>>>(*p);
  if (const cudaError_t e = cudaGetLastError()) return Message{text, text_bytes}.failed("copy_weights", e);
  return 0;
}
