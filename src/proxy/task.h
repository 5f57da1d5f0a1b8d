#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/proxy/task_table.h"

/// Seeded generators of proxy tasks. A batch is made on the training device from a counter-based hash of (seed, step,
/// position), with tensor operations alone: the same numbers on every device, and no read back to the host.
namespace plait::proxy {

struct Batch {
  at::Tensor tokens;           ///< [S, B, T] int64
  at::Tensor rows;             ///< [S, R] int64: the labelled positions, as b * T + t, ascending
  at::Tensor labels;           ///< [S, R] int64: the token to predict there
  at::Tensor positions;        ///< [S, R] int64, only of tasks with `reads_positions`: which token of the context is asked for
  std::int64_t candidates = 0;  ///< answers that a reader of the context alone could not tell apart (K of MQAR); chance is 1 / this
};

/// The difficulty of a batch: what grows in a curriculum and what is reported apart.
struct Load {
  std::int64_t pairs = 0;   ///< key-value pairs, tokens to copy, hops...: see the task
  std::int64_t length = 0;  ///< T

  bool operator==(const Load&) const = default;
};

enum class Split { train, test };

/// A task at one size. Labels, rows and shapes depend on the load and batch size alone, so that a step can be captured.
class Task {
 public:
  virtual ~Task() = default;
  virtual std::int64_t vocab_size() const = 0;
  virtual std::vector<Load> test_loads() const = 0;  ///< from easy to hard, each reported apart
  /// The load of step `step` of `steps`: the task's curriculum.
  virtual Load train_load(std::int64_t step, std::int64_t steps) const = 0;
  /// True when the answer is not a next token but is read out of one hidden state (compression): the trainer adds a code of
  /// `Batch::positions` to the hidden row and decodes it with a small MLP of its own.
  virtual bool reads_positions() const { return false; }
  /// One batch per seed (S of them), B = `batch` sequences each. Train and test draw from different streams.
  virtual Batch make(const std::vector<std::uint64_t>& seeds, std::uint64_t step, std::int64_t batch, Load load,
                     Split split, at::Device device) const = 0;
};

/// The curriculum of most tasks, a cycle that grows (K-ramp): loads from easy to hard; the two easiest first, all of them
/// from 45 % of the steps on, and then without the easiest when there are more than two.
Load ramp(std::span<const Load> loads, std::int64_t step, std::int64_t steps);

struct TaskOptions {
  Tier tier = Tier::tiny;
  std::string text;  ///< of `bytes`: a file or folder; empty: text found on the machine
};

/// Throws spec::SpecError located at "task" or "text": an unknown name lists the known ones and the closest.
std::unique_ptr<Task> make_task(std::string_view name, const TaskOptions& options);

}  // namespace plait::proxy
