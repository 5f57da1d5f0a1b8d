#pragma once

#include <cstdint>
#include <vector>

#include "src/app/results.h"

namespace plait::app {

/// The trials of a study by column, for views that draw many at once. Rows are the trials in ask order, then the
/// baselines.
struct TrialTable {
  struct Column {
    search::Metric metric;
    std::vector<double> value;      ///< NaN: not scored
    std::vector<double> deviation;  ///< 0 where the source has none
    std::vector<search::Source> source;
  };
  /// Dominated volume of the objectives after the first `trials` trials, scaled as ParetoFront::hypervolume by the
  /// range of all of them, so that it never falls.
  struct Volume {
    std::size_t trials = 0;
    double volume = 0;
  };

  std::vector<Column> columns;  ///< in the order of StudyResults::metrics
  std::vector<std::uint8_t> feasible;
  std::vector<std::uint8_t> on_front;  ///< of all objectives
  std::size_t trials = 0;              ///< rows before the baselines
  std::vector<Volume> history;         ///< at most 200 steps, the last at all trials

  std::size_t size() const { return feasible.size(); }
  bool is_baseline(std::size_t row) const { return row >= trials; }
  /// nullptr when there is none of that name.
  const Column* find(std::string_view metric) const;
};

TrialTable trial_table(const StudyResults& results);

/// The trial or baseline of a row.
const search::Trial& trial_at(const StudyResults& results, std::size_t row);

/// The row of the trial ("17") or baseline ("b0") of that id, which must be there.
std::size_t row_of(const StudyResults& results, const std::string& id);

}  // namespace plait::app
