#include <fmt/format.h>

#include "src/report/chart_parts.h"
#include "src/report/report.h"

namespace plait::report {
std::string to_csv(const ResultTable& table) {
  validate(table);
  std::string out = "id,name,layout,feasible,on_front";
  for (const search::Metric& metric : table.metrics) {
    out += ',' + csv_field(metric.name) + ',' + csv_field(metric.name + "_deviation") + ',' +
           csv_field(metric.name + "_source");
  }
  out += "\r\n";
  for (const ResultRow& row : table.rows) {
    out += csv_field(row.trial) + ',' + csv_field(row.name) + ',' + csv_field(row.layout) +
           (row.feasible ? ",true" : ",false") + (row.on_front ? ",true" : ",false");
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
