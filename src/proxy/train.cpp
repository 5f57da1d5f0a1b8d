#include "src/proxy/train.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <new>
#include <numeric>
#include <string_view>
#include <utility>

#include "src/proxy/checkpoint.h"
#include "src/proxy/device.h"
#include "src/proxy/trainer.h"
#include "src/spec/error.h"

namespace plait::proxy {
namespace {

bool is_out_of_memory(const std::exception& error) {
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
         std::string_view(error.what()).find("not enough memory") !=
             std::string_view::npos;  // LibTorch's CPU allocator
}

/// Trains cohorts one after the other, at first one of all members. What is stored is always a state at a reading.
class Run {
 public:
  Run(std::span<const Member> members, const TrainingPlan& plan, const Task& task, std::stop_token stop,
      const TrainingObserver& observer)
      : members_(members),
        plan_(plan),
        task_(task),
        stop_(std::move(stop)),
        observer_(observer),
        device_(open_device(plan.device)) {
    if (!plan.checkpoint.empty()) {
      if (auto stored = read_checkpoint(plan.checkpoint, members, plan)) {
        at_ = std::move(*stored);
        before_s_ = at_.elapsed_s;
        return;
      }
    }
    at_.runs.resize(members.size());
    Cohort& all = at_.cohorts.emplace_back();
    all.members.resize(members.size());
    std::iota(all.members.begin(), all.members.end(), std::size_t{0});
  }

