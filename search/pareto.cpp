#include "search/pareto.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <stdexcept>

namespace plait::search {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void check(std::span<const double> point, std::size_t dimensions) {
  if (point.size() != dimensions) throw std::invalid_argument("points have different numbers of coordinates");
  if (std::ranges::any_of(point, [](double x) { return std::isnan(x); })) {
    throw std::invalid_argument("a point has a NaN coordinate");
  }
}

void check(std::span<const Point> points) {
  for (const Point& point : points) check(point, points.front().size());
}

bool all_less_equal(std::span<const double> a, std::span<const double> b) {
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k] > b[k]) return false;
  }
  return true;
}

/// One front whose points arrive in lexicographic order, in up to three dimensions: since no earlier point is larger in
/// the first coordinate, an earlier point dominates a later, different one exactly when it is not larger in the other
/// two. Those two form a staircase: y ascending, z strictly descending.
class StaircaseFront {
 public:
  bool dominates(const Point& point) const {
    const auto [y, z] = rest(point);
    const auto above = steps_.upper_bound(y);
    return above != steps_.begin() && std::prev(above)->second <= z;
  }

  /// `point` is not dominated.
  void add(const Point& point) {
    const auto [y, z] = rest(point);
    auto step = steps_.lower_bound(y);
    while (step != steps_.end() && step->second >= z) step = steps_.erase(step);
    steps_.emplace_hint(step, y, z);
  }

 private:
  static std::pair<double, double> rest(const Point& point) {
    return {point.size() > 1 ? point[1] : 0.0, point.size() > 2 ? point[2] : 0.0};
  }

  std::map<double, double> steps_;
};

/// The same in any dimension, by looking at the members, the latest (and so the most similar) first.
class ListFront {
 public:
  bool dominates(const Point& point) const {
    return std::any_of(members_.rbegin(), members_.rend(), [&](const Point* p) { return all_less_equal(*p, point); });
  }
  void add(const Point& point) { members_.push_back(&point); }

 private:
  std::vector<const Point*> members_;
};

std::vector<std::size_t> lexicographic_order(std::span<const Point> points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return points[a] < points[b]; });
  return order;
}

template <class Front>
std::vector<std::size_t> nondominated_in(std::span<const Point> points) {
  std::vector<std::size_t> kept;
  Front front;
  const Point* last = nullptr;
  for (const std::size_t i : lexicographic_order(points)) {
    const bool repeats = last != nullptr && points[i] == *last;
    if (!repeats) {
      if (front.dominates(points[i])) continue;
      front.add(points[i]);
      last = &points[i];
    }
    kept.push_back(i);
  }
  std::ranges::sort(kept);
  return kept;
}

template <class Front>
std::vector<std::size_t> rank_in(std::span<const Point> points) {
  std::vector<std::size_t> ranks(points.size());
  std::vector<Front> fronts;
  const Point* last = nullptr;
  std::size_t rank = 0;
  for (const std::size_t i : lexicographic_order(points)) {
    if (last == nullptr || points[i] != *last) {
      // Dominated by a member of one front means dominated by a member of every front before it.
      const auto home = std::ranges::partition_point(fronts, [&](const Front& f) { return f.dominates(points[i]); });
      rank = static_cast<std::size_t>(home - fronts.begin());
      if (home == fronts.end()) fronts.emplace_back();
      fronts[rank].add(points[i]);
      last = &points[i];
    }
    ranks[i] = rank;
  }
  return ranks;
}

// Hypervolume works on extents, reference - point: positive, larger is better, and a point dominates the box between
// the origin and itself.

/// The area of a union of boxes [0, x] x [0, y]. It only ever grows by positive rectangles, so nothing cancels.
class Staircase {
 public:
  void add(double x, double y) {
    auto right = steps_.lower_bound(x);
    if (right != steps_.end() && right->second >= y) return;
    double floor = right == steps_.end() ? 0.0 : right->second;
    if (right != steps_.end() && right->first == x) right = steps_.erase(right);
    double edge = x;
    while (right != steps_.begin()) {
      const auto left = std::prev(right);
      area_ += (edge - left->first) * (y - floor);
      edge = left->first;
      floor = left->second;
      if (floor > y) break;
      right = steps_.erase(left);
    }
    if (right == steps_.begin()) area_ += edge * (y - floor);
    steps_.emplace_hint(right, x, y);
  }
  double area() const { return area_; }

 private:
  std::map<double, double> steps_;  // x ascending, y strictly descending
  double area_ = 0;
};

double sweep_area(const std::vector<Point>& extents) {
  std::vector<std::pair<double, double>> boxes;
  boxes.reserve(extents.size());
  for (const Point& p : extents) boxes.emplace_back(p[0], p[1]);
  std::ranges::sort(boxes, std::greater<>());
  double area = 0;
  double height = 0;
  for (const auto& [x, y] : boxes) {
    if (y <= height) continue;
    area += x * (y - height);
    height = y;
  }
  return area;
}

