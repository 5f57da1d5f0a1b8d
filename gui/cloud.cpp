#include "gui/cloud.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace plait::gui {
namespace {

CloudAxis make_axis(const app::TrialTable::Column& column, std::span<const search::Objective> objectives, bool log) {
  CloudAxis axis{.metric = column.metric.name, .label = {}, .unit = column.metric.unit, .shown = {}};
  axis.direction = column.metric.direction;
  const auto objective = std::ranges::find(objectives, column.metric.name, &search::Objective::metric);
  if (objective != objectives.end()) axis.direction = objective->direction;
  double low = INFINITY, high = -INFINITY;
  for (const double value : column.value) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  axis.can_log = low > 0 && std::isfinite(high);
  axis.log = log && axis.can_log;
  axis.shown = report::display_unit(axis.unit, std::isfinite(high) ? std::max(std::abs(low), std::abs(high)) : 1);
  axis.label = report::metric_label(column.metric);
  if (!axis.shown.suffix.empty()) axis.label += " (" + axis.shown.suffix + ")";
  if (low > high) return axis;
  axis.low = axis.coordinate(low);
  axis.high = axis.coordinate(high);
  const double room = axis.high > axis.low ? 0.05 * (axis.high - axis.low) : std::max(0.05 * std::abs(axis.low), 0.05);
  axis.low -= room;
  axis.high += room;
  return axis;
}

}  // namespace

double CloudAxis::coordinate(double value) const {
  const double scaled = value / shown.factor;
  return log ? std::log10(scaled) : scaled;
}

Cloud make_cloud(const app::TrialTable& table, std::span<const search::Objective> objectives, std::string_view x,
                 std::string_view y, const CloudOptions& options) {
  const app::TrialTable::Column* x_column = table.find(x);
  const app::TrialTable::Column* y_column = table.find(y);
  if (x_column == nullptr || y_column == nullptr) throw std::logic_error("make_cloud: no such metric");
  Cloud cloud;
  cloud.x = make_axis(*x_column, objectives, options.x_log);
  cloud.y = make_axis(*y_column, objectives, options.y_log);
  cloud.xs.reserve(table.size());
  cloud.ys.reserve(table.size());
  cloud.rows.reserve(table.size());
  cloud.kinds.reserve(table.size());
  for (std::size_t row = 0; row < table.size(); ++row) {
    if (row >= options.until && !table.is_baseline(row)) continue;
    const double x_value = x_column->value[row], y_value = y_column->value[row];
    if (!std::isfinite(x_value) || !std::isfinite(y_value)) continue;
    cloud.xs.push_back(cloud.x.coordinate(x_value));
    cloud.ys.push_back(cloud.y.coordinate(y_value));
    cloud.rows.push_back(static_cast<std::uint32_t>(row));
    cloud.kinds.push_back(table.is_baseline(row) ? PointKind::baseline
                          : !table.feasible[row] ? PointKind::infeasible
                          : table.on_front[row]  ? PointKind::study_front
                                                 : PointKind::dominated);
  }
  // The front of the two: by x from the best, whatever improves y.
  const double x_sign = cloud.x.direction == search::Direction::minimize ? 1 : -1;
  const double y_sign = cloud.y.direction == search::Direction::minimize ? 1 : -1;
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < cloud.size(); ++i) {
    if (cloud.kinds[i] == PointKind::dominated || cloud.kinds[i] == PointKind::study_front) order.push_back(i);
  }
  std::ranges::sort(order, {}, [&](std::uint32_t i) { return std::pair(x_sign * cloud.xs[i], y_sign * cloud.ys[i]); });
  double best = INFINITY;
  for (const std::uint32_t i : order) {
    if (y_sign * cloud.ys[i] >= best) continue;
    best = y_sign * cloud.ys[i];
    cloud.staircase.push_back(i);
    cloud.kinds[i] = PointKind::front;
  }
  if (x_sign < 0) std::ranges::reverse(cloud.staircase);
  for (std::uint32_t i = 0; i < cloud.size(); ++i) {
    ++cloud.counts[static_cast<std::size_t>(cloud.kinds[i])];
    if (cloud.kinds[i] == PointKind::baseline) cloud.baselines.push_back(i);
  }
  return cloud;
}

std::size_t Cloud::index_of(std::size_t row) const {
  const auto at = std::ranges::lower_bound(rows, row);
  return at != rows.end() && *at == row ? static_cast<std::size_t>(at - rows.begin()) : kNone;
}

double dominated_share(const Cloud& cloud) {
  if (cloud.staircase.empty()) return 0;
  double x_low = INFINITY, x_high = -INFINITY, y_low = INFINITY, y_high = -INFINITY;
  for (std::size_t i = 0; i < cloud.size(); ++i) {
    if (cloud.kinds[i] == PointKind::infeasible || cloud.kinds[i] == PointKind::baseline) continue;
    x_low = std::min(x_low, cloud.xs[i]);
    x_high = std::max(x_high, cloud.xs[i]);
    y_low = std::min(y_low, cloud.ys[i]);
    y_high = std::max(y_high, cloud.ys[i]);
  }
  if (!(x_high > x_low) || !(y_high > y_low)) return 0;
  const auto x_at = [&](std::uint32_t i) {
    const double share = (cloud.xs[i] - x_low) / (x_high - x_low);
    return cloud.x.direction == search::Direction::minimize ? share : 1 - share;
  };
  const auto y_at = [&](std::uint32_t i) {
    const double share = (cloud.ys[i] - y_low) / (y_high - y_low);
    return cloud.y.direction == search::Direction::minimize ? share : 1 - share;
  };
  std::vector<std::uint32_t> steps = cloud.staircase;
  std::ranges::sort(steps, {}, x_at);
  double area = 0;
  for (std::size_t k = 0; k < steps.size(); ++k) {
    const double next = k + 1 < steps.size() ? x_at(steps[k + 1]) : 1;
    area += (next - x_at(steps[k])) * (1 - y_at(steps[k]));
  }
  return area;
}