  TrainingResult run() {
    reset_peak_memory(device_);
    bool stopped = false;
    while (!at_.cohorts.empty() && !stopped) {
      bool out_of_memory = false;
      try {
        stopped = !train_until_one_is_done();
      } catch (const std::exception& error) {
        out_of_memory = is_out_of_memory(error);
        if (!out_of_memory) throw;
      }
      if (out_of_memory) halve();  // after the tensors of the population are gone
    }
    TrainingResult result;
    result.runs = std::move(at_.runs);
    result.notes = std::move(at_.notes);
    result.finished = at_.cohorts.empty();
    const double here_s = seconds();
    result.elapsed_s = before_s_ + here_s;
    result.tokens_per_s = tokens_ / std::max(1e-9, here_s);
    result.peak_memory_bytes = peak_memory_bytes(device_);
    return result;
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// Of this process.
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  void halve() {
    Cohort whole = std::move(at_.cohorts.front());
    at_.cohorts.erase(at_.cohorts.begin());
    const std::size_t size = whole.members.size();
    if (size == 1) {
      at_.runs[whole.members[0]].failure = "out of memory, alone in its population: lower the batch";
      note_failure(whole.members[0]);
    } else {
      at_.notes.push_back(fmt::format("out of memory with {} members side by side: {} and then {} train instead", size,
                                      size / 2, size - size / 2));
      const auto part = [&](std::size_t begin, std::size_t end) {
        Cohort out{.step = whole.step, .members = {}, .states = {}};
        for (std::size_t i = begin; i < end; ++i) {
          out.members.push_back(whole.members[i]);
          if (!whole.states.empty()) out.states.push_back(std::move(whole.states[i]));
        }
        return out;
      };
      std::vector<Cohort> halves;
      halves.push_back(part(0, size / 2));
      halves.push_back(part(size / 2, size));
      at_.cohorts.insert(at_.cohorts.begin(), std::make_move_iterator(halves.begin()),
                         std::make_move_iterator(halves.end()));
    }
    store();
  }

  void store() {
    at_.elapsed_s = before_s_ + seconds();
    if (!plan_.checkpoint.empty()) write_checkpoint(plan_.checkpoint, at_, members_, plan_);
  }

  void note_failure(std::size_t member) {
    at_.notes.push_back(fmt::format("{}, learning rate {}, seed {}: {}", members_[member].model.name,
                                    members_[member].learning_rate, members_[member].seed, at_.runs[member].failure));
  }

  void note_once(const std::vector<std::string>& notes) {
    for (const std::string& note : notes)
      if (std::ranges::find(at_.notes, note) == at_.notes.end()) at_.notes.push_back(note);
  }

  /// Trains the first cohort to the reading at which it shrinks. Returns false when a stop was requested.
  bool train_until_one_is_done() {
    const Cohort& cohort = at_.cohorts.front();
    std::vector<Member> members;
    for (const std::size_t index : cohort.members) members.push_back(members_[index]);
    Trainer trainer(members, plan_, task_, device_);
    for (std::size_t i = 0; i < cohort.states.size(); ++i)
      trainer.set_state(static_cast<std::int64_t>(i), cohort.states[i]);

    for (std::int64_t step = cohort.step; !stop_.stop_requested();) {
      const Load load = trainer.step(step);
      tokens_ += static_cast<double>(trainer.size() * plan_.batch * load.length);
      ++steps_;
      ++step;
      if (step % plan_.report_every != 0 && step != plan_.steps) continue;
      note_once(trainer.notes());
      if (read(trainer, step)) return true;
    }
    return false;
  }

  /// Takes a reading, tests who is done and moves the first cohort there. Returns whether anybody left it.
  bool read(Trainer& trainer, std::int64_t step) {
    const std::vector<std::size_t> who = at_.cohorts.front().members;
    const std::vector<Trainer::Reading> readings = trainer.read();
    const std::vector<Load> loads = task_.test_loads();
    const std::vector<TestScore> hardest = trainer.test(loads.back());
    std::vector<bool> alive(who.size()), done(who.size());
    bool any_finished = false;
    for (std::size_t i = 0; i < who.size(); ++i) {
      const auto& curve = at_.runs[who[i]].curve;
      // The last step may have broken weights whose loss was still finite.
      alive[i] = readings[i].alive && std::isfinite(hardest[i].cross_entropy);
      const bool solved =
          hardest[i].accuracy >= plan_.solved && !curve.empty() && curve.back().accuracy >= plan_.solved;
      done[i] = !alive[i] || solved || step == plan_.steps;
      any_finished |= alive[i] && done[i];
    }
    std::vector<std::vector<TestScore>> tests;  // by load
    if (any_finished) {
      for (const Load& load : loads) tests.push_back(load == loads.back() ? hardest : trainer.test(load));
    }
    std::vector<MemberState> states = trainer.states();

    // Nothing below runs out of a device's memory: this reading counts whole or not at all.
    Cohort next{.step = step, .members = {}, .states = {}};
    for (std::size_t i = 0; i < who.size(); ++i) {
      MemberRun& run = at_.runs[who[i]];
      run.steps = step;
      if (!alive[i]) {
        run.diverged = true;
        run.failure = fmt::format("diverged: the loss or its gradient was not finite at or before step {}", step);
        note_failure(who[i]);
        continue;
      }
      run.curve.push_back({step, readings[i].loss, hardest[i].accuracy});
      if (done[i]) {
        for (const auto& of_load : tests) run.tests.push_back(of_load[i]);
      } else {
        next.members.push_back(who[i]);
        next.states.push_back(std::move(states[i]));
      }
    }
    const bool shrunk = next.members.size() < who.size();
    if (next.members.empty()) {
      at_.cohorts.erase(at_.cohorts.begin());
    } else {
      at_.cohorts.front() = std::move(next);
    }
    store();
    report(step);
    return shrunk;
  }

  void report(std::int64_t step) const {
    if (!observer_) return;
    TrainingProgress progress{
        .step = step, .steps = plan_.steps, .elapsed_s = seconds(), .peak_memory_bytes = peak_memory_bytes(device_)};
    std::int64_t left = 0;
    for (const Cohort& cohort : at_.cohorts) {
      progress.training += cohort.members.size();
      left += plan_.steps - cohort.step;
    }
    for (const MemberRun& run : at_.runs) {
      if (!run.curve.empty()) progress.best_accuracy = std::max(progress.best_accuracy, run.curve.back().accuracy);
    }
    progress.eta_s = progress.elapsed_s / static_cast<double>(steps_) * static_cast<double>(left);
    observer_(progress);
  }

  std::span<const Member> members_;
  const TrainingPlan& plan_;
  const Task& task_;
  std::stop_token stop_;
  const TrainingObserver& observer_;
  at::Device device_;
  Clock::time_point begin_ = Clock::now();
  double before_s_ = 0;  ///< of the processes before this one
  Checkpoint at_;
  std::int64_t steps_ = 0;  ///< of this process
  double tokens_ = 0;
};

}  // namespace

void check_plan(std::span<const Member> members, const TrainingPlan& plan) {
  spec::Problems problems;
  if (members.empty()) problems.add("members", "there is none to train");
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!(members[i].learning_rate > 0) || !std::isfinite(members[i].learning_rate)) {
      problems.add(spec::index_path("members", i) + ".learning_rate",
                   fmt::format("is {}; must be above 0", members[i].learning_rate));
    }
  }
  const auto at_least_one = [&](std::string_view name, std::int64_t value) {
    if (value < 1) problems.add(std::string(name), fmt::format("is {}; must be at least 1", value));
  };
  at_least_one("steps", plan.steps);
  at_least_one("batch", plan.batch);
  at_least_one("test_batch", plan.test_batch);
  at_least_one("report_every", plan.report_every);
  for (const auto& [name, share] : {std::pair{"warmup", plan.warmup}, {"decay", plan.decay}}) {
    if (!(share >= 0 && share <= 1))
      problems.add(name, fmt::format("is {}; must be a share of the steps, 0 to 1", share));
  }
  if (!(plan.weight_decay >= 0))
    problems.add("weight_decay", fmt::format("is {}; must be at least 0", plan.weight_decay));
  if (!(plan.clip > 0)) problems.add("clip", fmt::format("is {}; must be above 0", plan.clip));
  const std::filesystem::path folder = plan.checkpoint.parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder))
    problems.add("checkpoint", fmt::format("the folder {} is not there", folder.string()));
  problems.throw_if_any();
}

TrainingResult train(std::span<const Member> members, const TrainingPlan& plan, const Task& task, std::stop_token stop,
                     const TrainingObserver& observer) {
  check_plan(members, plan);
  return Run(members, plan, task, std::move(stop), observer).run();
}

}  // namespace plait::proxy
