#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "search/additive_score.h"
#include "search/exact_front.h"
#include "search/layout_graph.h"

/// Shared by the exact and the hull front: the layout graph flattened for dynamic programming over slots.
namespace plait::search {

/// Choices between boundaries: boundary i lies before slot i, boundary `slots()` behind the last slot. A class of a
/// boundary is all that the rest of a layout may depend on: the rule state and, `by_candidate`, the candidate before
/// the boundary (for scores with pair terms).
class Chain {
 public:
  struct Arc {
    std::uint16_t candidate;
    bool counted;
    std::uint32_t next;  ///< class of the next boundary
  };

  /// `counted` per candidate; empty when nothing depends on the counter.
  Chain(const LayoutGraph& graph, bool by_candidate, std::span<const std::uint8_t> counted);

  std::size_t slots() const { return boundaries_.size() - 1; }
  std::size_t classes(std::size_t boundary) const { return boundaries_[boundary].last.size(); }
  /// Ascending by candidate.
  std::span<const Arc> arcs(std::size_t boundary, std::size_t cls) const {
    const Boundary& b = boundaries_[boundary];
    return std::span(b.arcs).subspan(b.begin[cls], b.begin[cls + 1] - b.begin[cls]);
  }
  /// The candidate before the boundary; meaningless without `by_candidate` and at boundary 0.
  std::uint16_t last(std::size_t boundary, std::size_t cls) const { return boundaries_[boundary].last[cls]; }
  /// Values that the counter can have: slots + 1, or 1 when nothing is counted.
  std::size_t counts() const { return counts_; }
  /// Is there a way from the start to the class with `count` counted candidates on it?
  bool reaches(std::size_t boundary, std::size_t cls, std::size_t count) const {
    return boundaries_[boundary].reached[cls * counts_ + count];
  }
  /// Legal numbers of counted candidates in a whole layout, ascending.
  std::vector<std::size_t> totals() const;

 private:
  struct Boundary {
    std::vector<std::size_t> begin;
    std::vector<Arc> arcs;
    std::vector<std::uint16_t> last;
    std::vector<bool> reached;
  };
  std::vector<Boundary> boundaries_;
  std::size_t counts_ = 1;
};

/// What the scores have in common. Throws std::logic_error when they do not fit the graph or count different
/// candidates.
struct ScoreShape {
  std::size_t candidates = 0;
  bool pairs = false;                 ///< any pair terms
  std::vector<std::uint8_t> counted;  ///< empty: no score depends on a counter
};
ScoreShape shape_of(const LayoutGraph& graph, std::span<const AdditiveObjective> objectives);

/// Splits `totals` into groups of n for which all slot and pair terms are equal (bases may differ): one pass of dynamic
/// programming serves a group.
std::vector<std::vector<std::size_t>> groups_of_equal_terms(std::span<const AdditiveObjective> objectives,
                                                            const std::vector<std::size_t>& totals);

/// The terms of a score for n counted candidates.
inline const AdditiveScore::Terms& terms_for(const AdditiveScore& score, std::size_t n) {
  return score.terms[score.terms.size() == 1 ? 0 : n];
}

/// What candidate `c` at `slot` after candidate `last` adds; the same sum as in AdditiveScore::evaluate.
inline double term(const AdditiveScore& score, const AdditiveScore::Terms& terms, std::size_t slot, std::size_t last,
                   std::size_t c) {
  double value = terms.slot[slot * score.candidates + c];
  if (slot > 0 && !terms.pair.empty()) value += terms.pair[(slot * score.candidates + last) * score.candidates + c];
  return value;
}

inline bool within(const AdditiveObjective& objective, double value) {
  return (!objective.low || value >= *objective.low) && (!objective.high || value <= *objective.high);
}

/// Drops what another point dominates in the traded objectives; of equal points the lexicographically smallest path
/// stays. Sorts by the first objective, best last, then by the next ones.
std::vector<FrontPoint> only_best(std::vector<FrontPoint> points, std::span<const AdditiveObjective> objectives);

}  // namespace plait::search
