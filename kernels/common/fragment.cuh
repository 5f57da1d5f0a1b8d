#pragma once

#include <cuda_bf16.h>

#include <cstdint>

/// 16 x 16 pieces of matrices, held by one warp in the accumulator layout of mma.m16n8k16: lane l holds rows l/4 and
/// l/4 + 8, columns 2(l%4) + {0, 1} and those + 8. Accumulators and both operands share this layout, because every
/// product here is A B^T: no product needs a shuffle of what another one made.
namespace plait::kernels::cuda {

using Bf16 = __nv_bfloat16;

/// 16 x 16 in fp32. Entry i stands at acc_row(i), acc_col(i).
struct Acc {
  float x[8];
};

__device__ __forceinline__ int lane_id() { return static_cast<int>(threadIdx.x & 31u); }
__device__ __forceinline__ int acc_row(int i) { return lane_id() / 4 + 8 * ((i >> 1) & 1); }
__device__ __forceinline__ int acc_col(int i) { return 2 * (lane_id() & 3) + (i & 1) + 8 * (i >> 2); }
__device__ __forceinline__ Acc zero_acc() { return Acc{}; }
__device__ __forceinline__ void add(Acc& a, const Acc& b) {
#pragma unroll
  for (int i = 0; i < 8; ++i) a.x[i] += b.x[i];
}

/// 16 x 16 as an operand of a product: bf16 pairs, or fp32.
template <class E>
struct Operand;
template <>
struct Operand<Bf16> {
  std::uint32_t r[4];
};
template <>
struct Operand<float> {
  float r[8];
};

/// The same as B of A B^T: its bf16 registers in the order in which mma.sync takes them as pairs (moving them there
/// costs as many instructions as the product).
template <class E>
struct Right;
template <>
struct Right<Bf16> {
  std::uint32_t r[4];
};
template <>
struct Right<float> {
  float r[8];
};

/// Operands with about fp32's precision: for the triangular solves.
template <class E>
struct Precise;
template <>
struct Precise<Bf16> {
  Operand<Bf16> high, low;
};
template <>
struct Precise<float> {
  Operand<float> high;
};
template <class E>
struct PreciseRight;
template <>
struct PreciseRight<Bf16> {
  Right<Bf16> high, low;
};
template <>
struct PreciseRight<float> {
  Right<float> high;
};

__device__ __forceinline__ Right<Bf16> to_right(const Operand<Bf16>& o) { return {{o.r[0], o.r[2], o.r[1], o.r[3]}}; }
__device__ __forceinline__ Operand<Bf16> to_left(const Right<Bf16>& o) { return {{o.r[0], o.r[2], o.r[1], o.r[3]}}; }
__device__ __forceinline__ Right<float> to_right(const Operand<float>& o) {
  return {{o.r[0], o.r[1], o.r[2], o.r[3], o.r[4], o.r[5], o.r[6], o.r[7]}};
}
__device__ __forceinline__ Operand<float> to_left(const Right<float>& o) {
  return {{o.r[0], o.r[1], o.r[2], o.r[3], o.r[4], o.r[5], o.r[6], o.r[7]}};
}

__device__ __forceinline__ std::uint32_t pack_bf16(float a, float b) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(a, b);
  return *reinterpret_cast<const std::uint32_t*>(&pair);
}
__device__ __forceinline__ float low_bf16(std::uint32_t pair) { return __uint_as_float(pair << 16); }
__device__ __forceinline__ float high_bf16(std::uint32_t pair) { return __uint_as_float(pair & 0xffff0000u); }

template <class E>
__device__ __forceinline__ Operand<E> pack(const Acc& a);
template <>
__device__ __forceinline__ Operand<Bf16> pack<Bf16>(const Acc& a) {
  return {{pack_bf16(a.x[0], a.x[1]), pack_bf16(a.x[2], a.x[3]), pack_bf16(a.x[4], a.x[5]), pack_bf16(a.x[6], a.x[7])}};
}
template <>
__device__ __forceinline__ Operand<float> pack<float>(const Acc& a) {
  Operand<float> o;
#pragma unroll
  for (int i = 0; i < 8; ++i) o.r[i] = a.x[i];
  return o;
}

__device__ __forceinline__ Acc unpack(const Operand<Bf16>& o) {
  Acc a;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    a.x[2 * i] = low_bf16(o.r[i]);
    a.x[2 * i + 1] = high_bf16(o.r[i]);
  }
  return a;
}
__device__ __forceinline__ Acc unpack(const Operand<float>& o) {
  Acc a;
#pragma unroll
  for (int i = 0; i < 8; ++i) a.x[i] = o.r[i];
  return a;
}

template <class E>
__device__ __forceinline__ Precise<E> split(const Acc& a);
template <>
__device__ __forceinline__ Precise<Bf16> split<Bf16>(const Acc& a) {
  Precise<Bf16> p;
  p.high = pack<Bf16>(a);
  const Acc rounded = unpack(p.high);
  Acc rest;
#pragma unroll
  for (int i = 0; i < 8; ++i) rest.x[i] = a.x[i] - rounded.x[i];
  p.low = pack<Bf16>(rest);
  return p;
}
template <>
__device__ __forceinline__ Precise<float> split<float>(const Acc& a) {
  return {pack<float>(a)};
}

