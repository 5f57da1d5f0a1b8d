#pragma once

#include "kernels/common/fragment.cuh"

/// Row-major matrices in shared memory, swizzled in pieces of 16 bytes so that rows and columns of 8 x 8 blocks are
/// read without bank conflicts, and their copies from and to device memory.
namespace plait::kernels::cuda {

__device__ __forceinline__ std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

/// A view: the memory must be aligned to its row (at most 512 bytes).
template <class E, int kCols>
struct Tile {
  static constexpr int kRowBytes = kCols * static_cast<int>(sizeof(E));
  static constexpr int kPieces = kRowBytes / 16;  ///< of 16 bytes, in a row
  static constexpr int kPerPiece = 16 / static_cast<int>(sizeof(E));

  unsigned char* memory;

  __device__ explicit Tile(void* at) : memory(static_cast<unsigned char*>(at)) {}
  static __device__ __forceinline__ int swizzle(int row) {
    if constexpr (kPieces >= 8) return row & 7;
    if constexpr (kPieces == 4) return (row >> 1) & 3;
    return (row >> 2) & 1;
  }
  __device__ __forceinline__ unsigned char* piece(int row, int index) const {
    return memory + row * kRowBytes + ((index ^ swizzle(row)) << 4);
  }
  __device__ __forceinline__ E* at(int row, int col) const {
    return reinterpret_cast<E*>(piece(row, col / kPerPiece)) + col % kPerPiece;
  }
  /// Its rows from `row` on, a multiple of 16.
  __device__ __forceinline__ Tile from(int row) const { return Tile(memory + row * kRowBytes); }
};

/// Where lane's row of an ldmatrix or stmatrix of four 8 x 8 blocks begins; row and col are multiples of 16.
template <int kCols>
__device__ __forceinline__ std::uint32_t matrix_address(const Tile<Bf16, kCols>& t, int row, int col) {
  const int lane = lane_id(), r = lane & 15;
  const std::uint32_t mine =
      shared_address(t.memory) + static_cast<std::uint32_t>(r * t.kRowBytes + (((lane >> 4) ^ t.swizzle(r)) << 4));
  return (mine + static_cast<std::uint32_t>(row * t.kRowBytes)) ^ static_cast<std::uint32_t>(col * 2);
}
template <int kCols>
__device__ __forceinline__ std::uint32_t transposed_address(const Tile<Bf16, kCols>& t, int row, int col) {
  const int lane = lane_id(), r = (lane & 7) + 8 * (lane >> 4);
  const std::uint32_t mine = shared_address(t.memory) +
                             static_cast<std::uint32_t>(r * t.kRowBytes + ((((lane >> 3) & 1) ^ t.swizzle(r)) << 4));
  return (mine + static_cast<std::uint32_t>(row * t.kRowBytes)) ^ static_cast<std::uint32_t>(col * 2);
}

/// result[i][j] = t[row + i][col + j].
template <int kCols>
__device__ __forceinline__ Operand<Bf16> load(const Tile<Bf16, kCols>& t, int row, int col) {
  Operand<Bf16> o;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(o.r[0]), "=r"(o.r[1]), "=r"(o.r[2]), "=r"(o.r[3])
               : "r"(matrix_address(t, row, col))
               : "memory");
  return o;
}
/// result[i][j] = t[row + j][col + i].
template <int kCols>
__device__ __forceinline__ Operand<Bf16> load_transposed(const Tile<Bf16, kCols>& t, int row, int col) {
  Operand<Bf16> o;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(o.r[0]), "=r"(o.r[1]), "=r"(o.r[2]), "=r"(o.r[3])
               : "r"(transposed_address(t, row, col))
               : "memory");
  return o;
}
template <int kCols>
__device__ __forceinline__ Right<Bf16> load_right(const Tile<Bf16, kCols>& t, int row, int col) {
  Right<Bf16> o;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(o.r[0]), "=r"(o.r[1]), "=r"(o.r[2]), "=r"(o.r[3])
               : "r"(transposed_address(t, row, col))
               : "memory");
  return o;
}
template <int kCols>
__device__ __forceinline__ Right<Bf16> load_transposed_right(const Tile<Bf16, kCols>& t, int row, int col) {
  Right<Bf16> o;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(o.r[0]), "=r"(o.r[1]), "=r"(o.r[2]), "=r"(o.r[3])
               : "r"(matrix_address(t, row, col))
               : "memory");
  return o;
}
template <int kCols>
__device__ __forceinline__ void store(const Tile<Bf16, kCols>& t, int row, int col, const Operand<Bf16>& o) {
#if __CUDA_ARCH__ >= 900
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(matrix_address(t, row, col)),
               "r"(o.r[0]), "r"(o.r[1]), "r"(o.r[2]), "r"(o.r[3])
               : "memory");
