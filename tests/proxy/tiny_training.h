#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "src/proxy/reduce.h"
#include "src/proxy/task.h"
#include "src/proxy/training.h"
#include "src/spec/notation.h"

/// Members and tasks that train in a second.
namespace plait::proxy {

/// Layers without a reduction in depth; a state of 16 x 16.
inline spec::ModelSpec tiny_model(std::string_view layout, const Task& task, spec::Dim d_model = 16) {
  spec::ModelSpec big;
  big.name = layout;
  big.layout = spec::parse_layout(layout, spec::Palette::defaults(2048));
  return proxy_model(big, {.layers = 8, .d_model = d_model, .heads = 1, .key_head_dim = 16, .attention_head_dim = 16},
                     task.vocab_size(), 64);
}

/// One of the tasks with a single small load.
class OneLoad : public Task {
 public:
  OneLoad(std::string_view name, Load load) : task_(make_task(name, {})), load_(load) {}
  std::int64_t vocab_size() const override { return task_->vocab_size(); }
  std::vector<Load> test_loads() const override { return {load_}; }
  Load train_load(std::int64_t, std::int64_t) const override { return load_; }
  bool reads_positions() const override { return task_->reads_positions(); }
  Batch make(const at::Tensor& keys, std::int64_t batch, Load load, Split split) const override {
    return task_->make(keys, batch, load, split);
  }

 private:
  std::unique_ptr<Task> task_;
  Load load_;
};

}  // namespace plait::proxy
