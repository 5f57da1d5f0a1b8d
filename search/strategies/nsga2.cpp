#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "search/pareto.h"
#include "search/random.h"
#include "search/strategies/strategies.h"

namespace plait::search {

namespace {

/// NSGA-II (Deb, Pratap, Agarwal, Meyarivan, IEEE Trans. Evol. Comp. 6(2), 2002) on layouts: uniform crossover per
/// slot, repaired to the nearest legal layouts where the rules refuse it; mutation to a legal neighbour; no layout
/// twice.
class Nsga2 : public Strategy {
 public:
  explicit Nsga2(const StrategyContext& context)
      : graph_(context.graph),
        objectives_(context.objectives),
        constraints_(context.constraints),
        budget_(context.budget),
        // About ten generations on small budgets, the customary population of 100 on large ones.
        population_size_(std::clamp<std::size_t>(context.budget / 10, 8, 100)),
        random_(context.seed) {}

  std::vector<Path> ask(std::size_t n) override {
    if (next_ == generation_.size()) breed();
    std::vector<Path> asked;
    while (asked.size() < n && next_ < generation_.size()) asked.push_back(generation_[next_++]);
    return asked;
  }

  void tell(const Trial& trial) override {
    auto values = minimised(trial, objectives_);
    if (!values) return;  // a failed layout has no offspring
    population_.push_back({trial.path, std::move(*values), trial.feasible ? 0 : violation(trial)});
  }

 private:
  struct Individual {
    Path path;
    Point values;
    double violation = 0;
    std::size_t rank = 0;
    double crowding = 0;
  };

  /// Sum of relative excesses; positive for every infeasible trial.
  double violation(const Trial& trial) const {
    double sum = 0;
    for (const Constraint& constraint : constraints_) {
      const Value* value = score(trial, constraint.metric);
      if (!value) {
        sum += 1;
        continue;
      }
      const auto excess = [](double over, double bound) {
        return std::max(0.0, over) / std::max(1e-300, std::abs(bound));
      };
      if (constraint.low) sum += excess(*constraint.low - value->value, *constraint.low);
      if (constraint.high) sum += excess(value->value - *constraint.high, *constraint.high);
    }
    return std::max(sum, std::numeric_limits<double>::min());
  }

  /// Constrained domination: the feasible by front and crowding, then the others by violation. Sorts best first.
  void select() {
    std::vector<std::size_t> feasible;
    std::vector<Point> points;
    for (std::size_t i = 0; i < population_.size(); ++i) {
      if (population_[i].violation > 0) continue;
      feasible.push_back(i);
      points.push_back(population_[i].values);
    }
    const std::vector<std::size_t> ranks = nondominated_rank(points);
    const std::size_t fronts = ranks.empty() ? 0 : *std::ranges::max_element(ranks) + 1;
    for (std::size_t front = 0; front < fronts; ++front) {
      std::vector<std::size_t> members;
      std::vector<Point> front_points;
      for (std::size_t k = 0; k < feasible.size(); ++k) {
        if (ranks[k] != front) continue;
        members.push_back(feasible[k]);
        front_points.push_back(points[k]);
      }
      const std::vector<double> crowding = crowding_distance(front_points);
      for (std::size_t k = 0; k < members.size(); ++k) {
        population_[members[k]].rank = front;
        population_[members[k]].crowding = crowding[k];
      }
    }
    for (Individual& individual : population_) {
      if (individual.violation > 0) individual.rank = fronts;
    }
    std::ranges::stable_sort(population_, better);
    if (population_.size() > population_size_) population_.resize(population_size_);
  }

  static bool better(const Individual& a, const Individual& b) {
    if (a.rank != b.rank) return a.rank < b.rank;
    if (a.violation != b.violation) return a.violation < b.violation;
    return a.crowding > b.crowding;
  }

  const Path& tournament() {
    const std::size_t a = draw_below(random_, population_.size());
    const std::size_t b = draw_below(random_, population_.size());
    return population_[std::min(a, b)].path;  // sorted best first
  }

  Path repaired(Path path) {
    for (std::size_t radius = 1; !graph_.contains(path); radius *= 2) path = graph_.neighbour(path, radius, random_);
    return path;
  }

  Path child() {
    const Path& mother = tournament();
    const Path& father = tournament();
    Path path = mother;
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (random_() >> 63) path[i] = father[i];
    }
    return repaired(std::move(path));
  }

  /// A layout not proposed before; nothing when there is none.
  std::optional<Path> fresh() {
    if (graph_.count() <= seen_.size()) return std::nullopt;
    constexpr std::size_t kAttempts = 32;
    for (std::size_t attempt = 0; attempt < kAttempts && !population_.empty(); ++attempt) {
      Path path = child();
      const bool mutate = attempt > 0 || random_() >> 63;
      if (mutate) path = graph_.neighbour(path, 1 + attempt / 4, random_);
      if (!seen_.contains(path)) return path;
    }
    for (std::size_t attempt = 0; attempt < kAttempts; ++attempt) {
      Path path = graph_.sample(random_);
      if (!seen_.contains(path)) return path;
    }
    for (Path& path : graph_.enumerate(seen_.size() + 1)) {
      if (!seen_.contains(path)) return std::move(path);  // one of them is new
    }
    return std::nullopt;
  }

  void breed() {
    select();
    generation_.clear();
    next_ = 0;
    while (generation_.size() < population_size_ && seen_.size() < budget_) {
      std::optional<Path> path = fresh();
      if (!path) break;
      seen_.insert(*path);
      generation_.push_back(std::move(*path));
    }
  }

  const LayoutGraph& graph_;
  std::vector<Objective> objectives_;
  std::vector<Constraint> constraints_;
  std::size_t budget_;
  std::size_t population_size_;
  std::mt19937_64 random_;
  std::vector<Individual> population_;
  std::vector<Path> generation_;
  std::size_t next_ = 0;
  std::set<Path> seen_;
};

}  // namespace

std::unique_ptr<Strategy> make_nsga2(const StrategyContext& context) { return std::make_unique<Nsga2>(context); }

}  // namespace plait::search
