#include <benchmark/benchmark.h>

#include "search/layout_graph.h"
#include "tests/search/small_spaces.h"

namespace {

using namespace plait::search;

/// 24 x 8, without rules and with four.
SearchSpace space_with_rules(bool rules) {
  SearchSpace space = testing::space_of(24, 8);
  if (!rules) return space;
  std::vector<std::string> linear;
  for (std::size_t c = 2; c < 8; ++c) linear.push_back(space.candidates[c].symbol);
  space.rules = {CountRule{{"*"}, 2, 8}, NotAtEndRule{{"*"}, true}, MaxGapRule{{"*", "S"}, 7}, DistinctRule{linear, 1}};
  return space;
}

void layout_graph_build(benchmark::State& state) {
  const SearchSpace space = space_with_rules(state.range(0) != 0);
  std::size_t vertices = 0;
  for (auto _ : state) {
    const LayoutGraph graph(space);
    vertices = boost::num_vertices(graph.graph());
  }
  state.counters["vertices"] = static_cast<double>(vertices);
}
BENCHMARK(layout_graph_build)->ArgName("rules")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

void layout_graph_sample(benchmark::State& state) {
  const LayoutGraph graph(space_with_rules(state.range(0) != 0));
  std::mt19937_64 random(1);
  for (auto _ : state) benchmark::DoNotOptimize(graph.sample(random));
}
BENCHMARK(layout_graph_sample)->ArgName("rules")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

void layout_graph_neighbour(benchmark::State& state) {
  const LayoutGraph graph(space_with_rules(state.range(0) != 0));
  std::mt19937_64 random(1);
  const Path path = graph.sample(random);
  for (auto _ : state) benchmark::DoNotOptimize(graph.neighbour(path, 2, random));
}
BENCHMARK(layout_graph_neighbour)->ArgName("rules")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

}  // namespace
