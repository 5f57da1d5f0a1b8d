#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <string>

#include "src/proxy/reduce.h"
#include "src/proxy/trainer.h"
#include "src/spec/notation.h"

/// Training steps of proxy populations.
namespace {

using namespace plait;

spec::ModelSpec member_model(const std::string& layers, spec::Dim d_model, spec::Dim vocab_size) {
  spec::ModelSpec model;
  model.name = layers;
  model.d_model = d_model;
  model.layout = spec::parse_layout(layers, spec::Palette::defaults(d_model));
  proxy::ProxyShape shape = proxy::proxy_shape(proxy::Tier::tiny);
  shape.d_model = d_model;
  return proxy::proxy_model(model, shape, vocab_size, 64);
}

double peak_memory_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// One step of M members of width D.
void train_step(benchmark::State& state, const std::string& layers) {
  proxy::TrainingPlan plan;
  plan.batch = 32;
  const auto task = proxy::make_task(plan.task, {.tier = plan.tier, .text = {}});
  std::vector<proxy::Member> members;
  for (std::int64_t m = 0; m < state.range(0); ++m) {
    members.push_back({member_model(layers, state.range(1), task->vocab_size()), 1e-2, static_cast<std::uint64_t>(m)});
  }
  proxy::Trainer trainer(members, plan, *task, at::kCPU);
  std::int64_t step = 0;
  for (auto _ : state) trainer.step(step++ % plan.steps);
  state.counters["steps_per_s"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  state.counters["peak_MiB"] = peak_memory_mib();
}
BENCHMARK_CAPTURE(train_step, gated_delta_net, "GG")
    ->ArgNames({"M", "D"})
    ->ArgsProduct({{1, 8}, {32, 64}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(train_step, hybrid, "GGG*")
    ->ArgNames({"M", "D"})
    ->ArgsProduct({{1, 8}, {32, 64}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

/// The floor of train_step of Gated DeltaNet: the matrix products alone, forward and backward, of its two layers.
void step_products(benchmark::State& state) {
  const std::int64_t members = state.range(0), d = state.range(1), tokens = 32 * 32;
  const std::int64_t keys = 2 * proxy::proxy_shape(proxy::Tier::tiny).key_head_dim;
  struct Product {
    at::Tensor x, weight, gradient;
  };
  std::vector<Product> products;
  std::int64_t multiplications = 0;
  for (int layer = 0; layer < 2; ++layer) {
    for (const auto& [in, out] : {std::pair{d, keys},
                                  {d, keys},
                                  {d, d},
                                  {d, d},
                                  {d, d},  // q, k, v, gate, output
                                  {d, 2 * d},
                                  {d, 2 * d},
                                  {2 * d, d}}) {  // SwiGLU
      products.push_back(
          {at::randn({members, tokens, in}), at::randn({members, in, out}), at::randn({members, tokens, out})});
      multiplications += 3 * members * tokens * in * out;
    }
  }
  for (auto _ : state) {
    for (const Product& p : products) {
      benchmark::DoNotOptimize(at::bmm(p.x, p.weight));
      benchmark::DoNotOptimize(at::bmm(p.gradient, p.weight.transpose(1, 2)));
      benchmark::DoNotOptimize(at::bmm(p.x.transpose(1, 2), p.gradient));
    }
  }
  state.counters["GFLOP"] = 2e-9 * static_cast<double>(multiplications);
}
BENCHMARK(step_products)
    ->ArgNames({"M", "D"})
    ->ArgsProduct({{1, 8}, {32, 64}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

/// Growth of the process's memory over 10,000 steps, after 200 to warm up: what it asks for must not grow with time.
void memory_growth(benchmark::State& state) {
  proxy::TrainingPlan plan;
  plan.steps = 20000;
  plan.batch = 2;
  const auto task = proxy::make_task(plan.task, {.tier = plan.tier, .text = {}});
  const std::vector<proxy::Member> members{{member_model("G*", 16, task->vocab_size()), 1e-3, 0}};
  proxy::Trainer trainer(members, plan, *task, at::kCPU);
  for (auto _ : state) {
    for (std::int64_t step = 0; step < 200; ++step) trainer.step(step);
    const double before = peak_memory_mib();
    for (std::int64_t step = 200; step < 10200; ++step) trainer.step(step);
    state.counters["growth_MiB"] = peak_memory_mib() - before;
    state.counters["peak_MiB"] = peak_memory_mib();
  }
}
BENCHMARK(memory_growth)->Iterations(1)->Repetitions(1)->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
