#include <cstdint>

#include "kernels/common/launch.cuh"
#include "kernels/random/mix.h"
#include "kernels/random/random_cuda.h"

namespace plait::kernels::cuda {
namespace {

constexpr int kThreads = 256, kWidest = 1024, kMostEach = kWidest / kThreads;

__global__ void __launch_bounds__(kThreads) random_words(PlaitRandomWords p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.streams * p.words) return;
  const std::int64_t stream = i / p.words, word = i - stream * p.words;
  auto x = static_cast<std::uint64_t>(p.keys[stream]) + static_cast<std::uint64_t>(p.used + 1 + word) * kGolden;
  x = (x ^ (x >> 30)) * kMix1;
  x = (x ^ (x >> 27)) * kMix2;
  const auto signed_x = static_cast<std::int64_t>(x);
  p.x[i] = signed_x ^ (signed_x >> 31);  // arithmetic, as where there are no unsigned words
}

constexpr std::uint64_t kSign = std::uint64_t{1} << 63;

/// Unsigned numbers in the order of what they stand for.
__device__ std::uint64_t ordered(std::uint64_t bits, bool is_double) {
  return is_double && (bits & kSign) != 0 ? ~bits : bits ^ kSign;
}

/// Sorts pairs of keys[i] and places[i], filled of them, a power of two, by a whole block: a bitonic network (Batcher
/// 1968). The order of equal keys is that of their places.
__device__ void sort_pairs(std::uint64_t* keys, int* places, int filled) {
  for (int length = 2; length <= filled; length *= 2) {
    for (int apart = length / 2; apart > 0; apart /= 2) {
      __syncthreads();
      for (int pair = static_cast<int>(threadIdx.x); pair < filled / 2; pair += static_cast<int>(blockDim.x)) {
        const int low = 2 * pair - (pair & (apart - 1)), high = low + apart;
        const bool after = keys[low] > keys[high] || (keys[low] == keys[high] && places[low] > places[high]);
        if (after != ((low & length) == 0)) continue;
        const std::uint64_t key = keys[low];
        keys[low] = keys[high];
        keys[high] = key;
        const int place = places[low];
        places[low] = places[high];
        places[high] = place;
      }
    }
  }
  __syncthreads();
}

/// A block is a row, filled up to a power of two.
__global__ void sort_rows(PlaitSortRows p, int filled) {
  __shared__ std::uint64_t keys[kWidest];
  __shared__ int places[kWidest];
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * p.width;
  const auto* const x = static_cast<const std::uint64_t*>(p.x) + first;
  for (int i = static_cast<int>(threadIdx.x); i < filled; i += static_cast<int>(blockDim.x)) {
    keys[i] = i < p.width ? ordered(x[i], p.of_doubles) : ~std::uint64_t{0};
    places[i] = i;
  }
  sort_pairs(keys, places, filled);
  for (int i = static_cast<int>(threadIdx.x); i < p.width; i += static_cast<int>(blockDim.x)) {
    if (p.values != nullptr) p.values[first + i] = static_cast<std::int64_t>(keys[i] ^ kSign);
    if (p.order != nullptr) p.order[first + i] = places[i];
  }
}

/// A block is a row. Sorted by value, a repeat stands behind its like; sorted by place again, repeats last.
__global__ void distinct(PlaitDistinct p, int filled) {
  __shared__ std::uint64_t keys[kWidest];
  __shared__ int places[kWidest];
  const std::int64_t* const x = p.x + blockIdx.x * p.stride;
  const int width = static_cast<int>(p.width), thread = static_cast<int>(threadIdx.x),
            threads = static_cast<int>(blockDim.x);
  for (int i = thread; i < filled; i += threads) {
    keys[i] = i < width ? static_cast<std::uint64_t>(x[i] % p.range) : ~std::uint64_t{0};
    places[i] = i;
  }
  sort_pairs(keys, places, filled);
  std::uint64_t value[kMostEach], rank[kMostEach];
#pragma unroll
  for (int e = 0; e < kMostEach; ++e) {
    const int i = thread + e * threads;
    if (i >= filled) break;
    const bool repeat = i > 0 && keys[i] == keys[i - 1];
    value[e] = keys[i];
    rank[e] = static_cast<std::uint64_t>(places[i] + (repeat ? width : 0));
  }
  __syncthreads();
#pragma unroll
  for (int e = 0; e < kMostEach; ++e) {
    const int i = thread + e * threads;
    if (i >= filled) break;
    keys[i] = i < width ? rank[e] : ~std::uint64_t{0};
    places[i] = static_cast<int>(value[e]);  // no two ranks are equal
  }
  sort_pairs(keys, places, filled);
  for (int i = thread; i < p.count; i += threads) p.values[blockIdx.x * p.count + i] = places[i];
}

/// A power of two that holds a row, and the threads that sort it.
struct Network {
  int filled = 2;
  unsigned threads;

  explicit Network(std::int64_t width) {
    while (filled < width) filled *= 2;
    threads = static_cast<unsigned>(filled / 2 < 32 ? 32 : filled / 2 > kThreads ? kThreads : filled / 2);
  }
};

int refuse_width(const char* name, std::int64_t width, const Message& message) {
  if (width >= 1 && width <= kWidest) return 0;
  return message.say("%s: the width is %lld; 1 to %d are supported", name, static_cast<long long>(width), kWidest);
}

}  // namespace
}  // namespace plait::kernels::cuda

extern "C" {

int plait_random_words(const PlaitRandomWords* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  const std::int64_t all = p->streams * p->words;
  if (all == 0) return 0;
  random_words<<<static_cast<unsigned>((all + kThreads - 1) / kThreads), kThreads, 0, stream>>>(*p);
  if (const cudaError_t e = cudaGetLastError()) return Message{text, text_bytes}.failed("random_words", e);
  return 0;
}

int plait_sort_rows(const PlaitSortRows* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  const Message message{text, text_bytes};
  if (refuse_width("sort_rows", p->width, message)) return 1;
  if (p->rows == 0) return 0;
  const Network network(p->width);
  sort_rows<<<static_cast<unsigned>(p->rows), network.threads, 0, stream>>>(*p, network.filled);
  if (const cudaError_t e = cudaGetLastError()) return message.failed("sort_rows", e);
  return 0;
}

int plait_distinct(const PlaitDistinct* p, CUstream_st* stream, char* text, std::size_t text_bytes) {
  using namespace plait::kernels::cuda;
  const Message message{text, text_bytes};
  if (refuse_width("distinct", p->width, message)) return 1;
  if (p->range < 1 || p->range > INT32_MAX || p->count > p->width) {
    return message.say("distinct: %lld of %lld below %lld; a count up to the width and ranges below 2^31 are supported",
                       static_cast<long long>(p->count), static_cast<long long>(p->width),
                       static_cast<long long>(p->range));
  }
  if (p->rows == 0) return 0;
  const Network network(p->width);
  distinct<<<static_cast<unsigned>(p->rows), network.threads, 0, stream>>>(*p, network.filled);
  if (const cudaError_t e = cudaGetLastError()) return message.failed("distinct", e);
  return 0;
}

}  // extern "C"
