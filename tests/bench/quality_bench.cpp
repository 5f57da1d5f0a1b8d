#include <benchmark/benchmark.h>

#include "src/quality/prior.h"
#include "tests/bench/instances.h"

namespace {

using namespace plait;

void prior_fit(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(quality::QualityPrior::fit());
}
BENCHMARK(prior_fit)->Unit(benchmark::kMicrosecond);

void prior_recall(benchmark::State& state) {
  const auto prior = quality::QualityPrior::fit();
  const spec::Layout layout = spec::parse_layout("(GGG*)x6", spec::Palette::defaults(2048));
  for (auto _ : state) benchmark::DoNotOptimize(prior.recall(layout));
}
BENCHMARK(prior_recall);

/// 25 tables of 24 x 7 terms.
void prior_as_additive_score(benchmark::State& state) {
  const auto prior = quality::QualityPrior::fit();
  const search::SearchSpace space = bench::quickstart().space;
  for (auto _ : state) benchmark::DoNotOptimize(prior.recall_additive(space));
}
BENCHMARK(prior_as_additive_score)->Unit(benchmark::kMicrosecond);

}  // namespace
