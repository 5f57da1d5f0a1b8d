#include <fmt/format.h>
#include <torch/torch.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "src/proxy/device.h"
#include "src/proxy/trainer.h"

/// Training steps of two-layer Gated DeltaNet models on MQAR (batch 256, 256 tokens, vocabulary 8,192, 64 labelled
/// positions a row) on a GPU: operation by operation and as one graph, and populations beside one member. Peers: fla
/// 0.6.0, the better of its runs on an H200.
namespace {

using namespace plait;
using Clock = std::chrono::steady_clock;

class Mqar : public proxy::Task {
 public:
  std::int64_t vocab_size() const override { return task_->vocab_size(); }
  std::vector<proxy::Load> test_loads() const override { return {kLoad}; }
  proxy::Load train_load(std::int64_t, std::int64_t) const override { return kLoad; }
  proxy::Batch make(const at::Tensor& keys, std::int64_t batch, proxy::Load load, proxy::Split split) const override {
    return task_->make(keys, batch, load, split);
  }

 private:
  static constexpr proxy::Load kLoad{.pairs = 64, .length = 256};
  std::unique_ptr<proxy::Task> task_ = proxy::make_task("mqar_zoology", {.tier = proxy::Tier::full, .text = {}});
};

spec::ModelSpec model(spec::Dim d_model, const proxy::Task& task) {
  spec::ModelSpec out;
  out.d_model = d_model;
  out.vocab_size = task.vocab_size();
  const spec::GatedDeltaNet mixer{
      .heads = 2, .value_heads = 2, .key_head_dim = d_model / 2, .value_head_dim = d_model / 2};
  out.layout.layers.assign(2, {.mixer = mixer, .channel_mixer = spec::SwiGlu{2 * d_model}});
  return out;
}

void wait(at::Device device) { c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index()); }

struct Times {
  double first_s = 0;  ///< from nothing to the end of the first step
  double step_ms = 0;
  double memory_gb = 0;
};

Times times(std::int64_t d_model, std::int64_t members, bool graphs, at::Device device) {
  const Mqar task;
  proxy::TrainingPlan plan;
  plan.batch = 256;
  plan.graphs = graphs;
  std::vector<proxy::Member> population;
  for (std::int64_t m = 0; m < members; ++m)
    population.push_back({model(d_model, task), 1e-3, static_cast<std::uint64_t>(m)});
  Times out;
  proxy::reset_peak_memory(device);
  const auto begin = Clock::now();
  proxy::Trainer trainer(population, plan, task, device);
  trainer.step(0);
  wait(device);
  out.first_s = std::chrono::duration<double>(Clock::now() - begin).count();
  for (std::int64_t step = 1; step < 10; ++step) trainer.step(step);
  wait(device);
  constexpr std::int64_t kSteps = 50;
  const auto from = Clock::now();
  for (std::int64_t step = 10; step < 10 + kSteps; ++step) trainer.step(step);
  wait(device);
  out.step_ms = std::chrono::duration<double, std::milli>(Clock::now() - from).count() / kSteps;
  out.memory_gb = static_cast<double>(proxy::peak_memory_bytes(device)) / 1e9;
  for (const std::string& note : trainer.notes())
    if (graphs) fmt::print("  {}\n", note);
  return out;
}

}  // namespace

/// Arguments: a width to run alone, as a profiler wants it.
int main(int count, char** arguments) try {
  const std::int64_t only = count > 1 ? std::atoll(arguments[1]) : 0;
  const at::Device device = proxy::open_device("cuda");
  struct Width {
    std::int64_t d_model;
    double eager_ms, graphed_ms;
  };
  for (const auto& [d_model, peer_eager, peer_graphed] : {Width{64, 14.8, 5.1}, {128, 13.1, 6.7}, {256, 14.6, 10.1}}) {
    if (only != 0 && only != d_model) continue;
    const Times eager = times(d_model, 1, false, device), graph = times(d_model, 1, true, device);
    fmt::print(
        "d {:3}: {:.2f} ms as a graph, {:.2f} ms by operations; fla graphed {:.1f} ({:.1f} x), eager {:.1f} ({:.1f} "
        "x); "
        "first step {:.2f} s, {:.2f} GB\n",
        d_model, graph.step_ms, eager.step_ms, peer_graphed, peer_graphed / graph.step_ms, peer_eager,
        peer_eager / graph.step_ms, eager.first_s, graph.memory_gb);
  }
  if (only != 0) return 0;
  const double one = times(64, 1, true, device).step_ms;
  for (const std::int64_t members : {8, 32}) {
    const Times many = times(64, members, true, device);
    fmt::print("d 64, {} members: {:.2f} ms, {:.1f} single members; {:.2f} GB\n", members, many.step_ms,
               many.step_ms / one, many.memory_gb);
  }
} catch (const proxy::Unavailable& none) {
  fmt::print("training step bench: skipped, {}\n", none.what());
  return 0;
}
