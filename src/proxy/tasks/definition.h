#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/proxy/random.h"
#include "src/proxy/task.h"

/// What makes up one task, and the parts that tasks share. One function per task, each in the file of its name.
namespace plait::proxy::tasks {

struct Definition {
  std::int64_t vocab_size = 0;
  std::vector<Load> train_loads;  ///< from easy to hard
  std::vector<Load> test_loads;   ///< from easy to hard
  /// Why a load cannot be made, as "16 pairs need a length of 64"; empty when it can.
  std::function<std::string(Load)> problem;
  std::function<Batch(Random&, Load)> make;  ///< for loads without a problem
  /// (step, steps) -> load; empty: `ramp` over the train loads.
  std::function<Load(std::int64_t, std::int64_t)> curriculum = {};
  bool reads_positions = false;
};

Definition mqar(const TaskOptions& options);
Definition mqar_zoology(const TaskOptions& options);
Definition haystack(const TaskOptions& options);
Definition fuzzy_recall(const TaskOptions& options);
Definition overwrite(const TaskOptions& options);
Definition multi_hop(const TaskOptions& options);
Definition selective_copy(const TaskOptions& options);
Definition noisy_recall(const TaskOptions& options);
Definition compression(const TaskOptions& options);
Definition memorisation(const TaskOptions& options);
Definition niah_1(const TaskOptions& options);
Definition niah_2(const TaskOptions& options);
Definition niah_3(const TaskOptions& options);
Definition parity(const TaskOptions& options);
Definition s5(const TaskOptions& options);
Definition bytes(const TaskOptions& options);
Definition signal(const TaskOptions& options);

/// One of three by tier.
template <class T>
T by_tier(Tier tier, T tiny, T small, T full) {
  return tier == Tier::tiny ? tiny : tier == Tier::small ? small : full;
}

/// `counts` with length max(shortest, per_pair * count) each.
std::vector<Load> loads(const std::vector<std::int64_t>& counts, std::int64_t shortest, std::int64_t per_pair);

/// Lengths that grow linearly from the first load's to the last one's over the first 60 % of the steps, in eights: with
/// content anywhere in the sequence this is a curriculum of distances.
Load growing_length(const std::vector<Load>& train_loads, std::int64_t step, std::int64_t steps);

/// [S, B, n] and [S, B, n] -> [S, B, 2n]: a0 b0 a1 b1 ...
at::Tensor interleave(const at::Tensor& a, const at::Tensor& b);

/// Positions [S, B, r], ascending in each sequence, -> rows [S, B * r].
at::Tensor rows_of(const at::Tensor& positions, std::int64_t length);
/// The rows of the same positions first, first + stride ... in every sequence.
at::Tensor rows_of(const Random& random, std::int64_t first, std::int64_t count, std::int64_t stride,
                   std::int64_t length);

/// The message that a length is below `least`, or empty; and one that the pairs asked need more tokens than there are.
std::string too_short(Load load, std::int64_t least);
std::string vocabulary_too_small(Load load, std::int64_t vocab_size);

}  // namespace plait::proxy::tasks