#else
#pragma unroll
  for (int i = 0; i < 4; ++i)
    *reinterpret_cast<std::uint32_t*>(t.at(row + acc_row(2 * i), col + acc_col(2 * i))) = o.r[i];
#endif
}
/// t[row + j][col + i] = o[i][j].
template <int kCols>
__device__ __forceinline__ void store_transposed(const Tile<Bf16, kCols>& t, int row, int col, const Operand<Bf16>& o) {
#if __CUDA_ARCH__ >= 900
  asm volatile(
      "stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(transposed_address(t, row, col)),
      "r"(o.r[0]), "r"(o.r[1]), "r"(o.r[2]), "r"(o.r[3])
      : "memory");
#else
  store(t, row, col, transpose(o));
#endif
}

template <int kCols>
__device__ __forceinline__ Operand<float> load(const Tile<float, kCols>& t, int row, int col) {
  Operand<float> o;
#pragma unroll
  for (int i = 0; i < 8; i += 2) {
    const float2 pair = *reinterpret_cast<const float2*>(t.at(row + acc_row(i), col + acc_col(i)));
    o.r[i] = pair.x;
    o.r[i + 1] = pair.y;
  }
  return o;
}
template <int kCols>
__device__ __forceinline__ Operand<float> load_transposed(const Tile<float, kCols>& t, int row, int col) {
  Operand<float> o;
#pragma unroll
  for (int i = 0; i < 8; ++i) o.r[i] = *t.at(row + acc_col(i), col + acc_row(i));
  return o;
}
template <int kCols>
__device__ __forceinline__ Right<float> load_right(const Tile<float, kCols>& t, int row, int col) {
  return to_right(load(t, row, col));
}
template <int kCols>
__device__ __forceinline__ Right<float> load_transposed_right(const Tile<float, kCols>& t, int row, int col) {
  return to_right(load_transposed(t, row, col));
}
template <int kCols>
__device__ __forceinline__ void store(const Tile<float, kCols>& t, int row, int col, const Operand<float>& o) {
#pragma unroll
  for (int i = 0; i < 8; i += 2) {
    *reinterpret_cast<float2*>(t.at(row + acc_row(i), col + acc_col(i))) = make_float2(o.r[i], o.r[i + 1]);
  }
}
template <int kCols>
__device__ __forceinline__ void store_transposed(const Tile<float, kCols>& t, int row, int col,
                                                 const Operand<float>& o) {
#pragma unroll
  for (int i = 0; i < 8; ++i) *t.at(row + acc_col(i), col + acc_row(i)) = o.r[i];
}

/// A lane's own part of an operand, kept inside the same 16 x 16 piece of a tile, where only this lane finds it again.
template <int kCols>
__device__ __forceinline__ void store_own(const Tile<Bf16, kCols>& t, int row, int col, const Operand<Bf16>& o) {
  const int lane = lane_id();
  *reinterpret_cast<uint4*>(t.piece(row + lane / 2, col / 8 + (lane & 1))) = make_uint4(o.r[0], o.r[1], o.r[2], o.r[3]);
}
template <int kCols>
__device__ __forceinline__ Operand<Bf16> load_own(const Tile<Bf16, kCols>& t, int row, int col) {
  const int lane = lane_id();
  const uint4 x = *reinterpret_cast<const uint4*>(t.piece(row + lane / 2, col / 8 + (lane & 1)));
  return {{x.x, x.y, x.z, x.w}};
}
template <int kCols>
__device__ __forceinline__ void store_own(const Tile<float, kCols>& t, int row, int col, const Operand<float>& o) {
  const int lane = lane_id();
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    *reinterpret_cast<float4*>(t.piece(row + lane / 2, col / 4 + 2 * (lane & 1) + i)) =
        make_float4(o.r[4 * i], o.r[4 * i + 1], o.r[4 * i + 2], o.r[4 * i + 3]);
  }
}
template <int kCols>
__device__ __forceinline__ Operand<float> load_own(const Tile<float, kCols>& t, int row, int col) {
  const int lane = lane_id();
  Operand<float> o;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float4 x = *reinterpret_cast<const float4*>(t.piece(row + lane / 2, col / 4 + 2 * (lane & 1) + i));
    o.r[4 * i] = x.x, o.r[4 * i + 1] = x.y, o.r[4 * i + 2] = x.z, o.r[4 * i + 3] = x.w;
  }
  return o;
}

