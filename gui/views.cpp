#include "gui/views.h"

#include <algorithm>
#include <cmath>

#include "gui/trial_filter.h"

namespace plait::gui {
namespace {

TableSummary summary_of(const app::StudyResults& results, const app::TrialTable& table) {
  TableSummary summary;
  for (const app::TrialTable::Column& column : table.columns) {
    auto& [low, high] = summary.ranges.emplace_back(INFINITY, -INFINITY);
    for (const double value : column.value) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  for (std::uint32_t row = 0; row < table.size(); ++row) {
    if (table.on_front[row] != 0) summary.front.push_back(row);
  }
  for (const search::Trial& trial : results.trials) {
    if (const auto* failure = std::get_if<search::Failure>(&trial.outcome)) {
      ++summary.failed[failure->kind];
    } else if (!trial.feasible) {
      ++summary.outside;
    }
  }
  return summary;
}

ShownRows shown_rows(const app::StudyResults& results, const app::TrialTable& table, const ViewRequest& request) {
  const TrialFilter filter = parse_filter(request.filter, results.metrics);
  ShownRows shown{matches(filter.problem.empty() ? filter : TrialFilter{}, results, table), 0};
  for (const Brush& brush : request.brushes) {
    const app::TrialTable::Column* column = table.find(brush.metric);
    if (column == nullptr) continue;
    for (std::size_t row = 0; row < shown.rows.size(); ++row) {
      if (!(column->value[row] >= brush.low && column->value[row] <= brush.high)) shown.rows[row] = 0;
    }
  }
  shown.count = static_cast<std::size_t>(std::ranges::count(shown.rows, 1));
  return shown;
}

}  // namespace

Views make_views(std::shared_ptr<const app::StudyResults> results, std::shared_ptr<const app::TrialTable> table,
                 const ViewRequest& request, const Views& before) {
  Views views{.results = results, .table = table, .request = request};
  const bool same_table = before.table == table;
  const ViewRequest& old = before.request;

  views.summary = same_table ? before.summary : std::make_shared<const TableSummary>(summary_of(*results, *table));

  const auto cloud_key = [](const ViewRequest& r) { return std::tie(r.x, r.y, r.x_log, r.y_log, r.until); };
  if (same_table && cloud_key(old) == cloud_key(request)) {
    views.cloud = before.cloud;
    views.pick = before.pick;
    views.dominated = before.dominated;
  } else {
    views.cloud = std::make_shared<const Cloud>(
        make_cloud(*table, results->spec.objectives, request.x, request.y,
                   {.x_log = request.x_log, .y_log = request.y_log, .until = request.until}));
    views.pick = std::make_shared<const PickIndex>(*views.cloud);
    views.dominated = dominated_share(*views.cloud);
  }

  const bool same_rows = same_table && old.filter == request.filter && old.brushes == request.brushes;
  views.shown = same_rows ? before.shown : std::make_shared<const ShownRows>(shown_rows(*results, *table, request));
  views.order =
      same_rows && old.sort == request.sort
          ? before.order
          : std::make_shared<const std::vector<std::uint32_t>>(sorted_rows(*table, views.shown->rows, request.sort));
  return views;
}

}  // namespace plait::gui