__device__ __forceinline__ void mma_bf16(float* c, const std::uint32_t* a, std::uint32_t b0, std::uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
/// c += a b^T; kLow false leaves columns 0-7 of c alone.
template <bool kLow = true>
__device__ __forceinline__ void multiply(Acc& c, const Operand<Bf16>& a, const Right<Bf16>& b) {
  if constexpr (kLow) mma_bf16(c.x, a.r, b.r[0], b.r[1]);
  mma_bf16(c.x + 4, a.r, b.r[2], b.r[3]);
}
/// fp32 as three bf16 numbers, which hold all of its 24 bits: six products leave out what is below 2^-26 of the result.
/// Each starts from zero: the tensor core truncates what it adds, and a long-lived accumulator would collect that.
template <bool kLow = true>
__device__ __forceinline__ void multiply(Acc& c, const Operand<float>& a, const Right<float>& b) {
  std::uint32_t left[3][4], right[3][4];
  const auto three = [](std::uint32_t(&to)[3][4], int at, float x, float y) {
#pragma unroll
    for (int i = 0; i < 3; ++i) {
      to[i][at] = pack_bf16(x, y);
      x -= low_bf16(to[i][at]);
      y -= high_bf16(to[i][at]);
    }
  };
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    three(left, i, a.r[2 * i], a.r[2 * i + 1]);
    three(right, i == 1 ? 2 : i == 2 ? 1 : i, b.r[2 * i], b.r[2 * i + 1]);
  }
#pragma unroll
  for (int half = kLow ? 0 : 1; half < 2; ++half) {
    float small[4] = {}, large[4] = {};
    constexpr int kPairs[6][2] = {{1, 1}, {2, 0}, {0, 2}, {1, 0}, {0, 1}, {0, 0}};
#pragma unroll
    for (int i = 0; i < 6; ++i) {
      mma_bf16(i < 5 ? small : large, left[kPairs[i][0]], right[kPairs[i][1]][2 * half],
               right[kPairs[i][1]][2 * half + 1]);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) c.x[4 * half + i] += large[i] + small[i];
  }
}
template <bool kLow = true>
__device__ __forceinline__ void multiply(Acc& c, const Precise<Bf16>& a, const PreciseRight<Bf16>& b) {
  Acc rest = zero_acc();
  multiply<kLow>(rest, a.low, b.high);
  multiply<kLow>(c, a.high, b.high);
  multiply<kLow>(rest, a.high, b.low);
  add(c, rest);
}
template <bool kLow = true>
__device__ __forceinline__ void multiply(Acc& c, const Precise<float>& a, const PreciseRight<float>& b) {
  multiply<kLow>(c, a.high, b.high);
}
__device__ __forceinline__ PreciseRight<Bf16> to_right(const Precise<Bf16>& p) {
  return {to_right(p.high), to_right(p.low)};
}
__device__ __forceinline__ PreciseRight<float> to_right(const Precise<float>& p) { return {to_right(p.high)}; }

__device__ __forceinline__ std::uint32_t transpose_8x8(std::uint32_t x) {
  std::uint32_t y;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(y) : "r"(x));
  return y;
}
__device__ __forceinline__ Operand<Bf16> transpose(const Operand<Bf16>& o) {
  return {{transpose_8x8(o.r[0]), transpose_8x8(o.r[2]), transpose_8x8(o.r[1]), transpose_8x8(o.r[3])}};
}
__device__ __forceinline__ Operand<float> transpose(const Operand<float>& o) {
  Operand<float> t;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int to = i == 1 ? 2 : i == 2 ? 1 : i;
    const std::uint32_t a = __float_as_uint(o.r[2 * i]), b = __float_as_uint(o.r[2 * i + 1]);
    const std::uint32_t low = transpose_8x8(__byte_perm(a, b, 0x5410)), high = transpose_8x8(__byte_perm(a, b, 0x7632));
    t.r[2 * to] = __uint_as_float(__byte_perm(low, high, 0x5410));
    t.r[2 * to + 1] = __uint_as_float(__byte_perm(low, high, 0x7632));
  }
  return t;
}

/// The sum of two operands of which at most one is not zero at each place.
__device__ __forceinline__ Operand<Bf16> join(const Operand<Bf16>& a, const Operand<Bf16>& b) {
  return {{a.r[0] | b.r[0], a.r[1] | b.r[1], a.r[2] | b.r[2], a.r[3] | b.r[3]}};
}
__device__ __forceinline__ Operand<float> join(const Operand<float>& a, const Operand<float>& b) {
  Operand<float> o;
#pragma unroll
  for (int i = 0; i < 8; ++i) o.r[i] = a.r[i] + b.r[i];
  return o;
}

}  // namespace plait::kernels::cuda
