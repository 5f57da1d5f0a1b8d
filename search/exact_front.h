#pragma once

#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "search/additive_score.h"
#include "search/layout_graph.h"
#include "search/objective.h"

namespace plait::search {

struct AdditiveObjective {
  AdditiveScore score;
  Direction direction = Direction::minimize;
  std::optional<double> low;  ///< constraint on the value
  std::optional<double> high;
  bool traded = true;  ///< false: only a constraint, not part of dominance of the result
};

struct FrontPoint {
  Path path;
  std::vector<double> values;  ///< in the order of the objectives

  bool operator==(const FrontPoint&) const = default;
};

/// The whole Pareto front of additive scores over the legal layouts, by dynamic programming over slots. Exact for any
/// number of objectives (2 are fast; 3 are fine where one takes few distinct values). States: (rule state, counter
/// still to come, last candidate where a score has pair terms). Constraints are met by every point returned. `values`
/// are `score.evaluate(path)` to the bit. Of several layouts with equal traded values one is returned: the
/// lexicographically smallest path when no constraint binds (where sums are exact; sums that differ by rounding are
/// different values). Sorted by the first objective, best last. Empty when no layout is inside the constraints, and
/// when `stop` was requested before the end: part of a front is no front. Method: label setting in topological order;
/// see search/README.md for the argument and measurements. Throws std::logic_error when two scores count different
/// candidates or a table does not fit the space.
std::vector<FrontPoint> exact_front(const LayoutGraph& graph, std::span<const AdditiveObjective> objectives,
                                    std::stop_token stop = {});

/// The convex hull of that front: every point is optimal for some linear weighting of the two traded objectives.
/// Weighted sums are minimised by the same dynamic programming with one number per state, and weights are bisected
/// between known neighbours (Aneja and Nair, Management Science 25, 1979), so all corners of the hull are found. A fast
/// preview and a bound; without constraints a subset of the exact front. Constraints only filter the result. Ties and
/// order as above. Throws std::logic_error as above, and when not exactly two objectives are traded.
std::vector<FrontPoint> hull_front(const LayoutGraph& graph, std::span<const AdditiveObjective> objectives);

}  // namespace plait::search
