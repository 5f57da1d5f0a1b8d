#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>

#include "search/chain.h"
#include "search/exact_front.h"

namespace plait::search {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Weights of the two objectives; `tie` decides between layouts of equal weighted sum.
struct Weights {
  std::array<double, 2> main;
  std::array<double, 2> tie{0, 0};
};

class WeightedSum {
 public:
  WeightedSum(const LayoutGraph& graph, std::span<const AdditiveObjective> objectives,
              std::array<const AdditiveObjective*, 2> traded)
      : shape_(shape_of(graph, objectives)),
        chain_(graph, shape_.pairs, shape_.counted),
        groups_(groups_of_equal_terms(objectives, chain_.totals())),
        traded_(traded) {}

  /// The layout with the least weighted sum; the lexicographically smallest of several.
  Path minimise(const Weights& weights) {
    std::optional<Cost> best;
    Path best_path;
    for (const auto& group : groups_) {
      solve(group.front(), weights);
      for (const std::size_t n : group) {
        Cost cost = cost_[0][n];
        if (cost.main == kInfinity) continue;
        for (std::size_t k = 0; k < 2; ++k) add(cost, weights, k, oriented(k, terms_for(traded_[k]->score, n).base));
        if (best && *best < cost) continue;
        Path path = follow(n);
        if (!best || cost < *best || path < best_path) {
          best = cost;
          best_path = std::move(path);
        }
      }
    }
    return best_path;
  }

 private:
  struct Cost {
    double main = 0;
    double tie = 0;

    bool operator==(const Cost&) const = default;
    bool operator<(const Cost& other) const { return main != other.main ? main < other.main : tie < other.tie; }
  };

  double oriented(std::size_t k, double value) const {
    return traded_[k]->direction == Direction::minimize ? value : -value;
  }
  static void add(Cost& cost, const Weights& weights, std::size_t k, double value) {
    cost.main += weights.main[k] * value;
    cost.tie += weights.tie[k] * value;
  }

  /// Least cost of all ways to finish from (boundary, class, counted still to come), under the tables for n.
  void solve(std::size_t n, const Weights& weights) {
    const std::size_t slots = chain_.slots();
    const std::size_t counts = chain_.counts();
    cost_.resize(slots + 1);
    choice_.resize(slots);
    cost_[slots].assign(chain_.classes(slots) * counts, {kInfinity, kInfinity});
    for (std::size_t cls = 0; cls < chain_.classes(slots); ++cls) cost_[slots][cls * counts] = {};
    for (std::size_t i = slots; i-- > 0;) {
      cost_[i].assign(chain_.classes(i) * counts, {kInfinity, kInfinity});
      choice_[i].assign(chain_.classes(i) * counts, nullptr);
      for (std::size_t cls = 0; cls < chain_.classes(i); ++cls) {
        for (const Chain::Arc& arc : chain_.arcs(i, cls)) {
          Cost step;
          for (std::size_t k = 0; k < 2; ++k) {
            const AdditiveScore& score = traded_[k]->score;
            add(step, weights, k, oriented(k, term(score, terms_for(score, n), i, chain_.last(i, cls), arc.candidate)));
          }
          for (std::size_t r = arc.counted; r < counts; ++r) {
            const Cost& rest = cost_[i + 1][arc.next * counts + r - arc.counted];
            const Cost whole{rest.main + step.main, rest.tie + step.tie};
            if (whole < cost_[i][cls * counts + r]) {
              cost_[i][cls * counts + r] = whole;
              choice_[i][cls * counts + r] = &arc;
            }
          }
        }
      }
    }
  }

  Path follow(std::size_t n) const {
    Path path;
    std::size_t cell = n;
    for (std::size_t i = 0; i < chain_.slots(); ++i) {
      const Chain::Arc& arc = *choice_[i][cell];
      path.push_back(arc.candidate);
      cell = arc.next * chain_.counts() + cell % chain_.counts() - arc.counted;
    }
    return path;
  }

  ScoreShape shape_;
  Chain chain_;
  std::vector<std::vector<std::size_t>> groups_;
  std::array<const AdditiveObjective*, 2> traded_;
  std::vector<std::vector<Cost>> cost_;
  std::vector<std::vector<const Chain::Arc*>> choice_;
};

}  // namespace

std::vector<FrontPoint> hull_front(const LayoutGraph& graph, std::span<const AdditiveObjective> objectives) {
  std::vector<const AdditiveObjective*> traded;
  for (const AdditiveObjective& objective : objectives) {
    if (objective.traded) traded.push_back(&objective);
  }
  if (traded.size() != 2) throw std::logic_error("a hull is drawn for two traded objectives");
  WeightedSum sums(graph, objectives, {traded[0], traded[1]});

  using Corner = std::array<double, 2>;  // minimised values
  std::vector<Path> paths;
  const auto corner_at = [&](const Weights& weights) {
    const Path& path = paths.emplace_back(sums.minimise(weights));
    Corner corner;
    for (std::size_t k = 0; k < 2; ++k) {
      const double value = traded[k]->score.evaluate(path);
      corner[k] = traded[k]->direction == Direction::minimize ? value : -value;
    }
    return corner;
  };

  std::vector<std::array<Corner, 2>> open{{corner_at({{1, 0}, {0, 1}}), corner_at({{0, 1}, {1, 0}})}};
  while (!open.empty()) {
    const auto [left, right] = open.back();
    open.pop_back();
    if (!(left[0] < right[0] && left[1] > right[1])) continue;
    const Weights weights{{left[1] - right[1], right[0] - left[0]}};
    const Corner corner = corner_at(weights);
    const auto sum = [&](const Corner& c) { return weights.main[0] * c[0] + weights.main[1] * c[1]; };
    const double size = std::abs(weights.main[0] * left[0]) + std::abs(weights.main[1] * left[1]);
    const bool new_corner = left[0] < corner[0] && corner[0] < right[0] && sum(corner) < sum(left) - 1e-12 * size;
    if (!new_corner) {
      paths.pop_back();
      continue;
    }
    open.push_back({left, corner});
    open.push_back({corner, right});
  }

  std::vector<FrontPoint> points;
  for (Path& path : paths) {
    FrontPoint point{std::move(path), {}};
    bool inside = true;
    for (const AdditiveObjective& objective : objectives) {
      point.values.push_back(objective.score.evaluate(point.path));
      inside = inside && within(objective, point.values.back());
    }
    if (inside) points.push_back(std::move(point));
  }
  return only_best(std::move(points), objectives);
}

}  // namespace plait::search
