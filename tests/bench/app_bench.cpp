#include <benchmark/benchmark.h>

#include "src/app/build_study.h"
#include "tests/bench/instances.h"

namespace {

using namespace plait;

void study_read(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(bench::quickstart());
}
BENCHMARK(study_read)->Unit(benchmark::kMillisecond);

/// Graph, evaluators, exact front.
void study_build(benchmark::State& state) {
  const app::StudySpec spec = bench::quickstart();
  for (auto _ : state) benchmark::DoNotOptimize(app::build_study(spec));
}
BENCHMARK(study_build)->Unit(benchmark::kMillisecond);

/// Built before the clock starts; baselines and trials evaluated, no journal.
void study_run(benchmark::State& state) {
  const app::StudySpec spec = bench::quickstart();
  for (auto _ : state) {
    state.PauseTiming();
    const auto built = app::build_study(spec);
    state.ResumeTiming();
    built->study->run(nullptr, {}, {});
  }
}
BENCHMARK(study_run)->Unit(benchmark::kMillisecond);

}  // namespace
