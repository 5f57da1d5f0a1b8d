#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "src/nn/population.h"
#include "src/proxy/adamw.h"
#include "src/proxy/step_graph.h"
#include "src/proxy/task.h"
#include "src/proxy/training.h"

namespace plait::proxy {

/// A population in training. Data is made on the device; loss and head are computed at labelled positions alone;
/// nothing in a step reads back from the device. Weights, moments, losses and the head's log-softmax are fp32,
/// activations bf16 on a GPU and fp32 on a CPU.
class Trainer {
 public:
  /// `plan` and `task` outlive the trainer. Throws spec::SpecError located at "members" for models that cannot train
  /// side by side or do not fit the task.
  Trainer(std::span<const Member> members, const TrainingPlan& plan, const Task& task, at::Device device);

  std::int64_t size() const { return population_.size(); }

  /// One step at the curriculum's load and the schedule's learning rate; the load, for those who count. A member whose
  /// loss or gradient is not finite is frozen from then on. On a GPU the second step at a load is recorded, and from
  /// then on launched as one CUDA graph.
  Load step(std::int64_t step);

  /// What computes here, in words: the mixers' paths on a GPU, and why steps are not launched as graphs if they are
  /// not.
  std::vector<std::string> notes() const;

  struct Reading {
    double loss = 0;  ///< mean since the last reading
    bool alive = true;
  };
  /// Reads and clears the running losses. Waits for the device.
  std::vector<Reading> read();

  /// Cross-entropy and accuracy of every member at a load, on the same sequences every time. Waits for the device.
  std::vector<TestScore> test(Load load);

  std::vector<MemberState> states() const { return optimiser_.states(); }
  void set_state(std::int64_t member, const MemberState& state) { optimiser_.set_state(member, state); }

 private:
  /// How answers are read out of one hidden state: a code of the position is added, then a GELU MLP.
  struct PositionReader {
    at::Tensor in, in_bias, out, out_bias;  ///< [M, D, D], [M, D]
    at::Tensor frequencies;                 ///< [D / 2]
  };
  PositionReader make_position_reader(std::vector<nn::Parameter>& parameters) const;
  PopulationAdamW make_optimiser();

  /// All of a step that happens on the device; what changes from step to step is read from keys_ and scalars_.
  void run(Load load);

  /// Cross-entropy and hits per labelled position, [M, R] each.
  nn::Population::Scores score(const Batch& batch);
  at::Tensor of_member(const at::Tensor& per_seed) const;  ///< [S, ...] -> [M, ...]

  const TrainingPlan& plan_;
  const Task& task_;
  at::Device device_;
  nn::Population population_;
  std::vector<std::uint64_t> seeds_;  ///< distinct
  at::Tensor seed_of_member_;         ///< [M] index into seeds_
  std::vector<std::uint64_t> member_seeds_;
  PositionReader position_reader_;  ///< of tasks that read positions
  PopulationAdamW optimiser_;
  std::vector<at::Tensor> leaves_;
  at::Tensor learning_rates_;  ///< [M]
  at::Tensor alive_;           ///< [M] bool
  at::Tensor ones_;            ///< [M] the losses' own gradients
  at::Tensor loss_sum_;        ///< [M] since the last reading
  std::int64_t losses_ = 0;
  at::Tensor keys_;     ///< [S] of the step's batch
  at::Tensor scalars_;  ///< [3] the schedule's factor and AdamW's bias corrections

  struct LoadGraph {
    bool has_run = false;
    std::optional<std::size_t> graph;
  };
  std::unique_ptr<StepGraphs> graphs_;  ///< none on a CPU
  std::string no_graphs_;               ///< why there are none on a GPU
  std::map<std::pair<std::int64_t, std::int64_t>, LoadGraph> graph_of_load_;
};

/// The learning rate's factor at a step: linear warm-up, stable, linear decay to 0.
double schedule(std::int64_t step, const TrainingPlan& plan);

}  // namespace plait::proxy
