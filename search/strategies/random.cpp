#include "search/random.h"

#include <set>

#include "search/strategies/strategies.h"

namespace plait::search {

namespace {

/// Rejection of repeated draws; used where at most half of all layouts are asked for, so a draw is new with
/// probability >= 1/2.
class RandomStrategy : public Strategy {
 public:
  explicit RandomStrategy(const StrategyContext& context)
      : graph_(context.graph), budget_(context.budget), random_(context.seed) {}

  std::vector<Path> ask(std::size_t n) override {
    std::vector<Path> asked;
    while (asked.size() < n && seen_.size() < budget_) {
      Path path = graph_.sample(random_);
      if (seen_.insert(path).second) asked.push_back(std::move(path));
    }
    return asked;
  }
  void tell(const Trial&) override {}

 private:
  const LayoutGraph& graph_;
  std::size_t budget_;
  std::mt19937_64 random_;
  std::set<Path> seen_;
};

}  // namespace

std::unique_ptr<Strategy> make_random(const StrategyContext& context) {
  if (context.graph.count() / 2 >= context.budget) return std::make_unique<RandomStrategy>(context);
  // A small space: a shuffle of all of it.
  std::mt19937_64 random(context.seed);
  std::vector<Path> all = context.graph.enumerate(SIZE_MAX);
  for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[draw_below(random, i)]);
  if (all.size() > context.budget) all.resize(context.budget);
  return std::make_unique<ListStrategy>(std::move(all));
}

}  // namespace plait::search
