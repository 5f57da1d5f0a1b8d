#include "kernels/common/launch.cuh"
#include "kernels/embedding/embedding_cuda.h"

namespace plait::kernels::cuda {
namespace {

constexpr int kThreads = 512, kClasses = 32, kEach = 8, kPack = 4;
constexpr int kTile = kThreads * kEach;  // tokens that a block reads at a time
constexpr int kListed = kTile + 1024;

/// A thread copies a pack of a row.
__global__ void __launch_bounds__(kThreads) embedding(PlaitEmbedding p) {
  const int packs = static_cast<int>(p.width / 4);
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t row = i / packs;
  if (row >= p.tokens) return;
  const std::int64_t at = blockIdx.y * p.tokens + row, c = i % packs * 4;
  const std::int64_t token = p.token[at], from = (blockIdx.y * p.classes + token) * p.width + c;
  if (c == 0 && p.short_token != nullptr) p.short_token[at] = static_cast<std::int32_t>(token);
  *reinterpret_cast<float4*>(p.y + at * p.width + c) = *reinterpret_cast<const float4*>(p.weight + from);
}

struct Found {
  int token, of_class;
};

/// A block is kClasses classes of a member. It reads all tokens and lists, in an order of its own, where its classes
/// stand; then every so manieth of the list is summed by as many threads as there are columns.
__global__ void __launch_bounds__(kThreads) embedding_gradient(PlaitEmbeddingGradient p) {
  extern __shared__ __align__(16) unsigned char memory[];
  auto* const list = reinterpret_cast<Found*>(memory);                            // [kListed]
  auto* const sums = reinterpret_cast<float*>(memory + kListed * sizeof(Found));  // [lines, kClasses, D]
  __shared__ int warp_counts[kThreads / 32];
  const int thread = static_cast<int>(threadIdx.x), width = static_cast<int>(p.width);
  const int lines = kThreads / width, line = thread / width, column = thread % width;
  const std::int64_t member = blockIdx.y;
  const int first_class = static_cast<int>(blockIdx.x) * kClasses, tokens = static_cast<int>(p.tokens);
  const std::int32_t* const token = p.token + member * p.tokens;
  const bool packed = tokens % kPack == 0;
  const float* const dy = p.dy + member * p.tokens * p.width + column;
  float* const mine = sums + line * kClasses * width + column;
  for (int c = 0; c < kClasses; ++c) mine[c * width] = 0.0f;
  int listed = 0;
  const auto add_listed = [&] {
    __syncthreads();
    constexpr int kBatch = 8;
    for (int i = line; i < listed; i += kBatch * lines) {
      float x[kBatch];
#pragma unroll
      for (int j = 0; j < kBatch; ++j) {
        const int at = i + j * lines;
        x[j] = at < listed ? dy[static_cast<std::int64_t>(list[at].token) * p.width] : 0.0f;
      }
#pragma unroll
      for (int j = 0; j < kBatch; ++j) {
        const int at = i + j * lines;
        if (at < listed) mine[list[at].of_class * width] += x[j];
      }
    }
    listed = 0;
    __syncthreads();
  };
  const auto place = [&](int tile, int i) { return tile + (i / kPack * kThreads + thread) * kPack + i % kPack; };
  int read[kEach];  // of the tile to come
  const auto read_tile = [&](int tile) {
#pragma unroll
    for (int i = 0; i < kEach; i += kPack) {
      const int at = place(tile, i);
      int4 four = make_int4(-1, -1, -1, -1);
      if (packed && at < tokens) {
        four = *reinterpret_cast<const int4*>(token + at);
      } else if (at < tokens) {
        four.x = token[at];
        if (at + 1 < tokens) four.y = token[at + 1];
        if (at + 2 < tokens) four.z = token[at + 2];
        if (at + 3 < tokens) four.w = token[at + 3];
      }
      read[i] = four.x;
      read[i + 1] = four.y;
      read[i + 2] = four.z;
      read[i + 3] = four.w;
    }
  };
  read_tile(0);
  for (int tile = 0; tile < tokens; tile += kTile) {
    int of_class[kEach], count = 0;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int c = read[i] - first_class;
      of_class[i] = c >= 0 && c < kClasses ? c : -1;
      count += of_class[i] >= 0;
    }
    read_tile(tile + kTile);
    int before = count;  // of the threads up to this one
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const int other = __shfl_up_sync(0xffffffffu, before, step);
      if (thread % 32 >= step) before += other;
    }
    if (thread % 32 == 31) warp_counts[thread / 32] = before;
    __syncthreads();
    int at = listed + before - count, all = 0;
#pragma unroll
    for (int w = 0; w < kThreads / 32; ++w) {
      if (w < thread / 32) at += warp_counts[w];
      all += warp_counts[w];
    }
#pragma unroll
    for (int i = 0; i < kEach; ++i)
      if (of_class[i] >= 0) list[at++] = {place(tile, i), of_class[i]};
    listed += all;
    if (listed > kListed - kTile) {
      add_listed();
    } else {
      __syncthreads();  // the counts are written anew
    }
  }
  add_listed();
  const std::int64_t out = (member * p.classes + first_class) * p.width;
  for (int i = thread; i < kClasses * width; i += kThreads) {
    if (first_class + i / width >= p.classes) break;
    float sum = 0.0f;
    for (int l = 0; l < lines; ++l) sum += sums[l * kClasses * width + i];
    p.d_weight[out + i] = sum;
  }
}

}  // namespace
}  // namespace plait::kernels::cuda

extern "C" {

int plait_embedding(const PlaitEmbedding* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  const Message message{text, text_bytes};
  if (p->width < 4 || p->width % 4 != 0) {
    return message.say("embedding: width is %lld; multiples of 4 are supported", static_cast<long long>(p->width));
  }
  if (p->members * p->tokens == 0) return 0;
  const std::int64_t threads = p->tokens * (p->width / 4);
  embedding<<<dim3(static_cast<unsigned>((threads + kThreads - 1) / kThreads), static_cast<unsigned>(p->members)),
              kThreads, 0, stream>>>(*p);
  if (const cudaError_t e = cudaGetLastError()) return message.failed("embedding", e);
  return 0;
}

int plait_embedding_gradient(const PlaitEmbeddingGradient* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  const Message message{text, text_bytes};
  if (p->width != 32 && p->width != 64 && p->width != 128 && p->width != 256) {
    return message.say("embedding_gradient: width is %lld; 32, 64, 128 and 256 are supported",
                       static_cast<long long>(p->width));
  }
  if (p->members * p->classes == 0) return 0;
  const dim3 blocks(static_cast<unsigned>((p->classes + kClasses - 1) / kClasses), static_cast<unsigned>(p->members));
  constexpr int kShared = kListed * static_cast<int>(sizeof(Found)) + kThreads * kClasses * 4;
  return launch(embedding_gradient, "embedding_gradient", blocks, kThreads, kShared, *p, stream, message);
}

}  // extern "C"