/// Operands (of either side) that lie in memory in the order of the lanes, 16 bytes a lane at a time.
template <class O>
__device__ __forceinline__ void store_lanes(O* at, const O& o) {
  if constexpr (sizeof(O) == 16) {
    reinterpret_cast<uint4*>(at)[lane_id()] = make_uint4(o.r[0], o.r[1], o.r[2], o.r[3]);
  } else {
    float4* to = reinterpret_cast<float4*>(at);
    to[lane_id()] = make_float4(o.r[0], o.r[1], o.r[2], o.r[3]);
    to[lane_id() + 32] = make_float4(o.r[4], o.r[5], o.r[6], o.r[7]);
  }
}
template <class O>
__device__ __forceinline__ O load_lanes(const O* at) {
  if constexpr (sizeof(O) == 16) {
    const uint4 x = reinterpret_cast<const uint4*>(at)[lane_id()];
    return {{x.x, x.y, x.z, x.w}};
  } else {
    const float4* from = reinterpret_cast<const float4*>(at);
    const float4 x = from[lane_id()], y = from[lane_id() + 32];
    return {{x.x, x.y, x.z, x.w, y.x, y.y, y.z, y.w}};
  }
}

/// 16 bytes to shared memory without passing through registers; zeros where not valid.
__device__ __forceinline__ void copy_async(void* to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(valid ? 16 : 0)
               : "memory");
}
/// Operands in the order of the lanes, from device memory: as load_lanes, or load_own, finds them. What a lane copies
/// it also loads.
template <class O>
__device__ __forceinline__ void copy_lanes(O* to, const O* from) {
#pragma unroll
  for (int i = 0; i < static_cast<int>(sizeof(O)) / 16; ++i)
    copy_async(reinterpret_cast<uint4*>(to) + lane_id() + 32 * i,
               reinterpret_cast<const uint4*>(from) + lane_id() + 32 * i, true);
}
template <class E, int kCols>
__device__ __forceinline__ void copy_own(const Tile<E, kCols>& t, int row, int col, const Operand<E>* from) {
  constexpr int kCount = static_cast<int>(sizeof(Operand<E>)) / 16;
  const int lane = lane_id();
#pragma unroll
  for (int i = 0; i < kCount; ++i)
    copy_async(t.piece(row + lane / 2, col / t.kPerPiece + kCount * (lane & 1) + i),
               reinterpret_cast<const uint4*>(from) + lane + 32 * i, true);
}
/// Asks for one cache line of device memory ahead of its load.
__device__ __forceinline__ void prefetch(const void* at) { asm volatile("prefetch.global.L2 [%0];" ::"l"(at)); }
__device__ __forceinline__ void wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

/// Which pieces of a tile's rows one of kThreads threads, a block or 32 for a warp, copies: always the same piece of
/// every kStep-th row. With more threads than pieces some have none.
template <class E, int kCols, int kRows, int kThreads>
struct RowShare {
  using Rows = Tile<E, kCols>;
  static constexpr int kStep = kThreads / Rows::kPieces, kCount = kStep > kRows ? 1 : kRows / kStep;
  static_assert(kThreads % Rows::kPieces == 0 && (kStep > kRows || kRows % kStep == 0));
  int thread = kThreads == 32 ? lane_id() : static_cast<int>(threadIdx.x);
  int row = thread / Rows::kPieces, piece = thread % Rows::kPieces;