std::size_t PickIndex::cell(double value, double low, double high) const {
  const double share = high > low ? (value - low) / (high - low) : 0;
  return static_cast<std::size_t>(
      std::clamp(share * static_cast<double>(side_), 0.0, static_cast<double>(side_) - 1.0));
}

PickIndex::PickIndex(const Cloud& cloud) {
  if (cloud.size() == 0) return;
  const auto [x_low, x_high] = std::ranges::minmax(cloud.xs);
  const auto [y_low, y_high] = std::ranges::minmax(cloud.ys);
  x_low_ = x_low, x_high_ = x_high, y_low_ = y_low, y_high_ = y_high;
  side_ = std::clamp<std::size_t>(static_cast<std::size_t>(std::sqrt(static_cast<double>(cloud.size()) / 2)), 1, 1024);
  std::vector<std::uint32_t> at(cloud.size());
  start_.assign(side_ * side_ + 1, 0);
  for (std::size_t i = 0; i < cloud.size(); ++i) {
    at[i] = static_cast<std::uint32_t>(cell(cloud.ys[i], y_low_, y_high_) * side_ + cell(cloud.xs[i], x_low_, x_high_));
    ++start_[at[i] + 1];
  }
  for (std::size_t c = 1; c < start_.size(); ++c) start_[c] += start_[c - 1];
  points_.resize(cloud.size());
  std::vector<std::uint32_t> next(start_.begin(), start_.end() - 1);
  for (std::uint32_t i = 0; i < cloud.size(); ++i) points_[next[at[i]]++] = i;
}

std::size_t PickIndex::nearest(const Cloud& cloud, double x, double y, double x_scale, double y_scale, double radius,
                               std::span<const std::uint8_t> skip) const {
  if (side_ == 0 || !(x_scale > 0) || !(y_scale > 0)) return kNone;
  std::size_t found = kNone;
  double least = radius * radius;
  const auto look_into = [&](std::size_t column, std::size_t line) {
    const std::size_t c = line * side_ + column;
    for (std::uint32_t k = start_[c]; k < start_[c + 1]; ++k) {
      const std::uint32_t i = points_[k];
      if (!skip.empty() && skip[i] != 0) continue;
      const double dx = (cloud.xs[i] - x) * x_scale, dy = (cloud.ys[i] - y) * y_scale;
      const double distance = dx * dx + dy * dy;
      // What is drawn on top wins among equals: the front, then what came later.
      if (distance < least || (found != kNone && distance == least && cloud.kinds[i] >= cloud.kinds[found])) {
        least = distance;
        found = i;
      }
    }
  };
  // Rings of cells around the mouse, until no nearer point can follow.
  const double cell_width = std::max((x_high_ - x_low_) / static_cast<double>(side_) * x_scale, 1e-12);
  const double cell_height = std::max((y_high_ - y_low_) / static_cast<double>(side_) * y_scale, 1e-12);
  const auto column = static_cast<std::ptrdiff_t>(cell(x, x_low_, x_high_));
  const auto line = static_cast<std::ptrdiff_t>(cell(y, y_low_, y_high_));
  const auto side = static_cast<std::ptrdiff_t>(side_);
  for (std::ptrdiff_t ring = 0; ring < side; ++ring) {
    const double reach = static_cast<double>(ring - 1) * std::min(cell_width, cell_height);
    if (ring > 0 && reach > 0 && reach * reach > least) break;
    bool inside = false;
    for (std::ptrdiff_t j = line - ring; j <= line + ring; ++j) {
      if (j < 0 || j >= side) continue;
      const bool edge = j == line - ring || j == line + ring;
      for (std::ptrdiff_t i = column - ring; i <= column + ring; i += edge || ring == 0 ? 1 : 2 * ring) {
        if (i < 0 || i >= side) continue;
        inside = true;
        look_into(static_cast<std::size_t>(i), static_cast<std::size_t>(j));
      }
    }
    if (!inside) break;
  }
  return found;
}

Density density(const Cloud& cloud, double x_low, double x_high, double y_low, double y_high, std::size_t columns,
                std::size_t lines, std::span<const std::uint8_t> shown) {
  Density out{.columns = columns, .lines = lines, .count = std::vector<std::uint32_t>(columns * lines)};
  const double x_scale = static_cast<double>(columns) / (x_high - x_low);
  const double y_scale = static_cast<double>(lines) / (y_high - y_low);
  for (std::size_t i = 0; i < cloud.size(); ++i) {
    if (!shown.empty() && shown[cloud.rows[i]] == 0) continue;
    const double x = (cloud.xs[i] - x_low) * x_scale, y = (cloud.ys[i] - y_low) * y_scale;
    if (!(x >= 0 && x < static_cast<double>(columns) && y >= 0 && y < static_cast<double>(lines))) continue;
    const std::uint32_t count = ++out.count[static_cast<std::size_t>(y) * columns + static_cast<std::size_t>(x)];
    out.most = std::max(out.most, count);
  }
  return out;
}

}  // namespace plait::gui
