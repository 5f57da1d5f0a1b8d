#include <benchmark/benchmark.h>

#include "costmodel/cost_report.h"
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

void hardware_profile(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(costmodel::find_hardware("h100"));
}
BENCHMARK(hardware_profile);

}  // namespace
