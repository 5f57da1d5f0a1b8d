#include <benchmark/benchmark.h>

#include <random>
#include <span>
#include <vector>

#include "costmodel/cost_report.h"
#include "costmodel/cost_table.h"
#include "src/spec/notation.h"

namespace {

using namespace plait;

/// 24 layers at d_model 2048 on an H100, context 32k.
void cost(benchmark::State& state, const char* layout) {
  spec::ModelSpec model;
  model.layout = spec::parse_layout(layout, spec::Palette::defaults(model.d_model));
  const spec::Workload workload{.context = 32768, .batch = 16};
  const costmodel::HardwareProfile hardware = costmodel::find_hardware("h100");
  for (auto _ : state) benchmark::DoNotOptimize(costmodel::cost_report(model, workload, hardware));
}
BENCHMARK_CAPTURE(cost, uniform, "Gx24");
BENCHMARK_CAPTURE(cost, three_to_one, "(GGG*)x6");
BENCHMARK_CAPTURE(cost, seven_mixers, "(RLhHdG*)x3GG*");

void cost_of_layer(benchmark::State& state, const char* layer) {
  spec::ModelSpec model;
  const spec::Layout layout = spec::parse_layout(layer, spec::Palette::defaults(model.d_model));
  const spec::Workload workload{.context = 32768, .batch = 16};
  const costmodel::HardwareProfile hardware = costmodel::find_hardware("h100");
  for (auto _ : state) {
    benchmark::DoNotOptimize(costmodel::layer_cost(layout.layers.front(), model, workload, hardware));
  }
}
BENCHMARK_CAPTURE(cost_of_layer, full_attention, "*");
BENCHMARK_CAPTURE(cost_of_layer, gated_delta_net, "G");
BENCHMARK_CAPTURE(cost_of_layer, mamba2, "M");

/// 24 slots of 13 mixers: every layout anew, and one slot changed.
class Space {
 public:
  Space() {
    std::mt19937 random(1);
    for (auto& choice : layouts_) choice = static_cast<costmodel::CostTable::Choice>(random() % kMixers);
  }
  static constexpr std::size_t kMixers = 13, kSlots = 24, kLayouts = 4096;

  costmodel::CostTable table_ = make();
  std::vector<costmodel::CostTable::Choice> layouts_ = std::vector<costmodel::CostTable::Choice>(kLayouts * kSlots);
  std::vector<costmodel::LayoutTotals> totals_ = std::vector<costmodel::LayoutTotals>(kLayouts);

 private:
  static costmodel::CostTable make() {
    const spec::ModelSpec model;
    std::vector<spec::LayerSpec> candidates;
    for (std::size_t i = 0; i < kMixers; ++i) {
      candidates.push_back({.mixer = spec::default_mixer(i, model.d_model), .channel_mixer = spec::SwiGlu{}});
    }
    return {model, kSlots, candidates, {.context = 32768, .batch = 16}, costmodel::find_hardware("h100")};
  }
};

void cost_table(benchmark::State& state) {
  Space space;
  for (auto _ : state) {
    space.table_.evaluate(space.layouts_, space.totals_);
    benchmark::DoNotOptimize(space.totals_.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * Space::kLayouts));
}
BENCHMARK(cost_table);

void cost_table_replace(benchmark::State& state) {
  Space space;
  auto layout = std::span(space.layouts_).first(Space::kSlots);
  space.table_.evaluate(layout, std::span(space.totals_).first(1));
  std::size_t i = Space::kSlots;
  for (auto _ : state) {
    space.table_.replace(layout, i % Space::kSlots, space.layouts_[i], space.totals_[0]);
    benchmark::DoNotOptimize(space.totals_.data());
    if (++i == space.layouts_.size()) i = Space::kSlots;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(cost_table_replace);

void hardware_profile(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(costmodel::find_hardware("h100"));
}
BENCHMARK(hardware_profile);

}  // namespace
