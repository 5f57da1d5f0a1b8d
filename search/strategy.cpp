#include "search/strategy.h"

#include <algorithm>
#include <array>

#include "search/strategies/strategies.h"

namespace plait::search {

std::span<const StrategyInfo> strategy_table() {
  static constexpr std::array<StrategyInfo, 7> kTable{{
      {"exact_front", "the whole Pareto front of additive objectives, by dynamic programming", make_exact_front},
      {"hull_greedy", "the corners of the front's convex hull, by weighted sums; two additive objectives",
       make_hull_greedy},
      {"enumerate", "every legal layout in order", make_enumerate},
      {"random", "legal layouts drawn uniformly without repetition", make_random},
      {"greedy_forward", "from the cheapest layout, one slot at a time, by measured gain per cost",
       make_greedy_forward},
      {"greedy_backward", "from the dearest layout, one slot at a time, by measured loss per saving",
       make_greedy_backward},
      {"nsga2", "evolution with nondominated sorting and constrained domination (Deb et al. 2002)", make_nsga2},
  }};
  return kTable;
}

const StrategyInfo* find_strategy(std::string_view name) {
  const auto found = std::ranges::find(strategy_table(), name, &StrategyInfo::name);
  return found == strategy_table().end() ? nullptr : &*found;
}

std::vector<Path> paths_within(const std::vector<FrontPoint>& front, std::size_t budget) {
  std::vector<Path> paths;
  const std::size_t count = std::min(front.size(), budget);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = count == front.size() || count == 1 ? i : i * (front.size() - 1) / (count - 1);
    paths.push_back(front[at].path);
  }
  return paths;
}

std::optional<std::vector<double>> minimised(const Trial& trial, const std::vector<Objective>& objectives) {
  std::vector<double> values;
  for (const Objective& objective : objectives) {
    const Value* value = score(trial, objective.metric);
    if (!value) return std::nullopt;
    values.push_back(objective.direction == Direction::minimize ? value->value : -value->value);
  }
  return values;
}

}  // namespace plait::search
