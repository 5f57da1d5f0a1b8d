#include "search/strategies/strategies.h"

namespace plait::search {

std::unique_ptr<Strategy> make_enumerate(const StrategyContext& context) {
  return std::make_unique<ListStrategy>(context.graph.enumerate(context.budget));
}

}  // namespace plait::search
