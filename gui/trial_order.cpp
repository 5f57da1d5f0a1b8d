#include "gui/trial_order.h"

#include <algorithm>
#include <cmath>

namespace plait::gui {

std::vector<std::uint32_t> sorted_rows(const app::TrialTable& table, std::span<const std::uint8_t> shown,
                                       TrialSort sort) {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < table.size(); ++row) {
    if (shown[row] != 0) rows.push_back(row);
  }
  if (sort.column >= table.columns.size()) {
    if (sort.descending) std::ranges::reverse(rows);
    return rows;
  }
  const std::vector<double>& values = table.columns[sort.column].value;
  const auto unknown =
      std::ranges::stable_partition(rows, [&](std::uint32_t row) { return std::isfinite(values[row]); });
  std::stable_sort(rows.begin(), unknown.begin(), [&](std::uint32_t a, std::uint32_t b) {
    return sort.descending ? values[a] > values[b] : values[a] < values[b];
  });
  return rows;
}

}  // namespace plait::gui
