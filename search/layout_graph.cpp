#include "search/layout_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <boost/container_hash/hash.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <unordered_map>

#include "search/random.h"

namespace plait::search {

namespace {

constexpr std::size_t kMaxTransitions = std::size_t{1} << 20;
constexpr std::size_t kMaxStateWords = std::size_t{1} << 24;  // of all states of one boundary
constexpr std::size_t kMaxEdges = std::size_t{1} << 25;

/// A space that does not fit into the limits above.
struct TooLarge {
  std::string_view what;
  std::size_t limit;
};

/// Which candidates a rule speaks of: `position[c]` is the place of candidate c in the rule's set, or nothing.
using Members = std::vector<std::optional<std::uint32_t>>;

Members members_of(const SearchSpace& space, const std::vector<std::string>& symbols) {
  Members members(space.candidates.size());
  std::uint32_t next = 0;
  for (const std::string& symbol : symbols) {
    const auto c = space.find(symbol);
    if (c && !members[*c]) members[*c] = next++;
  }
  return members;
}

/// The words that one automaton owns inside the product state.
using Words = std::uint32_t*;

/// Checks one rule along a path. `step` updates the words for the candidate at a slot and says whether the path is
/// still legal; `accept` looks at the words after the last slot.
class Automaton {
 public:
  virtual ~Automaton() = default;
  virtual std::size_t words() const = 0;
  virtual bool step(Words state, std::size_t slot, std::uint16_t candidate) const = 0;
  virtual bool accept(const std::uint32_t*) const { return true; }
};

class CountAutomaton : public Automaton {
 public:
  CountAutomaton(const SearchSpace& space, const CountRule& rule)
      : members_(members_of(space, rule.of)), low_(std::min(rule.low, space.size() + 1)), high_(rule.high) {
    cap_ = high_ >= space.size() ? low_ : high_ + 1;  // without a binding upper bound, "enough" is one state
  }
  std::size_t words() const override { return 1; }
  bool step(Words state, std::size_t, std::uint16_t candidate) const override {
    if (members_[candidate] && *state < cap_) ++*state;
    return *state <= high_;
  }
  bool accept(const std::uint32_t* state) const override { return *state >= low_; }

 private:
  Members members_;
  std::size_t low_, high_, cap_;
};

class NotAdjacentAutomaton : public Automaton {
 public:
  NotAdjacentAutomaton(const SearchSpace& space, const NotAdjacentRule& rule) : members_(members_of(space, rule.of)) {}
  std::size_t words() const override { return 1; }
  bool step(Words state, std::size_t, std::uint16_t candidate) const override {
    const std::uint32_t inside = members_[candidate] ? 1 : 0;
    const bool legal = !(*state && inside);
    *state = inside;
    return legal;
  }

 private:
  Members members_;
};

class NotAtEndAutomaton : public Automaton {
 public:
  NotAtEndAutomaton(const SearchSpace& space, const NotAtEndRule& rule)
      : members_(members_of(space, rule.of)), slot_(rule.first ? 0 : space.size() - 1) {}
  std::size_t words() const override { return 0; }
  bool step(Words, std::size_t slot, std::uint16_t candidate) const override {
    return slot != slot_ || !members_[candidate];
  }

 private:
  Members members_;
  std::size_t slot_;
};

class MaxGapAutomaton : public Automaton {
 public:
  MaxGapAutomaton(const SearchSpace& space, const MaxGapRule& rule)
      : members_(members_of(space, rule.of)), high_(rule.high) {}
  std::size_t words() const override { return 1; }
  bool step(Words state, std::size_t, std::uint16_t candidate) const override {
    *state = members_[candidate] ? 0 : *state + 1;
    return *state <= high_;
  }

 private:
  Members members_;
  std::size_t high_;
};

class DistinctAutomaton : public Automaton {
 public:
  DistinctAutomaton(const SearchSpace& space, const DistinctRule& rule)
      : members_(members_of(space, rule.of)), high_(rule.high) {}
  std::size_t words() const override { return (members_.size() + 31) / 32; }
  bool step(Words state, std::size_t, std::uint16_t candidate) const override {
    if (const auto position = members_[candidate]) state[*position / 32] |= std::uint32_t{1} << (*position % 32);
    std::size_t used = 0;
    for (std::size_t w = 0; w < words(); ++w) used += static_cast<std::size_t>(std::popcount(state[w]));
    return used <= high_;
  }

 private:
  Members members_;
  std::size_t high_;
};

class PeriodAutomaton : public Automaton {
 public:
  explicit PeriodAutomaton(const PeriodRule& rule) : period_(rule.period) {}
  std::size_t words() const override { return period_; }
  bool step(Words state, std::size_t slot, std::uint16_t candidate) const override {
    if (slot >= period_) return state[slot % period_] == candidate;
    state[slot] = candidate;
    return true;
  }

