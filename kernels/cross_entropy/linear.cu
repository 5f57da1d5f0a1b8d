#include <algorithm>

#include "kernels/common/launch.cuh"
#include "kernels/common/tile.cuh"
#include "kernels/cross_entropy/cross_entropy_cuda.h"

/// A block holds kStill rows of one factor of the logits and walks through the rows of the other, kMoving at a time; a
/// warp computes 16 rows of logits beside all that move. The backward pass computes the logits again: writing and
/// reading them takes longer.
namespace plait::kernels::cuda {
namespace {

constexpr int kThreads = 256, kStill = 128, kMoving = 64;
constexpr std::int64_t kBlocksWanted = 264;  // two a multiprocessor
constexpr float kLog2E = 1.44269504f;

std::int64_t divide_up(std::int64_t x, std::int64_t by) { return (x + by - 1) / by; }

__device__ __forceinline__ float power_of_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Parts of what moves, so that there are blocks enough; a part is at least eight tiles.
std::int64_t parts_of(std::int64_t members, std::int64_t still, std::int64_t moving) {
  return std::clamp<std::int64_t>(kBlocksWanted / std::max<std::int64_t>(1, members * divide_up(still, kStill)), 1,
                                  std::max<std::int64_t>(1, moving / (8 * kMoving)));
}
std::int64_t class_parts(const PlaitLinearCrossEntropy& p) { return parts_of(p.members, p.rows, p.classes); }
std::int64_t row_parts(const PlaitLinearCrossEntropy& p) { return parts_of(p.members, p.classes, p.rows); }

/// What a part of the classes says about a row.
struct alignas(16) Part {
  float largest, sum;  ///< sum of exp(logit - largest)
  float at_label;      ///< 0 where the label is in another part
  int first;           ///< of the classes with the largest logit

  __device__ void join(const Part& other) {
    const float m = fmaxf(largest, other.largest);
    first = largest > other.largest ? first : other.largest > largest ? other.first : min(first, other.first);
    sum = sum * power_of_two((largest - m) * kLog2E) + other.sum * power_of_two((other.largest - m) * kLog2E);
    largest = m;
    at_label += other.at_label;
  }
};

template <int kWidth>
struct Shared {
  alignas(128) Bf16 still[kStill * kWidth];
  alignas(128) Bf16 moving[2][kMoving * kWidth];
  // Of the rows that move.
  float lse2[2][kMoving], d_loss[2][kMoving];
  int label[2][kMoving];
};

/// logits[j] = still rows x moving rows 16j ... 16j + 15.
template <int kWidth>
__device__ __forceinline__ void multiply_all(Acc (&logits)[kMoving / 16], const Operand<Bf16> (&left)[kWidth / 16],
                                             const Tile<Bf16, kWidth>& moving) {
#pragma unroll
  for (int j = 0; j < kMoving / 16; ++j) logits[j] = zero_acc();
#pragma unroll
  for (int k = 0; k < kWidth / 16; ++k) {
#pragma unroll
    for (int j = 0; j < kMoving / 16; ++j) multiply(logits[j], left[k], load_right(moving, 16 * j, 16 * k));
  }
}

/// Calls use(piece j, entry i) where the label of the lane's row (upper or lower: half) is.
template <class Use>
__device__ __forceinline__ void at_label(int label, int half, const Use& use) {
  if (static_cast<unsigned>(label) >= kMoving) return;
#pragma unroll
  for (int j = 0; j < kMoving / 16; ++j) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if (((i >> 1) & 1) == half && 16 * j + acc_col(i) == label) use(j, i);
    }
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads, 2) forward_kernel(PlaitLinearCrossEntropy p) {
  extern __shared__ __align__(128) unsigned char memory[];
  auto& shared = *reinterpret_cast<Shared<kWidth>*>(memory);
  const std::int64_t member = blockIdx.z, first_row = static_cast<std::int64_t>(blockIdx.x) * kStill;
  const int part = static_cast<int>(blockIdx.y), parts = static_cast<int>(gridDim.y);
  const int tiles = static_cast<int>(p.classes / kMoving), begin = tiles * part / parts;
  const int end = tiles * (part + 1) / parts, warp_row = static_cast<int>(threadIdx.x) / 32 * 16;
  const auto* const x = static_cast<const Bf16*>(p.x) + (member * p.rows + first_row) * kWidth;
  const auto* const weight = static_cast<const Bf16*>(p.weight) + member * p.classes * kWidth;
  const auto valid = static_cast<int>(min(p.rows - first_row, static_cast<std::int64_t>(kStill)));
  const Tile<Bf16, kWidth> still(shared.still);
  const auto moving = [&](int tile) { return Tile<Bf16, kWidth>(shared.moving[tile & 1]); };
  const auto load_tile = [&](int tile) {
    load_rows<Bf16, kWidth, kMoving, kThreads>(
        moving(tile), weight + static_cast<std::int64_t>(tile) * kMoving * kWidth, kWidth, kMoving);
  };
  load_rows<Bf16, kWidth, kStill, kThreads>(still, x, kWidth, valid);
  load_tile(begin);
  wait_for_copies();
  __syncthreads();
  Operand<Bf16> left[kWidth / 16];
#pragma unroll
  for (int k = 0; k < kWidth / 16; ++k) left[k] = load(still, warp_row, 16 * k);

  // A lane's two rows, of every fourth pair of classes. Far below any logit, so that differences are numbers.
  Part state[2];
  int label[2];
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const int row = warp_row + acc_row(2 * h);
    label[h] = row < valid ? static_cast<int>(p.labels[member * p.rows + first_row + row]) : -1;
    state[h] = {-1e30f, 0.0f, 0.0f, 0};
  }
  for (int tile = begin; tile < end; ++tile) {
    if (tile + 1 < end) load_tile(tile + 1);
    Acc logits[kMoving / 16];
    multiply_all(logits, left, moving(tile));
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float largest = state[h].largest;
#pragma unroll
      for (int j = 0; j < kMoving / 16; ++j) {
#pragma unroll
        for (int i = 0; i < 8; ++i)
          if (((i >> 1) & 1) == h) largest = fmaxf(largest, logits[j].x[i]);
      }
      if (largest > state[h].largest) {
        state[h].sum *= power_of_two((state[h].largest - largest) * kLog2E);
        state[h].largest = largest;
        int first = kMoving;
#pragma unroll
        for (int j = kMoving / 16 - 1; j >= 0; --j) {
#pragma unroll
          for (int i = 7; i >= 0; --i)
            if (((i >> 1) & 1) == h && logits[j].x[i] == largest) first = 16 * j + acc_col(i);
        }
        state[h].first = tile * kMoving + first;
      }
      at_label(label[h] - tile * kMoving, h, [&](int j, int i) { state[h].at_label = logits[j].x[i]; });
      float sum = 0.0f;
      const float scaled = largest * kLog2E;
#pragma unroll
      for (int j = 0; j < kMoving / 16; ++j) {
#pragma unroll
        for (int i = 0; i < 8; ++i)
          if (((i >> 1) & 1) == h) sum += power_of_two(logits[j].x[i] * kLog2E - scaled);
      }
      state[h].sum += sum;
    }
    wait_for_copies();
    __syncthreads();
  }
