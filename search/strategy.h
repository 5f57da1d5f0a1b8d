#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "search/exact_front.h"
#include "search/layout_graph.h"
#include "search/objective.h"
#include "search/trial.h"

namespace plait::search {

/// Proposes layouts. `ask` may not depend on anything but the context and the trials told so far, in their order, so
/// that a study resumes to the same proposals. Strategies never evaluate, store or print.
class Strategy {
 public:
  virtual ~Strategy() = default;

  /// Up to `n` legal layouts; fewer when the strategy waits for no more results; empty: it has finished.
  virtual std::vector<Path> ask(std::size_t n) = 0;
  virtual void tell(const Trial& trial) = 0;
};

/// What a strategy may look at. References outlive the strategy.
struct StrategyContext {
  const SearchSpace& space;
  const LayoutGraph& graph;
  std::vector<Objective> objectives;
  std::vector<Constraint> constraints;
  /// The objectives (then the constraints' other metrics) as additive scores, when all of them are; else empty.
  std::vector<AdditiveObjective> additive;
  std::string not_additive;  ///< when `additive` is empty: which metric is not, in words
  std::uint64_t seed = 0;
  std::size_t budget = 0;  ///< trials the study will run at most
};

struct StrategyInfo {
  std::string_view name;
  std::string_view summary;
  /// Throws spec::SpecError when the study does not fit ("exact_front needs additive objectives; recall@proxy is not").
  std::unique_ptr<Strategy> (*make)(const StrategyContext&);
};

/// exact_front, hull_greedy, enumerate, random, greedy_forward, greedy_backward, nsga2.
std::span<const StrategyInfo> strategy_table();
const StrategyInfo* find_strategy(std::string_view name);

}  // namespace plait::search