double sweep_volume(const std::vector<Point>& extents) {
  struct Box {
    double height, x, y;
    auto operator<=>(const Box&) const = default;
  };
  std::vector<Box> boxes;
  boxes.reserve(extents.size());
  for (const Point& p : extents) boxes.push_back({p.size() > 2 ? p[2] : 1.0, p[0], p.size() > 1 ? p[1] : 1.0});
  std::ranges::sort(boxes, std::greater<>());
  Staircase base;
  double volume = 0;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    base.add(boxes[i].x, boxes[i].y);
    const double next_height = i + 1 < boxes.size() ? boxes[i + 1].height : 0.0;
    volume += base.area() * (boxes[i].height - next_height);
  }
  return volume;
}

std::vector<Point> maxima(std::vector<Point> extents) {
  std::ranges::sort(extents, std::greater<>());
  std::vector<Point> kept;
  for (Point& point : extents) {
    if (std::none_of(kept.rbegin(), kept.rend(), [&](const Point& k) { return all_less_equal(point, k); })) {
      kept.push_back(std::move(point));
    }
  }
  return kept;
}

double volume(std::vector<Point> extents) {
  if (extents.empty()) return 0;
  const std::size_t last = extents.front().size() - 1;
  if (last == 1) return sweep_area(extents);
  if (last < 3) return sweep_volume(extents);
  extents = maxima(std::move(extents));
  // Smallest last extent first: within the box of point i, every later point reaches through the whole last dimension,
  // so what i adds to the later ones is a prism over a volume of one dimension less.
  std::ranges::sort(extents, [&](const Point& a, const Point& b) { return a[last] < b[last]; });
  double sum = 0;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const Point& box = extents[i];
    std::vector<Point> shared;
    shared.reserve(extents.size() - i - 1);
    for (std::size_t j = i + 1; j < extents.size(); ++j) {
      Point overlap(last);
      for (std::size_t k = 0; k < last; ++k) overlap[k] = std::min(box[k], extents[j][k]);
      shared.push_back(std::move(overlap));
    }
    const double whole = std::accumulate(box.begin(), box.end() - 1, 1.0, std::multiplies<>());
    sum += box[last] * std::max(0.0, whole - volume(std::move(shared)));
  }
  return sum;
}

}  // namespace

bool dominates(std::span<const double> a, std::span<const double> b) {
  check(a, a.size());
  check(b, a.size());
  return all_less_equal(a, b) && !std::ranges::equal(a, b);
}

std::vector<std::size_t> nondominated(std::span<const Point> points) {
  check(points);
  if (points.empty()) return {};
  return points.front().size() <= 3 ? nondominated_in<StaircaseFront>(points) : nondominated_in<ListFront>(points);
}

std::vector<std::size_t> nondominated_rank(std::span<const Point> points) {
  check(points);
  if (points.empty()) return {};
  return points.front().size() <= 3 ? rank_in<StaircaseFront>(points) : rank_in<ListFront>(points);
}

std::vector<double> crowding_distance(std::span<const Point> points) {
  check(points);
  if (points.empty()) return {};
  std::vector<double> distance(points.size(), 0.0);
  std::vector<std::size_t> order = lexicographic_order(points);  // so that ties do not depend on the order given
  for (std::size_t k = 0; k < points.front().size(); ++k) {
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return points[a][k] < points[b][k]; });
    distance[order.front()] = distance[order.back()] = kInfinity;
    const double range = points[order.back()][k] - points[order.front()][k];
    if (!(range > 0) || range == kInfinity) continue;
    for (std::size_t i = 1; i + 1 < order.size(); ++i) {
      distance[order[i]] += (points[order[i + 1]][k] - points[order[i - 1]][k]) / range;
    }
  }
  return distance;
}

double hypervolume(std::span<const Point> points, std::span<const double> reference) {
  if (reference.empty()) throw std::invalid_argument("a hypervolume needs at least one coordinate");
  check(reference, reference.size());
  std::vector<Point> extents;
  for (const Point& point : points) {
    check(point, reference.size());
    if (!std::ranges::equal(point, reference, std::less<>())) continue;
    Point extent(point.size());
    std::ranges::transform(reference, point, extent.begin(), std::minus<>());
    if (std::ranges::find(extent, kInfinity) != extent.end()) return kInfinity;
    extents.push_back(std::move(extent));
  }
  if (extents.empty()) return 0;
  // Powers of two bring every dimension to (0, 1], exactly, so that no product overflows or vanishes on the way.
  int exponents = 0;
  for (std::size_t k = 0; k < reference.size(); ++k) {
    double largest = 0;
    for (const Point& extent : extents) largest = std::max(largest, extent[k]);
    const int exponent = std::ilogb(largest) + 1;
    exponents += exponent;
    for (Point& extent : extents) extent[k] = std::ldexp(extent[k], -exponent);
  }
  return std::ldexp(volume(std::move(extents)), exponents);
}

}  // namespace plait::search
