#pragma once

#include <cuda_bf16.h>

namespace plait::kernels::cuda {

/// kCount neighbouring numbers in one or two loads: kCount * sizeof(E) bytes, aligned to themselves up to 16.
template <class E, int kCount>
struct alignas(sizeof(E) * kCount < 16 ? sizeof(E) * kCount : 16) Pack {
  E values[kCount];
};

__device__ inline float as_float(float x) { return x; }
__device__ inline float as_float(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline void put(float& to, float x) { to = x; }
__device__ inline void put(__nv_bfloat16& to, float x) { to = __float2bfloat16(x); }

// Two or three instructions each: numbers below 2^-126 become 0.
constexpr float kLog2E = 1.44269504f;
__device__ inline float power_of_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ inline float inverse(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ inline float inverse_root(float x) {
  float y;
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

template <int kCount, class E>
__device__ inline Pack<E, kCount> pack_at(const E* from) {
  return *reinterpret_cast<const Pack<E, kCount>*>(from);
}

template <class E, int kCount>
__device__ inline void unpack(const Pack<E, kCount>& pack, float (&to)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) to[i] = as_float(pack.values[i]);
}

template <class E, int kCount>
__device__ inline void read(const E* from, float (&to)[kCount]) {
  unpack(pack_at<kCount>(from), to);
}

template <class E, int kCount>
__device__ inline void write(E* to, const float (&from)[kCount]) {
  Pack<E, kCount> pack;
#pragma unroll
  for (int i = 0; i < kCount; ++i) put(pack.values[i], from[i]);
  *reinterpret_cast<Pack<E, kCount>*>(to) = pack;
}

}  // namespace plait::kernels::cuda
