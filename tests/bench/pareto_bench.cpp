#include <benchmark/benchmark.h>

#include "search/pareto.h"
#include "tests/bench/point_clouds.h"

namespace {

using namespace plait;

/// Arguments: dimensions, points.
void hypervolume(benchmark::State& state) {
  const auto points =
      bench::front_cloud(static_cast<std::size_t>(state.range(1)), static_cast<std::size_t>(state.range(0)));
  const search::Point reference(points.front().size(), 1.0);
  double volume = 0;
  for (auto _ : state) benchmark::DoNotOptimize(volume = search::hypervolume(points, reference));
  state.counters["volume"] = volume;
}
BENCHMARK(hypervolume)->Args({2, 100000})->Args({3, 2000})->Args({3, 100000})->Unit(benchmark::kMillisecond);

void nondominated_cube(benchmark::State& state) {
  const auto points = bench::cube_cloud(static_cast<std::size_t>(state.range(0)), 3);
  for (auto _ : state) benchmark::DoNotOptimize(search::nondominated(points));
}
BENCHMARK(nondominated_cube)->Arg(40000)->Unit(benchmark::kMillisecond);

void nondominated_front(benchmark::State& state) {
  const auto points = bench::front_cloud(static_cast<std::size_t>(state.range(0)), 3);
  for (auto _ : state) benchmark::DoNotOptimize(search::nondominated(points));
}
BENCHMARK(nondominated_front)->Arg(40000)->Unit(benchmark::kMillisecond);

void nondominated_rank(benchmark::State& state) {
  const auto points = bench::cube_cloud(static_cast<std::size_t>(state.range(0)), 3);
  for (auto _ : state) benchmark::DoNotOptimize(search::nondominated_rank(points));
}
BENCHMARK(nondominated_rank)->Arg(20000)->Unit(benchmark::kMillisecond);

}  // namespace
