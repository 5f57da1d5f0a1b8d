#include <algorithm>

#include "search/exact_front.h"
#include "search/strategies/strategies.h"
#include "src/spec/error.h"

namespace plait::search {

std::unique_ptr<Strategy> make_hull_greedy(const StrategyContext& context) {
  spec::Problems problems;
  if (context.additive.empty()) {
    problems.add("strategy", "hull_greedy needs additive objectives and constraints; " + context.not_additive);
  }
  if (context.objectives.size() != 2) problems.add("strategy", "hull_greedy needs two objectives");
  problems.throw_if_any();
  const std::vector<FrontPoint> hull = hull_front(context.graph, context.additive);
  if (hull.empty())
    throw spec::SpecError("constraints", "no corner of the hull is inside all of them; use exact_front");
  return std::make_unique<ListStrategy>(paths_within(hull, context.budget));
}

}  // namespace plait::search
