#include "src/cli/frontier_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/app/output.h"
#include "src/spec/json_reader.h"

namespace plait::cli {
namespace {

const search::Metric& find_metric(const app::StudyResults& results, const std::string& name, const char* option) {
  const auto found = std::ranges::find(results.metrics, name, &search::Metric::name);
  if (found != results.metrics.end()) return *found;
  std::vector<std::string> names;
  for (const search::Metric& metric : results.metrics) names.push_back(metric.name);
  throw spec::SpecError(option,
                        fmt::format("this study has no metric \"{}\"; it has {}", name, spec::quoted_list(names)));
}

/// What a metric is drawn against when nothing else is said: the first objective that pulls the other way.
std::string counterpart(const app::StudyResults& results, const search::Metric& metric) {
  const auto& objectives = results.spec.objectives;
  const auto other = std::ranges::find_if(objectives, [&](const search::Objective& objective) {
    return objective.direction != metric.direction && objective.metric != metric.name;
  });
  if (other != objectives.end()) return other->metric;
  return objectives[objectives[0].metric == metric.name ? 1 : 0].metric;
}

/// Why a front has no layout, for the most telling of its trials; empty when it has one or nothing was tried.
std::string why_empty(const app::StudyResults& results) {
  if (!results.front.empty() || results.trials.empty()) return "";
  const auto failure = [](const search::Trial& trial) { return std::get_if<search::Failure>(&trial.outcome); };
  const auto failed =
      std::ranges::count_if(results.trials, [&](const auto& trial) { return failure(trial) != nullptr; });
  std::string text;
  if (const auto outside = static_cast<std::ptrdiff_t>(results.trials.size()) - failed; outside > 0) {
    text += fmt::format("{} layouts are outside the constraints\n", outside);
  }
  if (failed > 0) {
    const auto first =
        std::ranges::find_if(results.trials, [&](const auto& trial) { return failure(trial) != nullptr; });
    text += fmt::format("{} failed; trial {}: {}\n", failed, first->id, failure(*first)->reason);
  }
  return text;
}

}  // namespace

AxisPair chosen_axes(const app::StudyResults& results, const std::string& x, const std::string& y) {
  AxisPair axes{x, y};
  if (axes.x.empty() && axes.y.empty()) axes.y = results.spec.objectives[0].metric;
  if (axes.y.empty()) axes.y = counterpart(results, find_metric(results, axes.x, "--x"));
  if (axes.x.empty()) axes.x = counterpart(results, find_metric(results, axes.y, "--y"));
  find_metric(results, axes.x, "--x");
  find_metric(results, axes.y, "--y");
  return axes;
}

std::string frontier_text(const app::StudyResults& results, const std::string& x, const std::string& y,
                          const Console& console) {
  std::vector<AxisPair> pairs;
  if (x.empty() && y.empty()) {
    const auto& objectives = results.spec.objectives;
    for (std::size_t i = 1; i < objectives.size(); ++i) pairs.push_back({objectives[i].metric, objectives[0].metric});
  } else {
    pairs.push_back(chosen_axes(results, x, y));
  }
  std::string text = fmt::format("{}: {} of {} layouts evaluated ({}, seed {}), {} on the front of all {} objectives\n",
                                 results.spec.name, results.trials.size(), results.layouts, results.spec.strategy,
                                 results.spec.seed, results.front.size(), results.spec.objectives.size());
  text += why_empty(results);
  const report::TerminalOptions options{.columns = console.columns(), .colour = console.colour()};
  for (const AxisPair& axes : pairs)
    text += '\n' + report::to_terminal(app::frontier_figure(results, axes.x, axes.y), options);
  return text;
}

}  // namespace plait::cli
