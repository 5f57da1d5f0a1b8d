#include "search/search_space.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace plait::search {

namespace {

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

std::string joined(const std::vector<std::string>& symbols) { return fmt::format("{}", fmt::join(symbols, ", ")); }

void validate_rule(const SearchSpace& space, const std::vector<std::string>& symbols, const Rule& rule,
                   const std::string& path, spec::Problems& problems) {
  const auto check_of = [&](const std::vector<std::string>& of) {
    const std::string of_path = spec::join_path(path, "of");
    if (of.empty()) problems.add(of_path, "names no candidate");
    for (std::size_t i = 0; i < of.size(); ++i) {
      if (space.find(of[i])) continue;
      const std::string close = spec::closest_name(of[i], symbols);
      problems.add(spec::index_path(of_path, i),
                   fmt::format("unknown candidate \"{}\"; {}", of[i],
                               close.empty() ? fmt::format("the space has {}", spec::quoted_list(symbols))
                                             : fmt::format("did you mean \"{}\"?", close)));
    }
  };
  std::visit(Overloaded{[&](const CountRule& r) {
                          check_of(r.of);
                          if (r.low > r.high) {
                            problems.add(path, fmt::format("low {} is above high {}", r.low, r.high));
                          }
                        },
                        [&](const PeriodRule& r) {
                          if (r.period == 0 || (!space.slots.empty() && r.period > space.size())) {
                            problems.add(spec::join_path(path, "period"),
                                         fmt::format("is {}; a space of {} slots takes 1 to {}", r.period, space.size(),
                                                     space.size()));
                          }
                        },
                        [&](const auto& r) { check_of(r.of); }},
             rule);
}

}  // namespace

std::string describe(const Rule& rule) {
  return std::visit(
      Overloaded{
          [](const CountRule& r) {
            if (r.low == r.high) return fmt::format("exactly {} of {}", r.low, joined(r.of));
            if (r.high == SIZE_MAX) return fmt::format("at least {} of {}", r.low, joined(r.of));
            if (r.low == 0) return fmt::format("at most {} of {}", r.high, joined(r.of));
            return fmt::format("{} to {} of {}", r.low, r.high, joined(r.of));
          },
          [](const NotAdjacentRule& r) { return fmt::format("no two adjacent layers of {}", joined(r.of)); },
          [](const NotAtEndRule& r) {
            return fmt::format("none of {} in the {} slot", joined(r.of), r.first ? "first" : "last");
          },
          [](const MaxGapRule& r) { return fmt::format("at most {} slots in a row without {}", r.high, joined(r.of)); },
          [](const DistinctRule& r) { return fmt::format("at most {} different of {}", r.high, joined(r.of)); },
          [](const PeriodRule& r) { return fmt::format("every slot repeats the one {} before", r.period); }},
      rule);
}

spec::Layout SearchSpace::layout(const Path& path) const {
  spec::Layout layout;
  layout.layers.reserve(path.size());
  for (const std::uint16_t c : path) layout.layers.push_back(candidates.at(c).layer);
  return layout;
}

std::optional<Path> SearchSpace::path(const spec::Layout& layout) const {
  if (layout.size() != size()) return std::nullopt;
  Path path;
  for (std::size_t i = 0; i < size(); ++i) {
    const auto found =
        std::ranges::find_if(slots[i], [&](std::uint16_t c) { return candidates[c].layer == layout.layers[i]; });
    if (found == slots[i].end()) return std::nullopt;
    path.push_back(*found);
  }
  return path;
}

std::optional<std::uint16_t> SearchSpace::find(std::string_view symbol) const {
  const auto found = std::ranges::find(candidates, symbol, &Candidate::symbol);
  if (found == candidates.end()) return std::nullopt;
  return static_cast<std::uint16_t>(found - candidates.begin());
}

spec::Palette SearchSpace::palette(spec::Palette base) const {
  for (const Candidate& candidate : candidates) base.mixers[candidate.symbol] = candidate.layer.mixer;
  return base;
}

void validate(const SearchSpace& space, const std::string& path, spec::Problems& problems) {
  std::vector<std::string> symbols;
  const std::string candidates_path = spec::join_path(path, "candidates");
  if (space.candidates.empty()) problems.add(candidates_path, "is empty");
  if (space.candidates.size() > UINT16_MAX) {
    problems.add(candidates_path, fmt::format("has {} entries; at most {}", space.candidates.size(), UINT16_MAX));
  }
  for (std::size_t i = 0; i < space.candidates.size(); ++i) {
    const std::string& symbol = space.candidates[i].symbol;
    if (std::ranges::find(symbols, symbol) != symbols.end()) {
      problems.add(spec::index_path(candidates_path, i), fmt::format("the symbol \"{}\" is taken", symbol));
    }
    symbols.push_back(symbol);
  }

  const std::string slots_path = spec::join_path(path, "slots");
  if (space.slots.empty()) problems.add(slots_path, "is empty");
  for (std::size_t i = 0; i < space.size(); ++i) {
    const std::string slot_path = spec::index_path(slots_path, i);
    if (space.slots[i].empty()) problems.add(slot_path, "has no candidate");
    for (const std::uint16_t c : space.slots[i]) {
      if (c >= space.candidates.size()) {
        problems.add(slot_path, fmt::format("candidate {} of {}", c, space.candidates.size()));
      }
    }
  }

  const std::string rules_path = spec::join_path(path, "rules");
  for (std::size_t i = 0; i < space.rules.size(); ++i) {
    validate_rule(space, symbols, space.rules[i], spec::index_path(rules_path, i), problems);
  }

  const std::string listed_path = spec::join_path(path, "listed");
  for (std::size_t i = 0; i < space.listed.size(); ++i) {
    const Path& listed = space.listed[i].path;
    const std::string item = spec::index_path(listed_path, i);
    if (listed.size() != space.size()) {
      problems.add(item, fmt::format("has {} layers; the space has {} slots", listed.size(), space.size()));
      continue;
    }
    for (std::size_t slot = 0; slot < listed.size(); ++slot) {
      if (std::ranges::find(space.slots[slot], listed[slot]) == space.slots[slot].end()) {
        problems.add(item, fmt::format("its layer {} is no candidate of that slot", slot));
      }
    }
  }
}

}  // namespace plait::search
