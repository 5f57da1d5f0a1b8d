#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

// What this machine gives at best: the denominators of the floors in README.md.

namespace {

/// Sum of doubles: bytes read per second from the caches (32 KiB, 512 KiB) and from memory (64 MiB).
void floor_read(benchmark::State& state) {
  const std::vector<std::int64_t> words(static_cast<std::size_t>(state.range(0)) / sizeof(std::int64_t), 1);
  for (auto _ : state) benchmark::DoNotOptimize(std::accumulate(words.begin(), words.end(), std::int64_t{0}));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(floor_read)->Arg(32 << 10)->Arg(512 << 10)->Arg(64 << 20);

/// std::sort of random doubles: what any front of unsorted points pays first.
void floor_sort(benchmark::State& state) {
  std::mt19937_64 random(1);
  std::vector<double> values(static_cast<std::size_t>(state.range(0)));
  for (double& v : values) v = static_cast<double>(random() >> 11);
  for (auto _ : state) {
    std::vector<double> copy = values;
    std::sort(copy.begin(), copy.end());
    benchmark::DoNotOptimize(copy.data());
  }
}
BENCHMARK(floor_sort)->Arg(2000)->Arg(40000)->Arg(100000)->Unit(benchmark::kMicrosecond);

}  // namespace
