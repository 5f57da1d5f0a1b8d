#include <algorithm>

#include "kernels/sequence/activation.cuh"

namespace plait::kernels::cuda {
namespace {

constexpr int kThreads = 256, kPack = 8;

template <class E, bool kBackward>
__global__ void __launch_bounds__(kThreads) swiglu_kernel(PlaitSwiGlu p) {
  const std::int64_t packs = p.width / kPack, all = p.rows * packs;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < all;
       i += static_cast<std::int64_t>(gridDim.x) * kThreads) {
    const std::int64_t c = i % packs * kPack, gate_at = i / packs * 2 * p.width + c, up_at = gate_at + p.width;
    float gate[kPack], up[kPack];
    read(static_cast<const E*>(p.u) + gate_at, gate);
    read(static_cast<const E*>(p.u) + up_at, up);
    if constexpr (kBackward) {
      float dy[kPack];
      read(static_cast<const E*>(p.dy) + i * kPack, dy);
#pragma unroll
      for (int j = 0; j < kPack; ++j) {
        const Activated opening = activated(PLAIT_SWISH, gate[j]);
        gate[j] = dy[j] * up[j] * opening.slope;
        up[j] = dy[j] * opening.value;
      }
      write(static_cast<E*>(p.du) + gate_at, gate);
      write(static_cast<E*>(p.du) + up_at, up);
    } else {
#pragma unroll
      for (int j = 0; j < kPack; ++j) up[j] *= activated(PLAIT_SWISH, gate[j]).value;
      write(static_cast<E*>(p.y) + i * kPack, up);
    }
  }
}

template <bool kBackward>
int swiglu(const PlaitSwiGlu& p, cudaStream_t stream, const Message& message) {
  if (p.width < kPack || p.width % kPack != 0) {
    return message.say("swiglu: width is %lld; multiples of 8 are supported", static_cast<long long>(p.width));
  }
  if (p.rows == 0) return 0;
  const auto blocks =
      static_cast<unsigned>(std::min<std::int64_t>(2 * kBlocksWanted, divide_up(p.rows * p.width / kPack, kThreads)));
  if (p.data_type == PLAIT_BFLOAT16) {
    swiglu_kernel<__nv_bfloat16, kBackward><<<blocks, kThreads, 0, stream>>>(p);
  } else {
    swiglu_kernel<float, kBackward><<<blocks, kThreads, 0, stream>>>(p);
  }
  if (const cudaError_t e = cudaGetLastError()) return message.failed("swiglu", e);
  return 0;
}

}  // namespace
}  // namespace plait::kernels::cuda

extern "C" {

int plait_swiglu_forward(const PlaitSwiGlu* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  return plait::kernels::cuda::swiglu<false>(*p, stream, {text, text_bytes});
}

int plait_swiglu_backward(const PlaitSwiGlu* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  return plait::kernels::cuda::swiglu<true>(*p, stream, {text, text_bytes});
}

}  // extern "C"
