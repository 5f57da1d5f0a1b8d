#include <fmt/format.h>

#include "src/report/report.h"

namespace plait::report {
namespace {

/// RFC 4180, section 2: fields with a comma, a quote or a line break are quoted, quotes are doubled.
std::string field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

}  // namespace

std::string to_csv(const ResultTable& table) {
  validate(table);
  std::string out = "id,name,layout,feasible,on_front";
  for (const search::Metric& metric : table.metrics) {
    out += ',' + field(metric.name) + ',' + field(metric.name + "_deviation") + ',' + field(metric.name + "_source");
  }
  out += "\r\n";
  for (const ResultRow& row : table.rows) {
    out += field(row.trial) + ',' + field(row.name) + ',' + field(row.layout) + (row.feasible ? ",true" : ",false") +
           (row.on_front ? ",true" : ",false");
    for (const search::Metric& metric : table.metrics) {
      const auto score = row.scores.find(metric.name);
      if (score == row.scores.end()) {
        out += ",,,";
        continue;
      }
      const search::Value& value = score->second;
      out += fmt::format(",{},{},{}", value.value, value.deviation ? fmt::format("{}", *value.deviation) : "",
                         name_of(value.source));
    }
    out += "\r\n";
  }
  return out;
}

}  // namespace plait::report
