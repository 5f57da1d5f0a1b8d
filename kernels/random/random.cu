#include "kernels/common/launch.cuh"
#include "kernels/random/mix.h"
#include "kernels/random/random_cuda.h"

namespace plait::kernels::cuda {
namespace {

constexpr int kThreads = 256, kWidest = 1024;

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

/// A block sorts a row, filled up to a power of two: a bitonic network (Batcher 1968).
__global__ void sort_rows(PlaitSortRows p, int filled) {
  __shared__ std::uint64_t keys[kWidest];
  __shared__ int places[kWidest];
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * p.width;
  const auto* const x = static_cast<const std::uint64_t*>(p.x) + first;
  for (int i = static_cast<int>(threadIdx.x); i < filled; i += static_cast<int>(blockDim.x)) {
    keys[i] = i < p.width ? ordered(x[i], p.of_doubles) : ~std::uint64_t{0};
    places[i] = i;
  }
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
  for (int i = static_cast<int>(threadIdx.x); i < p.width; i += static_cast<int>(blockDim.x)) {
    if (p.values != nullptr) p.values[first + i] = static_cast<std::int64_t>(keys[i] ^ kSign);
    if (p.order != nullptr) p.order[first + i] = places[i];
  }
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
  if (p->width < 1 || p->width > kWidest) {
    return message.say("sort_rows: the width is %lld; 1 to %d are supported", static_cast<long long>(p->width),
                       kWidest);
  }
  if (p->rows == 0) return 0;
  int filled = 2;
  while (filled < p->width) filled *= 2;
  const int threads = filled / 2 < 32 ? 32 : filled / 2 > kThreads ? kThreads : filled / 2;
  sort_rows<<<static_cast<unsigned>(p->rows), static_cast<unsigned>(threads), 0, stream>>>(*p, filled);
  if (const cudaError_t e = cudaGetLastError()) return message.failed("sort_rows", e);
  return 0;
}

}  // extern "C"
