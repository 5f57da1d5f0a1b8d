#include "src/app/trial_table.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "search/pareto.h"

namespace plait::app {
namespace {

using Volume = TrialTable::Volume;

/// The front so far is carried from step to step, so that n trials cost about n log n.
std::vector<Volume> volume_history(const TrialTable& table, const std::vector<search::Objective>& objectives) {
  constexpr std::size_t kSteps = 200;
  constexpr double kReference = 1.1;
  std::vector<std::pair<std::size_t, search::Point>> points;  // row, every coordinate minimised
  for (std::size_t row = 0; row < table.trials; ++row) {
    if (!table.feasible[row]) continue;
    search::Point point;
    for (const search::Objective& objective : objectives) {
      const TrialTable::Column* column = table.find(objective.metric);
      const double value = column == nullptr ? NAN : column->value[row];
      if (!std::isfinite(value)) break;
      point.push_back(objective.direction == search::Direction::minimize ? value : -value);
    }
    if (point.size() == objectives.size()) points.emplace_back(row, std::move(point));
  }
  if (points.size() < 2) return {};
  for (std::size_t k = 0; k < objectives.size(); ++k) {
    double low = INFINITY, high = -INFINITY;
    for (const auto& [row, point] : points) {
      low = std::min(low, point[k]);
      high = std::max(high, point[k]);
    }
    for (auto& [row, point] : points) point[k] = high > low ? (point[k] - low) / (high - low) : 0;
  }
  std::vector<Volume> history;
  std::vector<search::Point> front;
  const std::size_t step = (table.trials + kSteps - 1) / kSteps;
  auto next = points.begin();
  for (std::size_t done = std::min(step, table.trials);; done = std::min(done + step, table.trials)) {
    std::vector<search::Point> candidates = std::move(front);
    for (; next != points.end() && next->first < done; ++next) candidates.push_back(next->second);
    front.clear();
    for (const std::size_t i : search::nondominated(candidates)) front.push_back(std::move(candidates[i]));
    history.push_back({done, search::hypervolume(front, search::Point(objectives.size(), kReference))});
    if (done == table.trials) return history;
  }
}

}  // namespace

const TrialTable::Column* TrialTable::find(std::string_view metric) const {
  const auto at = std::ranges::find(columns, metric, [](const Column& column) { return column.metric.name; });
  return at == columns.end() ? nullptr : &*at;
}

const search::Trial& trial_at(const StudyResults& results, std::size_t row) {
  return row < results.trials.size() ? results.trials[row] : results.baselines.at(row - results.trials.size());
}

std::size_t row_of(const StudyResults& results, const std::string& id) {
  return id.starts_with('b') ? results.trials.size() + std::stoul(id.substr(1)) : std::stoul(id);
}

TrialTable trial_table(const StudyResults& results) {
  TrialTable table;
  table.trials = results.trials.size();
  const std::size_t rows = results.trials.size() + results.baselines.size();
  for (const search::Metric& metric : results.metrics) {
    table.columns.push_back({metric, std::vector<double>(rows, std::numeric_limits<double>::quiet_NaN()),
                             std::vector<double>(rows, 0.0), std::vector<search::Source>(rows)});
  }
  table.feasible.resize(rows);
  table.on_front.resize(rows);
  std::vector<std::string_view> front;
  for (const search::Trial& trial : results.front) front.push_back(trial.id);
  std::ranges::sort(front);
  for (std::size_t row = 0; row < rows; ++row) {
    const search::Trial& trial = trial_at(results, row);
    table.feasible[row] = trial.feasible;
    table.on_front[row] = !table.is_baseline(row) && std::ranges::binary_search(front, std::string_view(trial.id));
    for (TrialTable::Column& column : table.columns) {
      const search::Value* value = score(trial, column.metric.name);
      if (value == nullptr) continue;
      column.value[row] = value->value;
      column.deviation[row] = value->deviation.value_or(0);
      column.source[row] = value->source;
    }
  }
  table.history = volume_history(table, results.spec.objectives);
  return table;
}

}  // namespace plait::app
