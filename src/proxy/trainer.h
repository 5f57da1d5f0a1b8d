#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>
#include <vector>

#include "src/nn/population.h"
#include "src/proxy/task.h"
#include "src/proxy/training.h"

namespace plait::proxy {

/// What a member carries from step to step, under parameter names.
struct MemberState {
  struct Weight {
    at::Tensor value, first_moment, second_moment;
  };
  std::map<std::string, Weight> weights;
};

/// A population in training: one AdamW (arXiv 1711.05101) step for all members at a time, with a learning rate, a gradient
/// norm and a life of its own for each. Nothing in a step reads back from the device.
class Trainer {
 public:
  /// `plan` and `task` outlive the trainer.
  Trainer(std::span<const Member> members, const TrainingPlan& plan, const Task& task, at::Device device);

  std::int64_t size() const { return population_.size(); }

  /// One step at the curriculum's load and the schedule's learning rate. A member whose loss or gradient is not finite is
  /// frozen from then on.
  void step(std::int64_t step);

  struct Reading {
    double loss = 0;  ///< mean since the last reading
    bool alive = true;
  };
  /// Reads and clears the running losses. Waits for the device.
  std::vector<Reading> read();

  /// Cross-entropy and accuracy of every member at a load. Waits for the device.
  std::vector<TestScore> test(Load load);

  MemberState state(std::int64_t member) const;
  void set_state(std::int64_t member, const MemberState& state);

 private:
  /// Hidden rows at the labelled positions -> cross-entropy and hits per labelled position, [M, R] each.
  std::pair<at::Tensor, at::Tensor> score(const Batch& batch);

  const TrainingPlan& plan_;
  const Task& task_;
  at::Device device_;
  nn::Population population_;
  std::vector<std::uint64_t> seeds_;  ///< distinct
  at::Tensor seed_of_member_;         ///< [M] index into seeds_
  at::Tensor learning_rates_;         ///< [M]
  at::Tensor alive_;                  ///< [M] bool
  at::Tensor loss_sum_;               ///< [M] since the last reading
  std::int64_t losses_ = 0;
  struct Moments {
    at::Tensor first, second, rows;  ///< rows: [G] int64, the members
  };
  std::vector<Moments> moments_;  ///< beside population_.parameters()
};

/// The load of a step: the cycle through the task's loads grows from the two easiest to all of them over the ramp.
Load load_at(std::span<const Load> loads, std::int64_t step, const TrainingPlan& plan);

/// The learning rate's factor at a step: warm-up, stable, linear decay to 0.
double schedule(std::int64_t step, const TrainingPlan& plan);

/// The whole training, with early stops, checkpoint and a population that is halved when memory runs out. See
/// Backend::train.
TrainingResult train(std::span<const Member> members, const TrainingPlan& plan, const Task& task, std::stop_token stop,
                     const TrainingObserver& observer);

}  // namespace plait::proxy