#pragma unroll
  for (int h = 0; h < 2; ++h) {
#pragma unroll
    for (int step = 1; step < 4; step *= 2) {
      state[h].join(
          {__shfl_xor_sync(0xffffffffu, state[h].largest, step), __shfl_xor_sync(0xffffffffu, state[h].sum, step),
           __shfl_xor_sync(0xffffffffu, state[h].at_label, step), __shfl_xor_sync(0xffffffffu, state[h].first, step)});
    }
    const int row = warp_row + acc_row(2 * h);
    if (lane_id() % 4 == 0 && row < valid)
      static_cast<Part*>(p.class_parts)[(member * p.rows + first_row + row) * parts + part] = state[h];
  }
}

__global__ void __launch_bounds__(kThreads) join_kernel(PlaitLinearCrossEntropy p, int parts) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (row >= p.members * p.rows) return;
  const auto* const from = static_cast<const Part*>(p.class_parts) + row * parts;
  Part all = from[0];
  for (int i = 1; i < parts; ++i) all.join(from[i]);
  const float lse = all.largest + logf(all.sum);
  p.lse[row] = lse;
  p.loss[row] = lse - all.at_label;
  p.hits[row] = all.first == p.labels[row] && lse == lse;
}

/// The gradient of x (still) beside all classes, or that of the weight (still) beside a part of the rows.
template <int kWidth, bool kOfWeight>
__global__ void __launch_bounds__(kThreads, kWidth <= 64 ? 2 : 1) backward_kernel(PlaitLinearCrossEntropy p) {
  extern __shared__ __align__(128) unsigned char memory[];
  auto& shared = *reinterpret_cast<Shared<kWidth>*>(memory);
  const std::int64_t member = blockIdx.z, first_still = static_cast<std::int64_t>(blockIdx.x) * kStill;
  const std::int64_t still_rows = kOfWeight ? p.classes : p.rows, moving_rows = kOfWeight ? p.rows : p.classes;
  const int part = static_cast<int>(blockIdx.y), parts = static_cast<int>(gridDim.y);
  const int tiles = static_cast<int>((moving_rows + kMoving - 1) / kMoving), begin = tiles * part / parts;
  const int end = tiles * (part + 1) / parts, warp_row = static_cast<int>(threadIdx.x) / 32 * 16;
  const auto* const x = static_cast<const Bf16*>(p.x) + member * p.rows * kWidth;
  const auto* const weight = static_cast<const Bf16*>(p.weight) + member * p.classes * kWidth;
  const auto valid = static_cast<int>(min(still_rows - first_still, static_cast<std::int64_t>(kStill)));
  const Tile<Bf16, kWidth> still(shared.still);
  const auto moving = [&](int tile) { return Tile<Bf16, kWidth>(shared.moving[tile & 1]); };
  const auto load_tile = [&](int tile) {
    const std::int64_t first = static_cast<std::int64_t>(tile) * kMoving;
    const auto rows = static_cast<int>(min(moving_rows - first, static_cast<std::int64_t>(kMoving)));
    load_rows<Bf16, kWidth, kMoving, kThreads>(moving(tile), (kOfWeight ? x : weight) + first * kWidth, kWidth, rows);
    if (kOfWeight && threadIdx.x < kMoving) {
      const bool there = static_cast<int>(threadIdx.x) < rows;
      const std::int64_t row = member * p.rows + first + (there ? threadIdx.x : 0);
      shared.lse2[tile & 1][threadIdx.x] = there ? p.lse[row] * kLog2E : 0.0f;
      shared.d_loss[tile & 1][threadIdx.x] = there ? p.d_loss[row] : 0.0f;
      shared.label[tile & 1][threadIdx.x] = there ? static_cast<int>(p.labels[row]) : -1;
    }
  };
  load_rows<Bf16, kWidth, kStill, kThreads>(still, (kOfWeight ? weight : x) + first_still * kWidth, kWidth, valid);
  load_tile(begin);
  wait_for_copies();
  __syncthreads();
  Operand<Bf16> left[kWidth / 16];
#pragma unroll
  for (int k = 0; k < kWidth / 16; ++k) left[k] = load(still, warp_row, 16 * k);
  // Of the lane's two rows where these are x's.
  float row_lse2[2] = {}, row_d_loss[2] = {};
  int row_label[2] = {-1, -1};
  if constexpr (!kOfWeight) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      if (warp_row + acc_row(2 * h) >= valid) continue;
      const std::int64_t row = member * p.rows + first_still + warp_row + acc_row(2 * h);
      row_lse2[h] = p.lse[row] * kLog2E;
      row_d_loss[h] = p.d_loss[row];
      row_label[h] = static_cast<int>(p.labels[row]);
    }
  }
  Acc gradient[kWidth / 16];
