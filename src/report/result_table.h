#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "search/objective.h"
#include "src/report/figure.h"

namespace plait::report {

/// One trial with everything that was measured or computed about it.
struct ResultRow {
  std::string trial;
  std::string name;
  std::string layout;   ///< notation
  std::string letters;  ///< one character per layer
  bool on_front = false;
  bool feasible = true;
  bool is_baseline = false;
  search::Scores scores{};  ///< a metric without an entry was not evaluated
};

/// The results of a study: the input of the CSV and HTML writers, and of figures over any two of its metrics.
struct ResultTable {
  std::vector<search::Metric> metrics;  ///< names are unique; the order of columns
  std::vector<ResultRow> rows;
};

/// Throws SpecError for duplicate metric names and for values or deviations that are not finite.
void validate(const ResultTable& table);

/// A metric's name as a person reads it, without its unit: kv_cache_bytes -> "KV cache", decode_step_s -> "Decode
/// step".
std::string metric_label(const search::Metric& metric);

/// A figure over two metrics, of the rows that have both; the other scores become details. Takes `on_front` from the
/// rows. Points whose y is not measured but that have a measured score beside it are marked with the first such metric.
/// Throws SpecError at "x" or "y" for a metric that the table does not have.
Figure make_figure(const ResultTable& table, std::string_view x_metric, std::string_view y_metric);

}  // namespace plait::report
