#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/proxy/training.h"

/// From runs to the score of a candidate.
namespace plait::proxy {

/// Normalised information of one test: 1 - cross-entropy / ln(candidates), clipped to [0, 1]. 0 is what a model reaches that
/// answers any value of the context, 1 is certainty. Throws std::logic_error for fewer than two candidates.
double information(const TestScore& test);

/// Mean of `information` over the tests with at least two candidates, which lie evenly in log load.
double information(const MemberRun& run);

/// First reading with an accuracy above twice that of answering any value of the context (2 / K); none: still on the plateau.
std::optional<std::int64_t> escape_step(const MemberRun& run);

/// True when the run answers more than half of the hardest test.
bool locked_in(const MemberRun& run);

/// What the seeds of one candidate say together.
struct CandidateScore {
  double information = 0;  ///< mean over seeds
  double deviation = 0;    ///< standard deviation of that mean
  double low = 0, high = 0;  ///< 90 % bootstrap interval of the mean over seeds
  double accuracy = 0;     ///< at the hardest load, mean over seeds
  double locked_in = 0;    ///< share of the seeds
  std::optional<double> escape_step;  ///< median over seeds; none when half of them or more never escaped
  std::size_t seeds = 0;   ///< that finished
  std::string failure;     ///< of the first failed run when none finished
};

/// `runs`: one per seed, at one learning rate.
CandidateScore score(std::span<const MemberRun> runs);

}  // namespace plait::proxy
