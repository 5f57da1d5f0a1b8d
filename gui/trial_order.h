#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "src/app/trial_table.h"

namespace plait::gui {

struct TrialSort {
  std::size_t column = SIZE_MAX;  ///< of the table; SIZE_MAX: in ask order
  bool descending = false;

  bool operator==(const TrialSort&) const = default;
};

/// Rows with `shown[row] != 0`, sorted; rows without a value come last whatever the direction, ties keep their order.
std::vector<std::uint32_t> sorted_rows(const app::TrialTable& table, std::span<const std::uint8_t> shown,
                                       TrialSort sort);

}  // namespace plait::gui
