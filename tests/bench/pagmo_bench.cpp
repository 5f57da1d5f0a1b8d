#include <benchmark/benchmark.h>

#include <memory>
#include <pagmo/algorithm.hpp>
#include <pagmo/algorithms/nsga2.hpp>
#include <pagmo/population.hpp>
#include <pagmo/problem.hpp>
#include <pagmo/utils/hypervolume.hpp>

#include "tests/bench/instances.h"
#include "tests/bench/point_clouds.h"

// pagmo 2 (Biscani and Izzo, JOSS 5(53), 2020) on the same instances.

namespace {

using namespace plait;

/// The plain 24 x 8 instance as a pagmo problem of 24 integers.
struct LayoutProblem {
  const bench::Instance* instance = nullptr;
  std::shared_ptr<std::vector<search::Point>> seen;  ///< values of everything evaluated

  pagmo::vector_double fitness(const pagmo::vector_double& x) const {
    search::Path path;
    for (const double c : x) path.push_back(static_cast<std::uint16_t>(c));
    seen->push_back({instance->objectives[0].score.evaluate(path), instance->objectives[1].score.evaluate(path)});
    return seen->back();
  }
  pagmo::vector_double::size_type get_nobj() const { return 2; }
  pagmo::vector_double::size_type get_nix() const { return instance->graph.slots(); }
  std::pair<pagmo::vector_double, pagmo::vector_double> get_bounds() const {
    const auto& score = instance->objectives[0].score;
    return {pagmo::vector_double(score.slots, 0),
            pagmo::vector_double(score.slots, static_cast<double>(score.candidates - 1))};
  }
};

/// Population 100, its defaults otherwise. The share of the exact hypervolume that all evaluated layouts reach, and the
/// last population alone.
void pagmo_nsga2(benchmark::State& state) {
  const bench::Instance instance = bench::random_instance(24, 8);
  const auto exact = search::exact_front(instance.graph, instance.objectives);
  const auto seen = std::make_shared<std::vector<search::Point>>();
  std::vector<search::Point> last;
  for (auto _ : state) {
    seen->clear();
    pagmo::population population{pagmo::problem{LayoutProblem{&instance, seen}}, 100, 1u};
    const auto generations = static_cast<unsigned>(state.range(0) / 100 - 1);
    pagmo::nsga2 algorithm{generations};
    algorithm.set_seed(1);
    population = pagmo::algorithm{algorithm}.evolve(population);
    last = population.get_f();
  }
  state.counters["evaluations"] = static_cast<double>(seen->size());
  state.counters["share"] = bench::share_of_front(exact, *seen);
  state.counters["share_last"] = bench::share_of_front(exact, last);
}
BENCHMARK(pagmo_nsga2)->Arg(10000)->Arg(100000)->Unit(benchmark::kMillisecond);

void pagmo_hypervolume(benchmark::State& state) {
  const auto points =
      bench::front_cloud(static_cast<std::size_t>(state.range(1)), static_cast<std::size_t>(state.range(0)));
  const pagmo::vector_double reference(points.front().size(), 1.0);
  double volume = 0;
  for (auto _ : state) {
    pagmo::hypervolume hypervolume(points, false);
    hypervolume.set_copy_points(false);
    benchmark::DoNotOptimize(volume = hypervolume.compute(reference));
  }
  state.counters["volume"] = volume;
}
BENCHMARK(pagmo_hypervolume)->Args({2, 100000})->Args({3, 2000})->Args({3, 100000})->Unit(benchmark::kMillisecond);

}  // namespace
