#include <benchmark/benchmark.h>

#include "search/exact_front.h"
#include "tests/bench/instances.h"

namespace {

using namespace plait;

void measure(benchmark::State& state, const bench::Instance& instance) {
  std::size_t points = 0;
  for (auto _ : state) {
    const auto hull = search::hull_front(instance.graph, instance.objectives);
    points = hull.size();
    benchmark::DoNotOptimize(hull.data());
  }
  state.counters["points"] = static_cast<double>(points);
}

void hull_front_plain(benchmark::State& state) {
  measure(state,
          bench::random_instance(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1))));
}
BENCHMARK(hull_front_plain)->Args({24, 8})->Args({80, 16})->Unit(benchmark::kMillisecond);

void hull_front_recall_kv(benchmark::State& state) {
  measure(state, bench::free_instance({"recall", "kv_cache_bytes"}));
}
BENCHMARK(hull_front_recall_kv)->Unit(benchmark::kMillisecond);

}  // namespace
