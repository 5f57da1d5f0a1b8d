#include "src/report/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/spec/error.h"
#include "src/spec/mixer.h"

namespace plait::report {
namespace {

constexpr double kLargest = 1e300;     // sums and differences of coordinates stay finite
constexpr char kParallelLetter = '#';  // what spec::letters prints for a ParallelMixer

void check_coordinate(double value, const Axis& axis, const std::string& path, spec::Problems& problems) {
  if (!std::isfinite(value)) {
    problems.add(path, fmt::format("{} is not a finite number", value));
  } else if (std::abs(value) > kLargest) {
    problems.add(path, fmt::format("{} is too large to draw", value));
  } else if (axis.log.value_or(false) && value <= 0) {
    problems.add(path, fmt::format("{} cannot stand on a logarithmic axis ({})", value, axis.label));
  }
}

void check_deviation(const std::optional<double>& deviation, const std::string& path, spec::Problems& problems) {
  if (deviation && !(*deviation >= 0 && *deviation <= kLargest)) {
    problems.add(path, fmt::format("{} is not a standard deviation (finite, at least 0)", *deviation));
  }
}

/// The coordinate with its sign turned so that less is better.
double cost(double value, const Axis& axis) { return axis.direction == search::Direction::minimize ? value : -value; }

/// Those of `indices` that no other of them dominates, by x from the best, of equal pairs the first.
std::vector<std::size_t> edge_of(const Figure& figure, std::vector<std::size_t> indices) {
  const auto x = [&](std::size_t i) { return cost(figure.points[i].x, figure.x); };
  const auto y = [&](std::size_t i) { return cost(figure.points[i].y, figure.y); };
  std::ranges::stable_sort(indices,
                           [&](std::size_t a, std::size_t b) { return std::pair(x(a), y(a)) < std::pair(x(b), y(b)); });
  std::vector<std::size_t> edge;
  double best = std::numeric_limits<double>::infinity();
  for (const std::size_t i : indices) {
    if (y(i) < best) {
      best = y(i);
      edge.push_back(i);
    }
  }
  return edge;
}

}  // namespace

void validate(const Figure& figure) {
  spec::Problems problems;
  for (std::size_t i = 0; i < figure.points.size(); ++i) {
    const FigurePoint& point = figure.points[i];
    const std::string path = spec::index_path("points", i);
    check_coordinate(point.x, figure.x, spec::join_path(path, "x"), problems);
    check_coordinate(point.y, figure.y, spec::join_path(path, "y"), problems);
    check_deviation(point.x_deviation, spec::join_path(path, "x_deviation"), problems);
    check_deviation(point.y_deviation, spec::join_path(path, "y_deviation"), problems);
  }
  problems.throw_if_any();
}

bool dominates(const Figure& figure, const FigurePoint& a, const FigurePoint& b) {
  const double ax = cost(a.x, figure.x), bx = cost(b.x, figure.x), ay = cost(a.y, figure.y), by = cost(b.y, figure.y);
  return ax <= bx && ay <= by && (ax < bx || ay < by);
}

void mark_front(Figure& figure) {
  std::vector<std::size_t> feasible;
  for (std::size_t i = 0; i < figure.points.size(); ++i) {
    figure.points[i].on_front = false;
    if (figure.points[i].feasible) feasible.push_back(i);
  }
  const std::vector<std::size_t> edge = edge_of(figure, feasible);
  for (const std::size_t i : feasible) {
    // The edge has one entry per coordinate pair; its twins are on the front too.
    const auto at = std::ranges::lower_bound(edge, cost(figure.points[i].x, figure.x), {},
                                             [&](std::size_t e) { return cost(figure.points[e].x, figure.x); });
    figure.points[i].on_front =
        at != edge.end() && figure.points[*at].x == figure.points[i].x && figure.points[*at].y == figure.points[i].y;
  }
}

std::vector<std::size_t> front_edge(const Figure& figure) {
  std::vector<std::size_t> front;
  for (std::size_t i = 0; i < figure.points.size(); ++i) {
    if (figure.points[i].on_front) front.push_back(i);
  }
  return edge_of(figure, std::move(front));
}

std::vector<std::size_t> representatives(const Figure& figure, std::span<const std::size_t> edge, std::size_t count) {
  if (edge.size() <= count) return {edge.begin(), edge.end()};
  if (count == 0) return {};
  const FigurePoint& first = figure.points[edge.front()];
  const FigurePoint& last = figure.points[edge.back()];
  const double width = last.x - first.x, height = last.y - first.y;  // neither is 0: an edge is strictly monotone
  std::vector<double> distance(edge.size(), std::numeric_limits<double>::infinity());
  std::vector<std::size_t> chosen;
  const auto choose = [&](std::size_t k) {
    chosen.push_back(k);
    const FigurePoint& taken = figure.points[edge[k]];
    for (std::size_t j = 0; j < edge.size(); ++j) {
      const FigurePoint& point = figure.points[edge[j]];
      distance[j] = std::min(distance[j], std::hypot((point.x - taken.x) / width, (point.y - taken.y) / height));
    }
  };
  choose(0);
  if (count > 1) choose(edge.size() - 1);
  while (chosen.size() < count) choose(static_cast<std::size_t>(std::ranges::max_element(distance) - distance.begin()));
  std::ranges::sort(chosen);
  for (std::size_t& k : chosen) k = edge[k];
  return chosen;
}

std::vector<MixerKey> mixer_legend(std::span<const FigurePoint> points) {
  std::vector<bool> seen(256, false);
  for (const FigurePoint& point : points) {
    for (const char letter : point.letters) seen[static_cast<unsigned char>(letter)] = true;
  }
  const auto table = spec::mixer_table();
  std::vector<MixerKey> legend;
  for (std::size_t row = 0; row < table.size(); ++row) {
    const bool parallel = row + 1 == table.size();
    const char letter = parallel ? kParallelLetter : table[row].letter;
    if (!seen[static_cast<unsigned char>(letter)]) continue;
    seen[static_cast<unsigned char>(letter)] = false;
    legend.push_back({letter, std::string(table[row].label), row});
  }
  std::size_t colour = table.size();
  for (std::size_t c = 0; c < seen.size(); ++c) {
    if (seen[c]) legend.push_back({static_cast<char>(c), std::string(1, static_cast<char>(c)), colour++});
  }
  return legend;
}

const MixerKey* find_mixer(const Figure& figure, char letter) {
  const auto at = std::ranges::find(figure.mixers, letter, &MixerKey::letter);
  return at == figure.mixers.end() ? nullptr : &*at;
}

}  // namespace plait::report
