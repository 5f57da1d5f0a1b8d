#pragma once

#include <string>
#include <vector>

#include "src/app/trial_table.h"

namespace plait::app {

/// What about a layout moves a metric, over the trials of a study that have it: for each feature, the share of the
/// metric's variance that lies between groups of equal feature, corrected for their number (epsilon squared, T. L.
/// Kelley, PNAS 21, 1935; without the correction and for independent features, Sobol's first-order index). It describes
/// the trials that there are, which a search picks: no cause, and features that go together each have it.
struct Importance {
  struct Feature {
    std::string name;  ///< "full-attention layers", "layer 7"
    double share = 0;  ///< in [0, 1]
    std::string best;  ///< the group with the best mean: "6", "G"
  };
  std::vector<Feature> features;  ///< of the whole layout, most important first
  std::vector<Feature> slots;     ///< which candidate stands there, in depth order
  std::size_t trials = 0;         ///< looked at: at most kMostTrials, evenly spread
};

/// More would change the shares in the third digit.
inline constexpr std::size_t kMostTrials = 20'000;

/// Nothing (no features) when fewer than three trials have the metric or all have the same value.
Importance importance_of(const StudyResults& results, const TrialTable& table, std::string_view metric);

}  // namespace plait::app
