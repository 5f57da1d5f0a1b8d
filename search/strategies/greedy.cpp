#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "search/exact_front.h"
#include "search/strategies/strategies.h"
#include "src/spec/error.h"

namespace plait::search {

namespace {

/// Greedy selection as in the literature: a round measures every legal layout that differs from the current one in one
/// slot and moves to the best. The gain is the first maximised objective (the first one where none is maximised); all
/// other objectives are costs, each relative to its value at the start.
///
/// Forward starts at the layout with the fewest growing caches and takes the largest gain per added cost. Backward
/// starts at the one with the most and takes the smallest loss per saving. Both stop when no move gains, or saves.
/// Failed moves are not taken; moves outside the constraints only when no other is there.
class GreedyStrategy : public Strategy {
 public:
  GreedyStrategy(const StrategyContext& context, bool forward)
      : space_(context.space),
        graph_(context.graph),
        objectives_(context.objectives),
        budget_(context.budget),
        forward_(forward),
        current_(start()) {
    const auto gain = std::ranges::find(objectives_, Direction::maximize, &Objective::direction);
    gain_ = gain == objectives_.end() ? 0 : static_cast<std::size_t>(gain - objectives_.begin());
    propose(current_);
  }

  std::vector<Path> ask(std::size_t n) override {
    if (next_ == queue_.size()) plan_round();
    std::vector<Path> asked;
    while (asked.size() < n && next_ < queue_.size() && next_ < budget_) asked.push_back(queue_[next_++]);
    return asked;
  }

  void tell(const Trial& trial) override {
    if (const auto values = minimised(trial, objectives_)) told_[trial.path] = {*values, trial.feasible};
  }

 private:
  struct Told {
    std::vector<double> values;  // minimised
    bool feasible = false;
  };

  /// Least (or most) memory that grows with the context: layers that keep everything first, windows second.
  Path start() const {
    AdditiveObjective caches;
    caches.direction = forward_ ? Direction::minimize : Direction::maximize;
    AdditiveScore& score = caches.score;
    score.slots = space_.size();
    score.candidates = space_.candidates.size();
    score.counted.assign(score.candidates, 0);
    auto& terms = score.terms.emplace_back();
    for (std::size_t slot = 0; slot < score.slots; ++slot) {
      for (const Candidate& candidate : space_.candidates) {
        const spec::StateKind kind = spec::state_kind(candidate.layer.mixer);
        const double grows = static_cast<double>(score.slots + 1);
        terms.slot.push_back(kind == spec::StateKind::grows ? grows : kind == spec::StateKind::window ? 1 : 0);
      }
    }
    return exact_front(graph_, std::span(&caches, 1)).front().path;
  }

  void propose(const Path& path) {
    if (proposed_.insert(path).second) queue_.push_back(path);
  }

  std::vector<Path> moves() const {
    std::vector<Path> moves;
    for (std::size_t slot = 0; slot < current_.size(); ++slot) {
      for (const std::uint16_t c : space_.slots[slot]) {
        Path path = current_;
        path[slot] = c;
        if (c != current_[slot] && graph_.contains(path)) moves.push_back(std::move(path));
      }
    }
    return moves;
  }

  /// Everything proposed has been told: move until a layout has moves that are not measured yet, or none is worth it.
  void plan_round() {
    while (!finished_ && next_ == queue_.size()) {
      if (measured_) {
        const std::optional<Path> best = best_move();
        if (!best) {
          finished_ = true;
          return;
        }
        current_ = *best;
      }
      for (const Path& path : moves()) propose(path);
      measured_ = true;
    }
  }

  double cost(const std::vector<double>& values) const {
    double cost = 0;
    for (std::size_t k = 0; k < values.size(); ++k) {
      if (k == gain_) continue;
      const double scale = std::abs(origin_[k]);
      cost += values[k] / (scale > 0 ? scale : 1);
    }
    return cost;
  }

  std::optional<Path> best_move() {
    const auto here = told_.find(current_);
    const bool known = here != told_.end();
    if (known && origin_.empty()) origin_ = here->second.values;
    std::optional<Path> best;
    std::array<double, 3> best_rank{};
    for (const Path& path : moves()) {
      const auto found = told_.find(path);
      if (found == told_.end()) continue;
      const auto& [values, feasible] = found->second;
      if (origin_.empty()) origin_ = values;  // the start failed
      const double gain = known ? here->second.values[gain_] - values[gain_] : -values[gain_];
      const double added = known ? cost(values) - cost(here->second.values) : cost(values);
      // Strict progress in one quantity is what ends the search. Lower ranks are better.
      if (known && (forward_ ? gain <= 0 : added >= 0)) continue;
      std::array<double, 3> rank{feasible ? 0.0 : 1.0, 0, 0};
      if (!known) {
        rank[1] = forward_ ? -gain : added;
      } else if (forward_) {
        rank[1] = added > 0 ? -gain / added : -std::numeric_limits<double>::infinity();
        rank[2] = -gain;
      } else {
        rank[1] = gain >= 0 ? -std::numeric_limits<double>::infinity() : -gain / -added;
        rank[2] = added;
      }
      if (!best || rank < best_rank) {
        best = path;
        best_rank = rank;
      }
    }
    return best;
  }

  const SearchSpace& space_;
  const LayoutGraph& graph_;
  std::vector<Objective> objectives_;
  std::size_t budget_;
  bool forward_;
  Path current_;
  std::size_t gain_ = 0;
  std::vector<Path> queue_;  // everything proposed, in order
  std::size_t next_ = 0;
  std::set<Path> proposed_;
  std::map<Path, Told> told_;
  std::vector<double> origin_;  // values that costs are relative to
  bool measured_ = false;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<Strategy> make_greedy_forward(const StrategyContext& context) {
  return std::make_unique<GreedyStrategy>(context, true);
}

std::unique_ptr<Strategy> make_greedy_backward(const StrategyContext& context) {
  if (context.objectives.size() < 2) {
    throw spec::SpecError("strategy", "greedy_backward needs a second objective: the cost that it reduces");
  }
  return std::make_unique<GreedyStrategy>(context, false);
}

}  // namespace plait::search