 private:
  std::size_t period_;
};

/// Follows the tree of the listed paths.
class ListedAutomaton : public Automaton {
 public:
  explicit ListedAutomaton(const std::vector<SearchSpace::Listed>& listed) : children_(1) {
    for (const auto& [name, path] : listed) {
      std::uint32_t node = 0;
      for (const std::uint16_t c : path) {
        const auto [child, fresh] = children_[node].try_emplace(c, static_cast<std::uint32_t>(children_.size()));
        node = child->second;
        if (fresh) children_.emplace_back();
      }
    }
  }
  std::size_t words() const override { return 1; }
  bool step(Words state, std::size_t, std::uint16_t candidate) const override {
    const auto child = children_[*state].find(candidate);
    if (child == children_[*state].end()) return false;
    *state = child->second;
    return true;
  }

 private:
  std::vector<std::map<std::uint16_t, std::uint32_t>> children_;
};

std::unique_ptr<Automaton> make_automaton(const SearchSpace& space, const Rule& rule) {
  struct Make {
    const SearchSpace& space;
    std::unique_ptr<Automaton> operator()(const CountRule& r) { return std::make_unique<CountAutomaton>(space, r); }
    std::unique_ptr<Automaton> operator()(const NotAdjacentRule& r) {
      return std::make_unique<NotAdjacentAutomaton>(space, r);
    }
    std::unique_ptr<Automaton> operator()(const NotAtEndRule& r) {
      return std::make_unique<NotAtEndAutomaton>(space, r);
    }
    std::unique_ptr<Automaton> operator()(const MaxGapRule& r) { return std::make_unique<MaxGapAutomaton>(space, r); }
    std::unique_ptr<Automaton> operator()(const DistinctRule& r) {
      return std::make_unique<DistinctAutomaton>(space, r);
    }
    std::unique_ptr<Automaton> operator()(const PeriodRule& r) { return std::make_unique<PeriodAutomaton>(r); }
  };
  return std::visit(Make{space}, rule);
}

struct Arc {
  std::uint16_t candidate;
  std::uint32_t next;

