#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "search/strategy.h"

/// The makers behind `strategy_table()`, one source file each; see StrategyInfo::make.
namespace plait::search {

std::unique_ptr<Strategy> make_exact_front(const StrategyContext& context);
std::unique_ptr<Strategy> make_hull_greedy(const StrategyContext& context);
std::unique_ptr<Strategy> make_enumerate(const StrategyContext& context);
std::unique_ptr<Strategy> make_random(const StrategyContext& context);
std::unique_ptr<Strategy> make_greedy_forward(const StrategyContext& context);
std::unique_ptr<Strategy> make_greedy_backward(const StrategyContext& context);
std::unique_ptr<Strategy> make_nsga2(const StrategyContext& context);

/// Proposes a list in order; what it is told does not matter.
class ListStrategy : public Strategy {
 public:
  explicit ListStrategy(std::vector<Path> paths) : paths_(std::move(paths)) {}

  std::vector<Path> ask(std::size_t n) override {
    const std::size_t end = std::min(paths_.size(), next_ + n);
    const auto at = [&](std::size_t i) { return paths_.begin() + static_cast<std::ptrdiff_t>(i); };
    std::vector<Path> asked(at(next_), at(end));
    next_ = end;
    return asked;
  }
  void tell(const Trial&) override {}

 private:
  std::vector<Path> paths_;
  std::size_t next_ = 0;
};

/// The paths of a front in its order; evenly spaced ones, ends included, when the budget is smaller than the front.
std::vector<Path> paths_within(const std::vector<FrontPoint>& front, std::size_t budget);

/// The values of the objectives, every one minimised; nothing when the trial failed or a score is missing.
std::optional<std::vector<double>> minimised(const Trial& trial, const std::vector<Objective>& objectives);

}  // namespace plait::search
