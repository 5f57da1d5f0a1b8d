#pragma once

#include <string>

#include "src/app/results.h"
#include "src/cli/console.h"

namespace plait::cli {

/// A summary line and one frontier per pair: the first objective (upwards) against each other one, or the pair asked
/// for.
std::string frontier_text(const app::StudyResults& results, const std::string& x, const std::string& y,
                          const Console& console);

/// The pair of metrics a single figure shows. What was not asked for is the first objective that pulls the other way (a
/// cost for a quality, a quality for a cost), beginning with the first objective upwards. Throws SpecError for a metric
/// that the study does not have.
struct AxisPair {
  std::string x;
  std::string y;
};
AxisPair chosen_axes(const app::StudyResults& results, const std::string& x, const std::string& y);

}  // namespace plait::cli
