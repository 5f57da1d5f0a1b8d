#include "src/report/result_table.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <set>

#include "src/report/number_format.h"
#include "src/spec/error.h"

namespace plait::report {
namespace {

const search::Metric& require_metric(const ResultTable& table, std::string_view name, const std::string& path) {
  const auto at = std::ranges::find(table.metrics, name, &search::Metric::name);
  if (at != table.metrics.end()) return *at;
  std::vector<std::string> names;
  for (const search::Metric& metric : table.metrics) names.push_back(metric.name);
  throw spec::SpecError(path, "unknown metric \"" + std::string(name) + "\"; one of " + spec::quoted_list(names));
}

}  // namespace

void validate(const ResultTable& table) {
  spec::Problems problems;
  std::set<std::string_view> names;
  for (std::size_t m = 0; m < table.metrics.size(); ++m) {
    if (!names.insert(table.metrics[m].name).second) {
      problems.add(spec::index_path("metrics", m), "\"" + table.metrics[m].name + "\" is there twice");
    }
  }
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    for (const auto& [name, value] : table.rows[r].scores) {
      const std::string path = spec::join_path(spec::index_path("rows", r), name);
      if (!std::isfinite(value.value)) problems.add(path, "the value is not a finite number");
      if (value.deviation && !(std::isfinite(*value.deviation) && *value.deviation >= 0)) {
        problems.add(path, "the deviation is not a finite number of at least 0");
      }
    }
  }
  problems.throw_if_any();
}

std::string metric_label(const search::Metric& metric) {
  static constexpr std::array<std::string_view, 6> kUnitSuffixes = {"_bytes", "_flops", "_s",
                                                                    "_j",     "_w",     "_parameters"};
  static constexpr std::array<std::string_view, 7> kAcronyms = {"kv", "lm", "mqar", "niah", "mla", "gpu", "cpu"};
  std::string_view name = metric.name;
  for (const std::string_view suffix : kUnitSuffixes) {
    if (name.size() > suffix.size() && name.ends_with(suffix)) {
      name.remove_suffix(suffix.size());
      break;
    }
  }
  const auto upper = [](char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); };
  std::string label;
  while (!name.empty()) {
    const std::string_view word = name.substr(0, name.find('_'));
    name.remove_prefix(std::min(name.size(), word.size() + 1));
    if (word.empty()) continue;
    if (!label.empty()) label += ' ';
    const std::size_t start = label.size();
    label += word;
    if (std::ranges::find(kAcronyms, word) != kAcronyms.end())
      std::transform(&label[start], &label[start] + word.size(), &label[start], upper);
  }
  if (!label.empty()) label.front() = upper(label.front());
  return label;
}

Figure make_figure(const ResultTable& table, std::string_view x_metric, std::string_view y_metric) {
  validate(table);
  const search::Metric& x = require_metric(table, x_metric, "x");
  const search::Metric& y = require_metric(table, y_metric, "y");
  Figure figure;
  figure.title = metric_label(y) + " vs " + metric_label(x);
  figure.x = {metric_label(x), x.unit, x.direction};
  figure.y = {metric_label(y), y.unit, y.direction};
  for (const ResultRow& row : table.rows) {
    const auto x_score = row.scores.find(x_metric), y_score = row.scores.find(y_metric);
    if (x_score == row.scores.end() || y_score == row.scores.end()) continue;
    FigurePoint point{.trial = row.trial,
                      .name = row.name,
                      .layout = row.layout,
                      .letters = row.letters,
                      .x = x_score->second.value,
                      .y = y_score->second.value,
                      .x_deviation = x_score->second.deviation,
                      .y_deviation = y_score->second.deviation,
                      .source = y_score->second.source,
                      .on_front = row.on_front,
                      .feasible = row.feasible,
                      .is_baseline = row.is_baseline};
    for (const search::Metric& metric : table.metrics) {
      const auto score = row.scores.find(metric.name);
      if (metric.name == x_metric || metric.name == y_metric || score == row.scores.end()) continue;
      std::string text = format_value(score->second.value, score->second.deviation, metric.unit);
      const bool marks = score->second.source == search::Source::measured && point.source != search::Source::measured &&
                         (figure.measured_label.empty() || figure.measured_label == metric_label(metric));
      if (marks) {
        figure.measured_label = metric_label(metric);
        point.measured = text;
      }
      point.details.push_back({metric_label(metric), std::move(text)});
    }
    figure.points.push_back(std::move(point));
  }
  figure.mixers = mixer_legend(figure.points);
  return figure;
}

}  // namespace plait::report