#pragma unroll
  for (int k = 0; k < kWidth / 16; ++k) gradient[k] = zero_acc();
  for (int tile = begin; tile < end; ++tile) {
    if (tile + 1 < end) load_tile(tile + 1);
    Acc logits[kMoving / 16];
    multiply_all(logits, left, moving(tile));
    // From here on the gradient of the logits.
#pragma unroll
    for (int j = 0; j < kMoving / 16; ++j) {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        float& z = logits[j].x[i];
        const int h = (i >> 1) & 1;
        if constexpr (kOfWeight) {
          const int c = 16 * j + acc_col(i), of_class = static_cast<int>(first_still) + warp_row + acc_row(i);
          float e = power_of_two(z * kLog2E - shared.lse2[tile & 1][c]);
          if (shared.label[tile & 1][c] == of_class) e -= 1.0f;
          z = shared.d_loss[tile & 1][c] * e;
        } else {
          z = row_d_loss[h] * power_of_two(z * kLog2E - row_lse2[h]);
        }
      }
    }
    if constexpr (!kOfWeight) {
#pragma unroll
      for (int h = 0; h < 2; ++h)
        at_label(row_label[h] - tile * kMoving, h, [&](int j, int i) { logits[j].x[i] -= row_d_loss[h]; });
    }
    Operand<Bf16> d_logits[kMoving / 16];
#pragma unroll
    for (int j = 0; j < kMoving / 16; ++j) d_logits[j] = pack<Bf16>(logits[j]);
#pragma unroll
    for (int k = 0; k < kWidth / 16; ++k) {
#pragma unroll
      for (int j = 0; j < kMoving / 16; ++j)
        multiply(gradient[k], d_logits[j], load_transposed_right(moving(tile), 16 * j, 16 * k));
    }
    wait_for_copies();
    __syncthreads();
  }
