#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/proxy/training.h"

/// From runs to the score of a candidate.
namespace plait::proxy {

/// Normalised information of one test: 1 - cross-entropy / ln(candidates), clipped to [0, 1]. 0 is what a model reaches
/// that answers any value of the context, 1 is certainty. Throws std::logic_error for fewer than two candidates.
double information(const TestScore& test);

/// Mean of `information` over the tests with at least two candidates, which lie evenly in log load. 0 without any.
double information(const MemberRun& run);

/// First reading with an accuracy above twice that of answering any value of the context (2 / K; with fewer than four
/// candidates, half way from chance to 1); none: still on the plateau.
std::optional<std::int64_t> escape_step(const MemberRun& run);

/// True when the run answers more than half of the hardest test (and is off the plateau).
bool locked_in(const MemberRun& run);

/// K50: the load at which information falls through 1/2, by interpolation in log2 of the pairs. The hardest load when
/// none of the tests is below 1/2: a lower bound. None when the easiest is below already, or when the tests differ in
/// something else than pairs.
std::optional<double> half_load(const MemberRun& run);

/// What the seeds of one candidate say together.
struct CandidateScore {
  double information = 0;  ///< mean over seeds; one that diverged has learnt nothing and counts as 0
  double deviation = 0;    ///< standard error of that mean, shrunk to the widest when seeds are few (see score.cpp)
  /// 90 % bootstrap interval of the mean over seeds: too narrow for few seeds, and all of [0, 1] for one.
  double low = 0, high = 1;
  double accuracy = 0;                             ///< at the hardest load, mean over seeds
  double locked_in = 0;                            ///< share of the seeds
  std::optional<double> information_if_locked_in;  ///< mean over the seeds that lock in; none when no seed does
  std::optional<double> escape_step;               ///< median over seeds; none when half of them or more never escaped
  std::optional<double> half_load;  ///< median over seeds, one without counting as below the others; none likewise
  std::size_t seeds = 0;            ///< that count: finished or diverged
  std::size_t failed = 0;           ///< of all runs, diverged included
  std::string failure;              ///< of the first failed run when none finished
};

/// `runs`: one per seed, at one learning rate. Runs that neither finished nor diverged (stopped, out of memory) say
/// nothing about the candidate and do not count.
CandidateScore score(std::span<const MemberRun> runs);

}  // namespace plait::proxy
