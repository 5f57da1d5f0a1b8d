#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "search/trial.h"
#include "src/spec/error.h"
#include "src/spec/layout.h"
#include "src/spec/notation.h"

namespace plait::search {

/// One choice for a slot: a layer and the symbol that notation, rules and reports call it by.
struct Candidate {
  std::string symbol;  ///< unique within the space: "G", "*", "S2"
  spec::LayerSpec layer;
};

// Rules. Sets of candidates are given as symbols; each rule is checked along a path by a small automaton.

/// low <= number of slots that hold one of `of` <= high.
struct CountRule {
  std::vector<std::string> of;
  std::size_t low = 0;
  std::size_t high = SIZE_MAX;
};
/// No two neighbouring slots hold one of `of`.
struct NotAdjacentRule {
  std::vector<std::string> of;
};
/// None of `of` in the first (`first`) or last slot.
struct NotAtEndRule {
  std::vector<std::string> of;
  bool first = true;
};
/// At most `high` neighbouring slots in a row outside `of`: "a full layer at least every high + 1".
struct MaxGapRule {
  std::vector<std::string> of;
  std::size_t high = 0;
};
/// At most `high` different candidates out of `of` in one layout: most trainers take one linear mixer per model.
struct DistinctRule {
  std::vector<std::string> of;
  std::size_t high = 1;
};
/// Slot i holds the same candidate as slot i - period.
struct PeriodRule {
  std::size_t period = 1;
};
using Rule = std::variant<CountRule, NotAdjacentRule, NotAtEndRule, MaxGapRule, DistinctRule, PeriodRule>;

/// One line a person reads: `at most 6 of *`.
std::string describe(const Rule& rule);

/// Candidates per slot plus rules; or an explicit list of layouts (`listed`), which is then the whole space.
struct SearchSpace {
  struct Listed {
    std::string name;
    Path path;
  };

  std::vector<Candidate> candidates;
  std::vector<std::vector<std::uint16_t>> slots;  ///< per slot the indices of the candidates allowed there
  std::vector<Rule> rules;
  std::vector<Listed> listed;  ///< when not empty, only these paths are legal

  std::size_t size() const { return slots.size(); }
  spec::Layout layout(const Path& path) const;
  /// The path of a layout, or nothing when a layer is no candidate of its slot. Says nothing about rules.
  std::optional<Path> path(const spec::Layout& layout) const;
  std::optional<std::uint16_t> find(std::string_view symbol) const;
  spec::Palette palette(spec::Palette base) const;  ///< `base` with the candidates' symbols
};

/// Adds what is wrong: no slots, empty slots, unknown symbols in rules, periods longer than the space, listed paths of
/// the wrong length. Paths are located below `path` (`space.rules[2].of[0]`).
void validate(const SearchSpace& space, const std::string& path, spec::Problems& problems);

}  // namespace plait::search
