#include <benchmark/benchmark.h>

#include "search/strategy.h"
#include "search/study.h"
#include "tests/bench/instances.h"

namespace {

using namespace plait;
using search::Direction;

/// plait's own NSGA-II on the plain 24 x 8 instance: what share of the exact front's hypervolume all layouts that it
/// evaluated reach.
void nsga2(benchmark::State& state) {
  const search::SearchSpace space;
  const bench::Instance instance = bench::random_instance(24, 8);
  const auto exact = search::exact_front(instance.graph, instance.objectives);
  const search::StrategyContext context{
      .space = space,
      .graph = instance.graph,
      .objectives = {{"a", "1", Direction::minimize}, {"b", "1", Direction::minimize}},
      .constraints = {},
      .additive = {},
      .not_additive = {},
      .seed = 1,
      .budget = static_cast<std::size_t>(state.range(0))};
  std::vector<search::Point> points;
  for (auto _ : state) {
    points.clear();
    const auto strategy = search::find_strategy("nsga2")->make(context);
    for (auto paths = strategy->ask(100); !paths.empty(); paths = strategy->ask(100)) {
      for (search::Path& path : paths) {
        const double a = instance.objectives[0].score.evaluate(path);
        const double b = instance.objectives[1].score.evaluate(path);
        points.push_back({a, b});
        search::Trial trial;
        trial.path = std::move(path);
        trial.outcome = search::Scores{{"a", {a, {}, search::Source::exact}}, {"b", {b, {}, search::Source::exact}}};
        strategy->tell(trial);
      }
    }
  }
  state.counters["evaluations"] = static_cast<double>(points.size());
  state.counters["share"] = bench::share_of_front(exact, points);
}
BENCHMARK(nsga2)->Arg(10000)->Arg(100000)->Unit(benchmark::kMillisecond);

}  // namespace
