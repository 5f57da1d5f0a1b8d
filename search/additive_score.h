#pragma once

#include <cstdint>
#include <vector>

#include "search/trial.h"

namespace plait::search {

/// A score that the exact engine can search: a sum over slots (and optionally over neighbouring slots) whose terms may
/// depend on one counter, the number n of slots that hold a counted candidate in the finished layout:
///
///     score(c) = base(n) + sum_i slot(n, i, c_i) + sum_{i>0} pair(n, i, c_{i-1}, c_i),   n = sum_i counted(c_i)
///
/// Costs are plain sums (one table, nothing counted). The quality prior is such a score: its saturating curve in n is
/// the base, "per full layer, divided by sqrt(n)" is a slot term of the table for n.
struct AdditiveScore {
  struct Terms {
    double base = 0;
    std::vector<double> slot;  ///< [slots x candidates], row-major; all candidates of the space, legal there or not
    std::vector<double>
        pair;  ///< empty, or [slots x candidates x candidates] as (i, c_{i-1}, c_i); row i = 0 is unused
  };

  std::size_t slots = 0;
  std::size_t candidates = 0;
  std::vector<std::uint8_t> counted;  ///< per candidate 0 or 1; all 0 when `terms` has one entry
  std::vector<Terms> terms;           ///< one entry, or slots + 1 entries indexed by n

  /// Adds from the last slot to the first and the base at the end: the order in which the exact engine adds, so that
  /// the two agree to the bit.
  double evaluate(const Path& path) const;
};

}  // namespace plait::search
