#include <benchmark/benchmark.h>

#include <boost/graph/r_c_shortest_paths.hpp>

#include "tests/bench/instances.h"

// Boost.Graph's general multi-objective label setting on the same layout graph: the library call that one would write
// instead of exact_front.

namespace {

using namespace plait;
using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS,
                                    boost::property<boost::vertex_index_t, std::size_t>,
                                    boost::property<boost::edge_index_t, std::size_t>>;

struct Sums {
  double a = 0;
  double b = 0;
  bool operator==(const Sums& other) const { return a == other.a && b == other.b; }
  bool operator<(const Sums& other) const { return a != other.a ? a < other.a : b < other.b; }
};

/// Arguments: slots. Eight candidates, no rules; all nondominated paths.
void boost_paths(benchmark::State& state) {
  const auto slots = static_cast<std::size_t>(state.range(0));
  const std::size_t candidates = 8;
  const bench::Instance instance = bench::random_instance(slots, candidates);
  const auto exact = search::exact_front(instance.graph, instance.objectives);

  // One vertex per boundary, one edge per choice: no rules, so nothing else needs to be told apart.
  Graph graph(slots + 1);
  std::vector<Sums> cost;
  for (std::size_t i = 0; i < slots; ++i) {
    for (std::size_t c = 0; c < candidates; ++c) {
      boost::add_edge(i, i + 1, cost.size(), graph);
      cost.push_back({instance.objectives[0].score.terms[0].slot[i * candidates + c],
                      instance.objectives[1].score.terms[0].slot[i * candidates + c]});
    }
  }
  const auto extend = [&](const Graph& g, Sums& to, const Sums& from, Graph::edge_descriptor edge) {
    const Sums& step = cost[boost::get(boost::edge_index, g, edge)];
    to = {from.a + step.a, from.b + step.b};
    return true;
  };
  const auto dominates = [](const Sums& x, const Sums& y) { return x.a <= y.a && x.b <= y.b; };
  std::size_t points = 0;
  for (auto _ : state) {
    std::vector<std::vector<Graph::edge_descriptor>> paths;
    std::vector<Sums> sums;
    boost::r_c_shortest_paths(graph, boost::get(boost::vertex_index, graph), boost::get(boost::edge_index, graph), 0,
                              slots, paths, sums, Sums{}, extend, dominates);
    points = sums.size();
  }
  if (points != exact.size()) state.SkipWithError("the two fronts differ");
  state.counters["points"] = static_cast<double>(points);
}
BENCHMARK(boost_paths)->Arg(12)->Arg(24)->Unit(benchmark::kMillisecond);

void exact_front_like_boost(benchmark::State& state) {
  const bench::Instance instance = bench::random_instance(static_cast<std::size_t>(state.range(0)), 8);
  for (auto _ : state) benchmark::DoNotOptimize(search::exact_front(instance.graph, instance.objectives));
}
BENCHMARK(exact_front_like_boost)->Arg(12)->Unit(benchmark::kMillisecond);

}  // namespace
