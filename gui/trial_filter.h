#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/app/trial_table.h"

namespace plait::gui {

/// A filter as a person types it: words separated by spaces, all of which must hold. `recall>0.5`, `kv_cache_bytes<=2G`
/// (K, M, G, T are powers of 1024 for bytes and of 1000 for all else; with m and u seconds: `decode_step_s<20m`),
/// `front`, `feasible`, `baseline`, their opposites with `!` in front; anything else is looked for in id, name and
/// layout.
struct TrialFilter {
  struct Bound {
    std::string metric;
    enum class Relation { less, less_equal, greater, greater_equal, equal } relation{};
    double value = 0;
  };
  enum class Flag { front, feasible, baseline };

  std::vector<Bound> bounds;
  std::vector<std::pair<Flag, bool>> flags;  ///< wanted or not
  std::vector<std::string> words;            ///< lower case
  std::string problem;                       ///< what is wrong, in words; nothing is filtered then

  bool empty() const { return bounds.empty() && flags.empty() && words.empty(); }
};

TrialFilter parse_filter(std::string_view text, const std::vector<search::Metric>& metrics);

/// Per row of the table, 1 where the filter holds.
std::vector<std::uint8_t> matches(const TrialFilter& filter, const app::StudyResults& results,
                                  const app::TrialTable& table);

}  // namespace plait::gui
