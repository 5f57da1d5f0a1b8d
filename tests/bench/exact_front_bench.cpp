#include <benchmark/benchmark.h>

#include "search/exact_front.h"
#include "tests/bench/instances.h"

namespace {

using namespace plait;
using bench::Instance;

void measure(benchmark::State& state, const Instance& instance) {
  std::size_t points = 0;
  for (auto _ : state) {
    const auto front = search::exact_front(instance.graph, instance.objectives);
    points = front.size();
    benchmark::DoNotOptimize(front.data());
  }
  state.counters["points"] = static_cast<double>(points);
}

/// Labels that the layer-wise programming reads without rules, pairs and counter: at every slot, each candidate walks
/// the front of the slots behind it.
double labels_read(std::size_t slots, std::size_t candidates) {
  const Instance whole = bench::random_instance(slots, candidates);
  double labels = 0;
  for (std::size_t behind = slots - 1; behind > 0; --behind) {
    Instance rest = bench::random_instance(behind, candidates);
    for (std::size_t k = 0; k < 2; ++k) {
      const auto& from = whole.objectives[k].score.terms[0].slot;
      auto& slot = rest.objectives[k].score.terms[0].slot;
      slot.assign(from.end() - static_cast<std::ptrdiff_t>(slot.size()), from.end());
    }
    labels += static_cast<double>(candidates * search::exact_front(rest.graph, rest.objectives).size());
  }
  return labels;
}

void exact_front_plain(benchmark::State& state) {
  const auto slots = static_cast<std::size_t>(state.range(0));
  const auto candidates = static_cast<std::size_t>(state.range(1));
  const Instance instance = bench::random_instance(slots, candidates);
  static double labels = 0;
  static std::size_t labels_of = 0;
  if (labels_of != slots) labels = labels_read(slots, candidates), labels_of = slots;
  measure(state, instance);
  state.counters["labels"] = labels;
}
BENCHMARK(exact_front_plain)->Args({24, 8})->Args({80, 16})->Unit(benchmark::kMillisecond);

void exact_front_pairs(benchmark::State& state) { measure(state, bench::random_instance(24, 8, {.pairs = true})); }
BENCHMARK(exact_front_pairs)->Unit(benchmark::kMillisecond);

void exact_front_counter(benchmark::State& state) { measure(state, bench::random_instance(24, 8, {.counter = true})); }
BENCHMARK(exact_front_counter)->Unit(benchmark::kMillisecond);

/// Eight mixers that may stand side by side.
void exact_front_free(benchmark::State& state, std::vector<std::string> metrics) {
  measure(state, bench::free_instance(metrics));
}
BENCHMARK_CAPTURE(exact_front_free, recall_kv, {"recall", "kv_cache_bytes"})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(exact_front_free, recall_decode, {"recall", "decode_step_s"})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(exact_front_free, recall_kv_decode, {"recall", "kv_cache_bytes", "decode_step_s"})
    ->Unit(benchmark::kMillisecond);

/// The quickstart's own space: at most one linear mixer per layout.
void exact_front_quickstart(benchmark::State& state, std::vector<std::string> metrics) {
  measure(state, bench::quickstart_instance(metrics));
}
BENCHMARK_CAPTURE(exact_front_quickstart, recall_kv, {"recall", "kv_cache_bytes"})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(exact_front_quickstart, recall_decode, {"recall", "decode_step_s"})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(exact_front_quickstart, recall_kv_decode, {"recall", "kv_cache_bytes", "decode_step_s"})
    ->Unit(benchmark::kMillisecond);

}  // namespace