#pragma unroll
  for (int k = 0; k < kWidth / 16; ++k) {
#pragma unroll
    for (int i = 0; i < 8; i += 2) {
      const int row = warp_row + acc_row(i), col = 16 * k + acc_col(i);
      if (row >= valid) continue;
      const float2 pair = make_float2(gradient[k].x[i], gradient[k].x[i + 1]);
      if constexpr (kOfWeight) {
        const std::int64_t at = ((part * p.members + member) * p.classes + first_still + row) * kWidth + col;
        *reinterpret_cast<float2*>(p.d_weight_parts + at) = pair;
      } else {
        const std::int64_t at = (member * p.rows + first_still + row) * kWidth + col;
        *reinterpret_cast<std::uint32_t*>(static_cast<Bf16*>(p.d_x) + at) = pack_bf16(pair.x, pair.y);
      }
    }
  }
}

int check(const PlaitLinearCrossEntropy& p, const Message& message) {
  if (p.classes < kMoving || p.classes % kMoving != 0) {
    return message.say("linear_cross_entropy: classes are %lld; multiples of %d are supported",
                       static_cast<long long>(p.classes), kMoving);
  }
  return 0;
}

template <int kWidth>
int run(void (*kernel)(PlaitLinearCrossEntropy), const char* name, const PlaitLinearCrossEntropy& p, std::int64_t still,
        std::int64_t parts, cudaStream_t stream, const Message& message) {
  const dim3 blocks(static_cast<unsigned>(divide_up(still, kStill)), static_cast<unsigned>(parts),
                    static_cast<unsigned>(p.members));
  return launch(kernel, name, blocks, kThreads, static_cast<int>(sizeof(Shared<kWidth>)), p, stream, message);
}

template <int kWidth>
int forward(const PlaitLinearCrossEntropy& p, cudaStream_t stream, const Message& message) {
  const std::int64_t parts = class_parts(p);
  if (run<kWidth>(forward_kernel<kWidth>, "linear_cross_entropy forward", p, p.rows, parts, stream, message)) return 1;
  join_kernel<<<static_cast<unsigned>(divide_up(p.members * p.rows, kThreads)), kThreads, 0, stream>>>(
      p, static_cast<int>(parts));
  if (const cudaError_t e = cudaGetLastError()) return message.failed("linear_cross_entropy join", e);
  return 0;
}

template <int kWidth>
int backward(const PlaitLinearCrossEntropy& p, cudaStream_t stream, const Message& message) {
  constexpr const char* kName = "linear_cross_entropy backward";
  if (run<kWidth>(backward_kernel<kWidth, false>, kName, p, p.rows, 1, stream, message)) return 1;
  return run<kWidth>(backward_kernel<kWidth, true>, kName, p, p.classes, row_parts(p), stream, message);
}

template <bool kBackward>
int pass(const PlaitLinearCrossEntropy& p, cudaStream_t stream, const Message& message) {
  if (check(p, message)) return 1;
  if (p.members * p.rows == 0) return 0;
  switch (p.width) {
    case 32: return kBackward ? backward<32>(p, stream, message) : forward<32>(p, stream, message);
    case 64: return kBackward ? backward<64>(p, stream, message) : forward<64>(p, stream, message);
    case 128: return kBackward ? backward<128>(p, stream, message) : forward<128>(p, stream, message);
    default:
      return message.say("linear_cross_entropy: width is %lld; 32, 64 and 128 are supported",
                         static_cast<long long>(p.width));
  }
}

}  // namespace
}  // namespace plait::kernels::cuda

extern "C" {

std::int64_t plait_linear_cross_entropy_class_bytes(const PlaitLinearCrossEntropy* p) {
  using namespace plait::kernels::cuda;
  return p->members * p->rows * class_parts(*p) * static_cast<std::int64_t>(sizeof(Part));
}

std::int64_t plait_linear_cross_entropy_row_parts(const PlaitLinearCrossEntropy* p) {
  return plait::kernels::cuda::row_parts(*p);
}

int plait_linear_cross_entropy_forward(const PlaitLinearCrossEntropy* p, CUstream_st* stream, char* text,
                                       std::size_t text_bytes) {
  return plait::kernels::cuda::pass<false>(*p, stream, {text, text_bytes});
}

int plait_linear_cross_entropy_backward(const PlaitLinearCrossEntropy* p, CUstream_st* stream, char* text,
                                        std::size_t text_bytes) {
  return plait::kernels::cuda::pass<true>(*p, stream, {text, text_bytes});
}

}  // extern "C"