  bool operator==(const Arc&) const = default;
};
std::size_t hash_value(const Arc& arc) {
  std::size_t seed = arc.candidate;
  boost::hash_combine(seed, arc.next);
  return seed;
}

/// A deterministic automaton whose states are numbered per boundary: boundary i lies before slot i, boundary `slots`
/// behind the last one. `arcs[i][s]` leave state s of boundary i in ascending order of the candidate.
using Arcs = std::vector<std::vector<std::vector<Arc>>>;

/// All states that can be reached, and which of them are legal ends. Throws TooLarge.
struct Reachable {
  Arcs arcs;
  std::vector<bool> accepted;  // states of the last boundary
};

Reachable explore(const SearchSpace& space, const std::vector<std::size_t>& rules) {
  std::vector<std::unique_ptr<Automaton>> automata;
  for (const std::size_t r : rules) automata.push_back(make_automaton(space, space.rules[r]));
  if (!space.listed.empty()) automata.push_back(std::make_unique<ListedAutomaton>(space.listed));
  std::size_t words = 0;
  for (const auto& automaton : automata) words += automaton->words();

  using State = std::vector<std::uint32_t>;
  std::vector<State> states{State(words, 0)};
  Reachable result;
  std::size_t transitions = 0;
  for (std::size_t slot = 0; slot < space.size(); ++slot) {
    std::vector<std::uint16_t> choices = space.slots[slot];
    std::ranges::sort(choices);
    choices.erase(std::unique(choices.begin(), choices.end()), choices.end());

    std::unordered_map<State, std::uint32_t, boost::hash<State>> index;
    std::vector<State> next_states;
    auto& arcs = result.arcs.emplace_back(states.size());
    for (std::size_t s = 0; s < states.size(); ++s) {
      for (const std::uint16_t c : choices) {
        State next = states[s];
        Words part = next.data();
        const bool legal = std::ranges::all_of(automata, [&](const auto& automaton) {
          const bool ok = automaton->step(part, slot, c);
          part += automaton->words();
          return ok;
        });
        if (!legal) continue;
        if (++transitions > kMaxTransitions) throw TooLarge{"transitions", kMaxTransitions};
        const auto [entry, fresh] = index.try_emplace(next, static_cast<std::uint32_t>(next_states.size()));
        if (fresh) next_states.push_back(std::move(next));
        if (next_states.size() * words > kMaxStateWords) throw TooLarge{"words of memory", kMaxStateWords};
        arcs[s].push_back({c, entry->second});
      }
    }
    states = std::move(next_states);
  }
  for (const State& state : states) {
    const std::uint32_t* part = state.data();
    result.accepted.push_back(std::ranges::all_of(automata, [&](const auto& automaton) {
      const bool ok = automaton->accept(part);
      part += automaton->words();
      return ok;
    }));
  }
  return result;
}

bool any_legal(const Reachable& reachable) { return std::ranges::count(reachable.accepted, true) > 0; }

/// Drops the states from which no legal end can be reached and merges those with the same continuations, from the last
/// boundary to the first. Expects at least one legal end.
Arcs reduce(const Reachable& reachable) {
  constexpr std::uint32_t kDead = UINT32_MAX;
  std::vector<std::uint32_t> merged(reachable.accepted.size());
  for (std::size_t s = 0; s < merged.size(); ++s) merged[s] = reachable.accepted[s] ? 0 : kDead;

  Arcs arcs(reachable.arcs.size());
  for (std::size_t i = arcs.size(); i-- > 0;) {
    std::unordered_map<std::vector<Arc>, std::uint32_t, boost::hash<std::vector<Arc>>> index;
    std::vector<std::uint32_t> merged_here;
    for (std::vector<Arc> out : reachable.arcs[i]) {
      std::erase_if(out, [&](const Arc& arc) { return merged[arc.next] == kDead; });
      for (Arc& arc : out) arc.next = merged[arc.next];
      if (out.empty()) {
        merged_here.push_back(kDead);
        continue;
      }
      const auto [entry, fresh] = index.try_emplace(out, static_cast<std::uint32_t>(arcs[i].size()));
      if (fresh) arcs[i].push_back(std::move(out));
      merged_here.push_back(entry->second);
    }
    merged = std::move(merged_here);
  }
  return arcs;
}

/// A vertex per arc target of a slot, an edge per vertex and arc behind it.
std::size_t edges_of(const Arcs& arcs) {
  std::size_t edges = 0;
  std::vector<std::size_t> vertices{1};  // per state before the slot
  for (std::size_t slot = 0; slot < arcs.size(); ++slot) {
    std::set<std::pair<std::uint32_t, std::uint16_t>> targets;
    for (std::size_t s = 0; s < arcs[slot].size(); ++s) {
      edges += vertices[s] * arcs[slot][s].size();
      for (const Arc& arc : arcs[slot][s]) targets.emplace(arc.next, arc.candidate);
    }
    vertices.assign(slot + 1 < arcs.size() ? arcs[slot + 1].size() : 1, 0);
    for (const auto& [state, candidate] : targets) ++vertices[state];
  }
  return edges;
}

NoLegalLayout explain(const SearchSpace& space) {
  const auto legal_under = [&](const std::vector<std::size_t>& rules) {
    try {
      return any_legal(explore(space, rules));
    } catch (const TooLarge&) {
      return true;  // cannot tell: the rule that was left out stays in the explanation
    }
  };
  for (std::size_t i = 0; i < space.size(); ++i) {
    if (space.slots[i].empty()) return {fmt::format("no layout is legal: slot {} has no candidate", i), {}};
  }
  if (!legal_under({})) return {"no layout is legal: every listed layout uses a candidate its slot does not have", {}};

  std::vector<std::size_t> needed;
  for (std::size_t i = 0; i < space.rules.size(); ++i) needed.push_back(i);
  for (std::size_t i = 0; i < needed.size();) {
    std::vector<std::size_t> without = needed;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
    if (legal_under(without)) {
      ++i;
    } else {
      needed = std::move(without);
    }
  }
  std::string message = needed.size() == 1 ? "no layout is legal: this rule cannot be met"
                                           : "no layout is legal: these rules contradict each other";
  if (!space.listed.empty()) message += " by any listed layout";
  for (const std::size_t r : needed) message += fmt::format("\n  rules[{}]: {}", r, describe(space.rules[r]));
  return {message, needed};
}

}  // namespace

NoLegalLayout::NoLegalLayout(std::string message, std::vector<std::size_t> rules)
    : std::runtime_error(message), rules_(std::move(rules)) {}

LayoutGraph::LayoutGraph(const SearchSpace& space) {
  std::vector<std::size_t> rules(space.rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) rules[i] = i;
  Arcs arcs;
  try {
    const Reachable reachable = explore(space, rules);
    if (!any_legal(reachable)) throw explain(space);
    arcs = reduce(reachable);
    if (edges_of(arcs) > kMaxEdges) throw TooLarge{"edges", kMaxEdges};
  } catch (const TooLarge& problem) {
    throw spec::SpecError("space", fmt::format("its graph needs more than {} {}; fewer slots or candidates, a shorter "
                                               "period or fewer rules would fit",
                                               problem.limit, problem.what));
  }

  const std::size_t slots = space.size();
  source_ = boost::add_vertex(Node{}, graph_);
  std::vector<Vertex> before{source_};
  for (std::size_t slot = 0; slot < slots; ++slot) {
    std::map<std::pair<std::uint16_t, std::uint32_t>, Vertex> vertices;
    for (const auto& out : arcs[slot]) {
      for (const Arc& arc : out) vertices.try_emplace({arc.candidate, arc.next});
    }
    auto& layer = layers_.emplace_back();
    for (auto& [key, vertex] : vertices) {
      vertex = boost::add_vertex(Node{static_cast<std::int32_t>(slot), key.first, key.second}, graph_);
      layer.push_back(vertex);
    }
    for (const Vertex from : before) {
      for (const Arc& arc : arcs[slot][graph_[from].state]) {
        boost::add_edge(from, vertices.at({arc.candidate, arc.next}), graph_);
      }
    }
    before = layer;
  }
  sink_ = boost::add_vertex(Node{static_cast<std::int32_t>(slots), 0, 0}, graph_);
  for (const Vertex from : before) boost::add_edge(from, sink_, graph_);

  // Edges lead from lower to higher vertices, so one backward pass counts all completions.
  completions_.resize(boost::num_vertices(graph_));
  completions_[sink_] = 1;
  for (Vertex v = sink_; v-- > source_;) {
    for (const auto& edge : boost::make_iterator_range(boost::out_edges(v, graph_))) {
      completions_[v] += completions_[boost::target(edge, graph_)];
    }
  }
  count_ = completions_[source_];
}

bool LayoutGraph::contains(const Path& path) const {
  if (path.size() != slots()) return false;
  Vertex at = source_;
  for (const std::uint16_t c : path) {
    const auto out = boost::make_iterator_range(boost::adjacent_vertices(at, graph_));
    const auto next = std::ranges::find_if(out, [&](Vertex v) { return graph_[v].candidate == c; });
    if (next == out.end()) return false;
    at = *next;
  }
  return true;
}

Path LayoutGraph::sample(std::mt19937_64& random) const {
  BigInt rank = draw_below(random, count_);
  Path path;
  Vertex at = source_;
  for (std::size_t slot = 0; slot < slots(); ++slot) {
    for (const Vertex next : boost::make_iterator_range(boost::adjacent_vertices(at, graph_))) {
      if (rank < completions_[next]) {
        at = next;
        break;
      }
      rank -= completions_[next];
    }
    path.push_back(graph_[at].candidate);
  }
  return path;
}

std::vector<Path> LayoutGraph::enumerate(std::size_t limit) const {
  std::vector<Path> paths;
  Path path;
  const std::function<void(Vertex)> visit = [&](Vertex at) {
    for (const Vertex next : boost::make_iterator_range(boost::adjacent_vertices(at, graph_))) {
      if (paths.size() >= limit) return;
      if (next == sink_) {
        paths.push_back(path);
        return;
      }
      path.push_back(graph_[next].candidate);
      visit(next);
      path.pop_back();
    }
  };
  visit(source_);
  return paths;
}

Path LayoutGraph::neighbour(const Path& path, std::size_t radius, std::mt19937_64& random) const {
  // Number of ways to complete a layout behind a vertex with at most `left` further differences from `path`.
  // Vertices of one slot and state share the answer.
  std::map<std::tuple<std::int32_t, std::uint32_t, std::size_t>, BigInt> known;
  const std::function<BigInt(Vertex, std::size_t)> ways = [&](Vertex at, std::size_t left) -> BigInt {
    if (at == sink_) return 1;
    const std::tuple key(graph_[at].slot, graph_[at].state, left);
    if (const auto found = known.find(key); found != known.end()) return found->second;
    BigInt total = 0;
    const std::size_t slot = static_cast<std::size_t>(graph_[at].slot + 1);
    for (const Vertex next : boost::make_iterator_range(boost::adjacent_vertices(at, graph_))) {
      const std::size_t differs = next != sink_ && graph_[next].candidate != path[slot];
      if (differs <= left) total += ways(next, left - differs);
    }
    return known[key] = total;
  };

  const BigInt total = ways(source_, radius);
  if (total == 0 || (total == 1 && contains(path))) return path;
  for (;;) {  // `path` itself is one of at least two, so a draw misses it with probability >= 1/2
    BigInt rank = draw_below(random, total);
    Path drawn;
    Vertex at = source_;
    std::size_t left = radius;
    for (std::size_t slot = 0; slot < slots(); ++slot) {
      for (const Vertex next : boost::make_iterator_range(boost::adjacent_vertices(at, graph_))) {
        const std::size_t differs = graph_[next].candidate != path[slot];
        if (differs > left) continue;
        const BigInt through = ways(next, left - differs);
        if (rank < through) {
          at = next;
          left -= differs;
          break;
        }
        rank -= through;
      }
      drawn.push_back(graph_[at].candidate);
    }
    if (drawn != path) return drawn;
  }
}

}  // namespace plait::search
