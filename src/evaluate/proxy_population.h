#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "src/proxy/backend.h"
#include "src/proxy/score.h"

namespace plait::evaluate {

/// A model to train with several learning rates, of which the best counts.
struct ProxyCandidate {
  spec::ModelSpec model;
  std::vector<double> learning_rates;
};

/// What became of one candidate in one training.
struct ProxyOutcome {
  double learning_rate = 0;            ///< the best: most information, then the least cross-entropy
  proxy::CandidateScore score;         ///< at that learning rate
  std::vector<proxy::MemberRun> runs;  ///< at that learning rate, one per seed
  std::string unsupported;             ///< not empty: the model cannot be run, and why
};

struct ProxyPopulation {
  std::vector<ProxyOutcome> outcomes;  ///< in the order of the candidates
  std::vector<std::string> notes;
  std::size_t members = 0;
  bool finished = true;  ///< false: stopped early; outcomes are empty
  double elapsed_s = 0;
  double tokens_per_s = 0;
  std::int64_t peak_memory_bytes = 0;
};

/// Trains candidates x learning rates x seeds (0, 1, ...) side by side in one population; models of different depth or
/// width take one population each, one after the other, and `observer` is told the times of all. `plan.checkpoint` is a
/// folder here (empty: none): each population keeps its state there in a file whose name is a hash of all that
/// determines it, so a file is never continued by another training. Finished ones stay, so that a longer work can be
/// repeated up to where it was; `remove_checkpoints` clears them. Throws as Backend::train does, except for a candidate
/// that cannot be run.
ProxyPopulation train_candidates(const proxy::Backend& backend, std::span<const ProxyCandidate> candidates,
                                 std::size_t seeds, const proxy::TrainingPlan& plan, std::stop_token stop,
                                 const proxy::TrainingObserver& observer);

/// A reading of one of several trainings with the times of all: `before_s` went by before it, and what is `left` takes
/// as long as what will be `done` with it, in any unit of work.
proxy::TrainingProgress over_all(proxy::TrainingProgress now, double before_s, double done, double left);

void remove_checkpoints(const std::filesystem::path& folder);

}  // namespace plait::evaluate
