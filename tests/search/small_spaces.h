#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "search/additive_score.h"
#include "search/random.h"
#include "search/search_space.h"

/// Small spaces and scores, and a plain checker of the rules that shares no code with the automata.
namespace plait::search::testing {

/// Candidates *, S, G, G2, G3, ...: full attention, a window, linear mixers; every slot takes all of them.
inline SearchSpace space_of(std::size_t slots, std::size_t candidates) {
  SearchSpace space;
  for (std::size_t c = 0; c < candidates; ++c) {
    if (c == 0) {
      space.candidates.push_back({"*", {spec::FullAttention{}}});
    } else if (c == 1) {
      space.candidates.push_back({"S", {spec::SlidingWindowAttention{}}});
    } else {
      spec::GatedDeltaNet linear;
      linear.heads = static_cast<spec::Dim>(c);
      space.candidates.push_back({c == 2 ? "G" : fmt::format("G{}", c - 1), {linear}});
    }
  }
  std::vector<std::uint16_t> all;
  for (std::size_t c = 0; c < candidates; ++c) all.push_back(static_cast<std::uint16_t>(c));
  space.slots.assign(slots, all);
  return space;
}

inline bool obeys(const SearchSpace& space, const Rule& rule, const Path& path) {
  const auto in = [&](const std::vector<std::string>& of, std::size_t slot) {
    return std::ranges::find(of, space.candidates[path[slot]].symbol) != of.end();
  };
  const std::size_t slots = path.size();
  if (const auto* r = std::get_if<CountRule>(&rule)) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < slots; ++i) count += in(r->of, i);
    return r->low <= count && count <= r->high;
  }
  if (const auto* r = std::get_if<NotAdjacentRule>(&rule)) {
    for (std::size_t i = 1; i < slots; ++i) {
      if (in(r->of, i - 1) && in(r->of, i)) return false;
    }
    return true;
  }
  if (const auto* r = std::get_if<NotAtEndRule>(&rule)) return !in(r->of, r->first ? 0 : slots - 1);
  if (const auto* r = std::get_if<MaxGapRule>(&rule)) {
    for (std::size_t begin = 0; begin + r->high < slots; ++begin) {  // every window of high + 1 slots has one
      bool any = false;
      for (std::size_t i = begin; i <= begin + r->high; ++i) any = any || in(r->of, i);
      if (!any) return false;
    }
    return true;
  }
  if (const auto* r = std::get_if<DistinctRule>(&rule)) {
    std::set<std::uint16_t> used;
    for (std::size_t i = 0; i < slots; ++i) {
      if (in(r->of, i)) used.insert(path[i]);
    }
    return used.size() <= r->high;
  }
  const std::size_t period = std::get<PeriodRule>(rule).period;
  for (std::size_t i = period; i < slots; ++i) {
    if (path[i] != path[i - period]) return false;
  }
  return true;
}

inline bool legal(const SearchSpace& space, const Path& path) {
  if (!space.listed.empty() &&
      std::ranges::find(space.listed, path, &SearchSpace::Listed::path) == space.listed.end()) {
    return false;
  }
  return std::ranges::all_of(space.rules, [&](const Rule& rule) { return obeys(space, rule, path); });
}

/// Every legal layout in lexicographic order, by trying all.
inline std::vector<Path> brute_force(const SearchSpace& space) {
  std::vector<Path> paths{{}};
  for (const std::vector<std::uint16_t>& choices : space.slots) {
    std::vector<Path> longer;
    for (const Path& path : paths) {
      for (const std::uint16_t c : std::set<std::uint16_t>(choices.begin(), choices.end())) {
        longer.push_back(path);
        longer.back().push_back(c);
      }
    }
    paths = std::move(longer);
  }
  std::erase_if(paths, [&](const Path& path) { return !legal(space, path); });
  return paths;
}

/// Random numbers for instances that follow from one seed.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t bound) { return draw_below(random_, bound); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  int integer(int low, int high) { return low + static_cast<int>(below(static_cast<std::size_t>(high - low + 1))); }
  double unit() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  template <class T>
  const T& of(const std::vector<T>& choices) {
    return choices[below(choices.size())];
  }

 private:
  std::mt19937_64 random_;
};

inline std::vector<std::string> random_symbols(const SearchSpace& space, Dice& dice) {
  std::vector<std::string> of;
  for (const Candidate& candidate : space.candidates) {
    if (dice.one_in(2)) of.push_back(candidate.symbol);
  }
  if (of.empty()) of.push_back(space.candidates[dice.below(space.candidates.size())].symbol);
  return of;
}

inline Rule random_rule(const SearchSpace& space, Dice& dice) {
  const std::vector<std::string> of = random_symbols(space, dice);
  const std::size_t slots = space.size();
  switch (dice.below(6)) {
    case 0: {
      const std::size_t low = dice.below(slots);
      return CountRule{of, dice.one_in(2) ? 0 : low, dice.one_in(3) ? SIZE_MAX : low + dice.below(slots)};
    }
    case 1: return NotAdjacentRule{of};
    case 2: return NotAtEndRule{of, dice.one_in(2)};
    case 3: return MaxGapRule{of, dice.below(slots + 1)};
    case 4: return DistinctRule{of, 1 + dice.below(2)};
    default: return PeriodRule{1 + dice.below(slots)};
  }
}

/// Up to 5 slots, 4 candidates and 3 rules; sometimes narrowed slots or a list. May have no legal layout.
inline SearchSpace random_space(Dice& dice) {
  SearchSpace space = space_of(1 + dice.below(5), 1 + dice.below(4));
  for (auto& slot : space.slots) {
    if (dice.one_in(4)) slot.erase(slot.begin() + static_cast<std::ptrdiff_t>(dice.below(slot.size())));
    if (slot.empty()) slot.push_back(0);
  }
  if (dice.one_in(5)) {
    for (std::size_t k = 0; k < 6; ++k) {
      Path path;
      for (const auto& slot : space.slots) path.push_back(dice.of(slot));
      space.listed.push_back({fmt::format("layout {}", k), path});
    }
  }
  for (std::size_t rules = dice.below(4); rules > 0; --rules) space.rules.push_back(random_rule(space, dice));
  return space;
}

struct ScoreKind {
  bool counter = false;  ///< one table per n
  bool pairs = false;
  bool integers = true;  ///< small integers (exact sums, many ties) or reals
};

/// `counted` is taken for scores with a counter.
inline AdditiveScore random_score(std::size_t slots, std::size_t candidates, const std::vector<std::uint8_t>& counted,
                                  ScoreKind kind, Dice& dice) {
  AdditiveScore score{slots, candidates, counted, {}};
  if (!kind.counter) score.counted.assign(candidates, 0);
  const auto value = [&] { return kind.integers ? dice.integer(-4, 4) : dice.unit() - .3; };
  for (std::size_t n = 0; n <= (kind.counter ? slots : 0); ++n) {
    AdditiveScore::Terms terms;
    terms.base = value();
    for (std::size_t k = 0; k < slots * candidates; ++k) terms.slot.push_back(value());
    for (std::size_t k = 0; kind.pairs && k < slots * candidates * candidates; ++k) terms.pair.push_back(value());
    score.terms.push_back(std::move(terms));
  }
  return score;
}

}  // namespace plait::search::testing
