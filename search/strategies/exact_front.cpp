#include "search/exact_front.h"

#include "search/strategies/strategies.h"
#include "src/spec/error.h"

namespace plait::search {

std::unique_ptr<Strategy> make_exact_front(const StrategyContext& context) {
  if (context.additive.empty()) {
    throw spec::SpecError("strategy", "exact_front needs additive objectives and constraints; " + context.not_additive);
  }
  const std::vector<FrontPoint> front = exact_front(context.graph, context.additive);
  if (front.empty()) throw spec::SpecError("constraints", "no legal layout is inside all of them");
  return std::make_unique<ListStrategy>(paths_within(front, context.budget));
}

}  // namespace plait::search
