#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "src/proxy/backend.h"
#include "src/spec/error.h"

namespace plait::testing {

/// Trains nothing: curves and tests follow from the layout, the learning rate and the seed. Keeps a checkpoint as the
/// real one does: the state after every reading, and the end.
class FakeBackend : public proxy::Backend {
 public:
  struct Call {
    std::vector<proxy::Member> members;
    proxy::TrainingPlan plan;
    std::int64_t first_step = 0;
  };
  mutable std::vector<Call> calls;

  std::function<void(std::int64_t step)> at_step = [](std::int64_t) {
  };  ///< may throw, as a crash would end the program
  /// How much the member knows at the end, in [0, 1].
  std::function<double(const proxy::Member&)> knows = &FakeBackend::by_layout;
  std::function<std::string(const proxy::Member&)> failure = [](const proxy::Member&) { return std::string(); };
  std::function<std::string(const proxy::Member&)> unsupported = [](const proxy::Member&) { return std::string(); };

  /// Attention anywhere but first helps, and 1e-2 is the better learning rate for layouts without any.
  static double by_layout(const proxy::Member& member) {
    const spec::Layout& layout = member.model.layout;
    const std::size_t full = spec::count_full(layout);
    const bool first = spec::is_full_attention(layout.layers[0].mixer);
    double base = first ? 0.05 : full > 0 ? 0.9 : 0.5;
    if (full == 0 && member.learning_rate < 1e-2) base -= 0.2;
    if (full > 0 && member.learning_rate >= 1e-2) base -= 0.03;
    return std::clamp(base + 0.01 * static_cast<double>(member.seed) - 0.001 * static_cast<double>(full), 0.0, 1.0);
  }

  std::string description() const override { return "a fake; device cpu"; }

  TaskShape task_shape(const proxy::TrainingPlan& plan) const override {
    const auto tasks = proxy::task_table();
    if (std::ranges::find(tasks, plan.task, &proxy::TaskInfo::name) == tasks.end()) {
      throw spec::SpecError("task", "unknown task \"" + plan.task + "\"");
    }
    return {.vocab_size = 64, .length = 64};
  }

  Weights copy_weights(const spec::ModelSpec&, std::uint64_t, const std::filesystem::path&,
                       const std::filesystem::path&) const override {
    throw std::logic_error("a fake has no weights");
  }

  proxy::OperatorTime measure(const proxy::OperatorShape&, const std::string&) const override {
    throw std::logic_error("a fake runs no operators");
  }

  proxy::TrainingResult train(std::span<const proxy::Member> members, const proxy::TrainingPlan& plan,
                              std::stop_token stop, const proxy::TrainingObserver& observer) const override {
    std::vector<spec::Problem> problems;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const std::string path = "members[" + std::to_string(i) + "]";
      if (std::string why = unsupported(members[i]); !why.empty()) problems.push_back({path + ".layout", why});
      if (members[i].model.layout.size() != members[0].model.layout.size()) problems.push_back({path, "another depth"});
    }
    if (!problems.empty()) throw spec::SpecError(problems);

    Call& call = calls.emplace_back(Call{{members.begin(), members.end()}, plan, 0});
    if (!plan.checkpoint.empty()) std::ifstream(plan.checkpoint) >> call.first_step;
    proxy::TrainingResult result;
    result.runs.resize(members.size());
    for (std::int64_t step = call.first_step; step < plan.steps; ++step) {
      if (stop.stop_requested()) {
        result.finished = false;
        return result;
      }
      at_step(step);
      if ((step + 1) % plan.report_every != 0) continue;
      if (!plan.checkpoint.empty()) std::ofstream(plan.checkpoint) << step + 1;
      if (observer) {
        const double share = static_cast<double>(step + 1) / static_cast<double>(plan.steps);
        observer({.step = step + 1,
                  .steps = plan.steps,
                  .training = members.size(),
                  .elapsed_s = share,
                  .eta_s = 1 - share,
                  .peak_memory_bytes = 3 << 20});
      }
    }
    if (!plan.checkpoint.empty()) std::ofstream(plan.checkpoint) << plan.steps;
    for (std::size_t i = 0; i < members.size(); ++i) {
      proxy::MemberRun& run = result.runs[i];
      run.steps = plan.steps;
      run.failure = failure(members[i]);
      if (!run.failure.empty()) {
        result.notes.push_back(run.failure);
        continue;
      }
      const double known = knows(members[i]);
      for (std::int64_t step = plan.report_every; step <= plan.steps; step += plan.report_every) {
        const double share = static_cast<double>(step) / static_cast<double>(plan.steps);
        run.curve.push_back({step, 3 - 2 * share * known, share * known});
      }
      for (const std::int64_t pairs : {4, 16}) {
        run.tests.push_back({.pairs = pairs,
                             .length = 64,
                             .candidates = pairs,
                             .cross_entropy = (1 - known) * std::log(static_cast<double>(pairs)),
                             .accuracy = known});
      }
    }
    result.elapsed_s = 1;
    result.tokens_per_s = 1000;
    return result;
  }
};

}  // namespace plait::testing
