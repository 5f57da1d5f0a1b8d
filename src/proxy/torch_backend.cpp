#include <fmt/format.h>
#include <torch/torch.h>

#include "src/nn/checkpoint.h"
#include "src/proxy/backend.h"
#include "src/proxy/device.h"
#include "src/proxy/measure.h"
#include "src/proxy/task.h"
#include "src/proxy/train.h"

namespace plait::proxy {
namespace {

/// A task whose every step is at the hardest load.
class WithoutCurriculum : public Task {
 public:
  explicit WithoutCurriculum(std::unique_ptr<Task> task) : task_(std::move(task)) {}
  std::int64_t vocab_size() const override { return task_->vocab_size(); }
  std::vector<Load> test_loads() const override { return task_->test_loads(); }
  Load train_load(std::int64_t, std::int64_t) const override { return task_->test_loads().back(); }
  bool reads_positions() const override { return task_->reads_positions(); }
  Batch make(const at::Tensor& keys, std::int64_t batch, Load load, Split split) const override {
    return task_->make(keys, batch, load, split);
  }

 private:
  std::unique_ptr<Task> task_;
};

std::unique_ptr<Task> task_of(const TrainingPlan& plan) {
  std::unique_ptr<Task> task = make_task(plan.task, {.tier = plan.tier, .text = plan.text});
  if (plan.curriculum) return task;
  return std::make_unique<WithoutCurriculum>(std::move(task));
}

class TorchBackend : public Backend {
 public:
  std::string description() const override {
    std::string devices = "cpu";
    try {
      open_device("cuda");
      devices += ", cuda";
    } catch (const Unavailable&) {  // said when it is asked for
    }
    return fmt::format("LibTorch {}; device {}", TORCH_VERSION, devices);
  }

  TrainingResult train(std::span<const Member> members, const TrainingPlan& plan, std::stop_token stop,
                       const TrainingObserver& observer) const override {
    const std::unique_ptr<Task> task = task_of(plan);
    try {
      return proxy::train(members, plan, *task, std::move(stop), observer);
    } catch (const c10::Error& error) {  // its what() is a page of stack frames
      throw std::runtime_error(fmt::format("LibTorch: {}", error.what_without_backtrace()));
    }
  }

  TaskShape task_shape(const TrainingPlan& plan) const override {
    const std::unique_ptr<Task> task = task_of(plan);
    TaskShape shape{.vocab_size = task->vocab_size(), .length = 0};
    for (std::int64_t step = 0; step < plan.steps; ++step)
      shape.length = std::max(shape.length, task->train_load(step, plan.steps).length);
    return shape;
  }

  Weights copy_weights(const spec::ModelSpec& model, std::uint64_t seed, const std::filesystem::path& from,
                       const std::filesystem::path& to) const override {
    try {
      nn::Population population({model}, {seed});
      if (!from.empty()) nn::load_checkpoint(population, 0, from.string());
      if (!to.empty()) nn::save_checkpoint(population, 0, to.string());
      Weights out;
      for (const auto& [name, value] : population.weights(0)) {
        ++out.tensors;
        out.parameters += value.numel();
      }
      return out;
    } catch (const c10::Error& error) {
      throw std::runtime_error(fmt::format("LibTorch: {}", error.what_without_backtrace()));
    }
  }

  OperatorTime measure(const OperatorShape& shape, const std::string& device) const override {
    try {
      return measure_operator(shape, open_device(device));
    } catch (const c10::Error& error) {
      throw std::runtime_error(fmt::format("LibTorch: {}", error.what_without_backtrace()));
    }
  }
};

}  // namespace
}  // namespace plait::proxy

/// What src/proxy/backend.cpp looks for.
extern "C" __attribute__((visibility("default"))) const plait::proxy::Backend* plait_proxy_backend();
extern "C" __attribute__((visibility("default"))) const char* plait_proxy_version();

extern "C" const char* plait_proxy_version() { return PLAIT_VERSION; }

extern "C" const plait::proxy::Backend* plait_proxy_backend() {
  static const plait::proxy::TorchBackend backend;
  return &backend;
}