  __device__ __forceinline__ unsigned char* in_tile(const Rows& t, int i) const {
    if constexpr (kStep % 8 == 0) return t.piece(row, piece) + i * kStep * Rows::kRowBytes;  // the swizzle repeats
    return t.piece(row + i * kStep, piece);
  }
};

/// kRows rows of a tile from device memory, by kThreads threads; rows from `valid` on become zero.
template <class E, int kCols, int kRows, int kThreads>
__device__ __forceinline__ void load_rows(const Tile<E, kCols>& t, const E* from, std::int64_t row_stride, int valid) {
  const RowShare<E, kCols, kRows, kThreads> mine;
  if constexpr (mine.kStep > kRows) {
    if (mine.row >= kRows) return;
  }
  const E* at = from + mine.row * row_stride + mine.piece * t.kPerPiece;
#pragma unroll
  for (int i = 0; i < mine.kCount; ++i) {
    copy_async(mine.in_tile(t, i), at, mine.row + i * mine.kStep < valid);
    at += mine.kStep * row_stride;
  }
}
/// The same way back. A thread writes the pieces that it would load.
template <class E, int kCols, int kRows, int kThreads>
__device__ __forceinline__ void write_rows(const Tile<E, kCols>& t, E* to, std::int64_t row_stride, int valid) {
  const RowShare<E, kCols, kRows, kThreads> mine;
  if constexpr (mine.kStep > kRows) {
    if (mine.row >= kRows) return;
  }
  E* at = to + mine.row * row_stride + mine.piece * t.kPerPiece;
#pragma unroll
  for (int i = 0; i < mine.kCount; ++i) {
    if (mine.row + i * mine.kStep < valid) {
      *reinterpret_cast<uint4*>(at) = *reinterpret_cast<const uint4*>(mine.in_tile(t, i));
    }
    at += mine.kStep * row_stride;
  }
}

/// All lines of rows that load_rows will load.
template <class E, int kCols, int kRows, int kThreads>
__device__ __forceinline__ void prefetch_rows(const E* from, std::int64_t row_stride) {
  constexpr int kLines = (kCols * static_cast<int>(sizeof(E)) + 127) / 128;
  for (int i = static_cast<int>(threadIdx.x); i < kRows * kLines; i += kThreads) {
    prefetch(from + (i / kLines) * row_stride + (i % kLines) * (128 / static_cast<int>(sizeof(E))));
  }
}

/// The trace of an accumulator, in parts: sum them over the warp.
__device__ __forceinline__ float diagonal_part(const Acc& a) {
  const int offset = lane_id() / 4 - 2 * (lane_id() & 3);
  return offset == 0 ? a.x[0] + a.x[6] : offset == 1 ? a.x[1] + a.x[7] : 0.0f;
}

/// Sums over the rows of a warp's accumulator of its four columns a lane; the lane gets the sum of column
/// summed_column().
__device__ __forceinline__ float column_sums(const float (&x)[4]) {
  const int lane = lane_id();
  const bool upper = lane & 16, odd = lane & 8;
  const float a = (upper ? x[2] : x[0]) + __shfl_xor_sync(0xffffffffu, upper ? x[0] : x[2], 16);
  const float b = (upper ? x[3] : x[1]) + __shfl_xor_sync(0xffffffffu, upper ? x[1] : x[3], 16);
  const float c = (odd ? b : a) + __shfl_xor_sync(0xffffffffu, odd ? a : b, 8);
  return c + __shfl_xor_sync(0xffffffffu, c, 4);
}
__device__ __forceinline__ int summed_column() {
  return 2 * (lane_id() & 3) + ((lane_id() >> 3) & 1) + 8 * (lane_id() >> 4);
}
/// A lane that has the sum of a column.
__device__ __forceinline__ int lane_of_column(int column) {
  return ((column >> 1) & 3) + 8 * (column & 1) + 16 * (column >> 3);
}

__device__ __forceinline__ float quad_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}
__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int d = 1; d < 32; d *= 2) x += __shfl_xor_sync(0xffffffffu, x, d);
  return x;
}

}  // namespace plait::kernels::cuda
