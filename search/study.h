#pragma once

#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "search/evaluator.h"
#include "search/journal.h"
#include "search/pareto.h"
#include "search/strategy.h"
#include "search/trial.h"

namespace plait::search {

/// A layout evaluated before the search for comparison; it need not lie in the space.
struct Baseline {
  std::string name;
  std::string notation;
  spec::Layout layout;
};

/// All feasible trials that no other dominates (an unbounded archive), and the volume they dominate.
class ParetoFront {
 public:
  explicit ParetoFront(std::vector<Objective> objectives);

  /// Infeasible and failed trials, and those without a score for every objective, are not kept. Returns true when the
  /// trial is on the front. O(front).
  bool add(const Trial& trial);

  /// Sorted by the first objective, best last; ties in the order they were added. Trials with equal scores are all
  /// kept.
  const std::vector<Trial>& trials() const { return trials_; }
  const std::vector<Objective>& objectives() const { return objectives_; }

  /// Dominated volume, each objective scaled to [0, 1] by the range of all feasible trials seen so far (0 is best),
  /// below the reference 1.1 in every objective: between 0 and 1.1^objectives. 0 when fewer than two trials were seen.
  double hypervolume() const;

 private:
  std::vector<Objective> objectives_;
  std::vector<Trial> trials_;
  std::vector<Point> points_;  // of trials_, every coordinate minimised
  Point low_, high_;           // over all feasible trials
  std::size_t seen_ = 0;       // feasible trials
};

struct StudyOptions {
  std::size_t budget = 1000;  ///< trials; baselines do not count
  std::size_t batch = 64;     ///< trials asked, evaluated and made durable together
  std::size_t workers = 1;    ///< threads that call the evaluators, concurrently; results do not depend on it
};

struct Progress {
  std::size_t done = 0;    ///< trials
  std::size_t total = 0;   ///< the budget; what was done, once the strategy has ended
  std::size_t failed = 0;  ///< trials without scores
  std::size_t front = 0;   ///< trials on the front
  double elapsed_s = 0;
  double eta_s = 0;  ///< at the rate of this run so far, without what was replayed; 0 while unknown
};

/// The loop: ask, evaluate from cheap to dear, append (durable first), tell, update the front, report progress.
///
/// - Baselines are evaluated first, by all evaluators even where they break a constraint: they are there to be
/// compared.
/// - A layout that breaks a constraint is not given to dearer evaluators; it keeps the scores it has.
/// - A score that is not finite, an exception of an evaluator and a missing objective or constraint metric make the
/// trial
///   a Failure. std::logic_error is a programmer's error and passes through.
/// - A path proposed again is answered from memory and does not count. A strategy that proposes nothing new
///   `kMaxStaleBatches` times in a row has ended.
class Study {
 public:
  static constexpr std::size_t kMaxStaleBatches = 100;

  struct Parts {
    std::vector<Objective> objectives;
    std::vector<Constraint> constraints;
    const SearchSpace* space = nullptr;
    std::unique_ptr<Strategy> strategy;
    std::vector<std::unique_ptr<Evaluator>> evaluators;
    std::vector<Baseline> baselines;
    std::function<std::string(const spec::Layout&)> print_layout;  ///< notation of a layout
  };

  /// Throws std::logic_error when a part is missing, two evaluators offer one metric, or an objective or constraint
  /// names a metric that none offers.
  Study(Parts parts, StudyOptions options);

  /// Runs to the budget, the strategy's end or a stop request (then the journal holds every finished batch, and a batch
  /// that evaluators left unfinished is dropped). `recorded` holds the trials of a resumed journal: they are asked for
  /// again and answered from the record, not evaluated; a proposal that differs throws JournalError. `journal` may be
  /// null (nothing is stored). The observer is called on this thread after the baselines and after every batch. A study
  /// runs once.
  void run(Journal* journal, std::span<const Trial> recorded, std::stop_token stop,
           const std::function<void(const Progress&)>& observer = {});

  const std::vector<Trial>& trials() const { return trials_; }        ///< without baselines
  const std::vector<Trial>& baselines() const { return baselines_; }  ///< evaluated
  const ParetoFront& front() const { return front_; }
  bool finished() const { return finished_; }  ///< not stopped early

 private:
  class Record;

  bool evaluate(std::span<Trial> batch, std::span<const spec::Layout> layouts, bool past_constraints,
                std::stop_token stop);
  bool inside_constraints(const Trial& trial) const;
  void require_metrics(Trial& trial) const;

  Parts parts_;
  StudyOptions options_;
  std::vector<Trial> trials_;
  std::vector<Trial> baselines_;
  ParetoFront front_;
  std::size_t failed_ = 0;
  bool started_ = false;
  bool finished_ = false;
};

}  // namespace plait::search
