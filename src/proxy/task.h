#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <optional>
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
  virtual std::vector<Load> train_loads() const = 0;  ///< from easy to hard: the curriculum's ramp goes through them
  virtual std::vector<Load> test_loads() const = 0;   ///< each reported apart
  /// One batch per seed (S of them), B = `batch` sequences each. Train and test draw from different streams.
  virtual Batch make(const std::vector<std::uint64_t>& seeds, std::uint64_t step, std::int64_t batch, Load load,
                     Split split, at::Device device) const = 0;
};

}  // namespace plait::proxy
