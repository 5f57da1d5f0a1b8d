#include "search/chain.h"

#include <algorithm>
#include <stdexcept>

#include "search/pareto.h"

namespace plait::search {

Chain::Chain(const LayoutGraph& graph, bool by_candidate, std::span<const std::uint8_t> counted)
    : boundaries_(graph.slots() + 1), counts_(counted.empty() ? 1 : graph.slots() + 1) {
  const LayoutGraph::Graph& g = graph.graph();
  // Class of every vertex: its place in the layer, or its rule state. Any vertex of a class has the class's arcs.
  std::vector<std::uint32_t> class_of(boost::num_vertices(g), 0);
  std::vector<std::vector<LayoutGraph::Vertex>> members(graph.slots() + 1);
  members[0] = {graph.source()};
  for (std::size_t slot = 0; slot < graph.slots(); ++slot) {
    auto& first = members[slot + 1];
    for (const LayoutGraph::Vertex v : graph.layer(slot)) {
      const std::uint32_t cls = by_candidate ? static_cast<std::uint32_t>(first.size()) : g[v].state;
      class_of[v] = cls;
      if (cls >= first.size()) first.resize(cls + 1, graph.source());
      first[cls] = v;
    }
  }
  for (std::size_t i = 0; i <= graph.slots(); ++i) {
    Boundary& b = boundaries_[i];
    b.begin.push_back(0);
    for (const LayoutGraph::Vertex v : members[i]) {
      b.last.push_back(g[v].candidate);
      if (i < graph.slots()) {
        for (const LayoutGraph::Vertex next : boost::make_iterator_range(boost::adjacent_vertices(v, g))) {
          const std::uint16_t c = g[next].candidate;
          b.arcs.push_back({c, !counted.empty() && counted[c] != 0, class_of[next]});
        }
      }
      b.begin.push_back(b.arcs.size());
    }
    b.reached.resize(b.last.size() * counts_);
  }
  boundaries_[0].reached[0] = true;
  for (std::size_t i = 0; i < graph.slots(); ++i) {
    for (std::size_t cls = 0; cls < classes(i); ++cls) {
      for (std::size_t count = 0; count < counts_; ++count) {
        if (!reaches(i, cls, count)) continue;
        for (const Arc& arc : arcs(i, cls)) boundaries_[i + 1].reached[arc.next * counts_ + count + arc.counted] = true;
      }
    }
  }
}

std::vector<std::size_t> Chain::totals() const {
  std::vector<std::size_t> totals;
  for (std::size_t n = 0; n < counts_; ++n) {
    bool reached = false;
    for (std::size_t cls = 0; cls < classes(slots()); ++cls) reached = reached || reaches(slots(), cls, n);
    if (reached) totals.push_back(n);
  }
  return totals;
}

ScoreShape shape_of(const LayoutGraph& graph, std::span<const AdditiveObjective> objectives) {
  if (objectives.empty()) throw std::logic_error("a front needs an objective");
  ScoreShape shape;
  shape.candidates = objectives.front().score.candidates;
  for (const auto& [score, direction, low, high, traded] : objectives) {
    const std::size_t cells = score.slots * score.candidates;
    if (score.slots != graph.slots() || score.candidates != shape.candidates) {
      throw std::logic_error("an additive score does not fit the space");
    }
    if (score.terms.size() != 1 &&
        (score.terms.size() != score.slots + 1 || score.counted.size() != score.candidates)) {
      throw std::logic_error("an additive score needs one table, or one per number of counted slots");
    }
    for (const AdditiveScore::Terms& terms : score.terms) {
      if (terms.slot.size() != cells || (!terms.pair.empty() && terms.pair.size() != cells * score.candidates)) {
        throw std::logic_error("a table of an additive score has the wrong size");
      }
      shape.pairs = shape.pairs || !terms.pair.empty();
    }
    if (score.terms.size() == 1) continue;
    if (shape.counted.empty()) shape.counted = score.counted;
    if (shape.counted != score.counted) throw std::logic_error("two additive scores count different candidates");
  }
  return shape;
}

std::vector<std::vector<std::size_t>> groups_of_equal_terms(std::span<const AdditiveObjective> objectives,
                                                            const std::vector<std::size_t>& totals) {
  const auto equal = [&](std::size_t a, std::size_t b) {
    return std::ranges::all_of(objectives, [&](const AdditiveObjective& o) {
      const auto& x = terms_for(o.score, a);
      const auto& y = terms_for(o.score, b);
      return &x == &y || (x.slot == y.slot && x.pair == y.pair);
    });
  };
  std::vector<std::vector<std::size_t>> groups;
  for (const std::size_t n : totals) {
    const auto group = std::ranges::find_if(groups, [&](const auto& g) { return equal(g.front(), n); });
    if (group == groups.end()) {
      groups.push_back({n});
    } else {
      group->push_back(n);
    }
  }
  return groups;
}

std::vector<FrontPoint> only_best(std::vector<FrontPoint> points, std::span<const AdditiveObjective> objectives) {
  const auto minimised = [&](const FrontPoint& point, bool only_traded) {
    Point values;
    for (std::size_t k = 0; k < objectives.size(); ++k) {
      if (only_traded && !objectives[k].traded) continue;
      values.push_back(objectives[k].direction == Direction::minimize ? point.values[k] : -point.values[k]);
    }
    return values;
  };
  std::ranges::sort(points, {}, &FrontPoint::path);
  std::vector<Point> traded;
  for (const FrontPoint& point : points) traded.push_back(minimised(point, true));

  struct Kept {
    Point key;
    Point traded;
    std::size_t index;
  };
  std::vector<Kept> kept;
  for (const std::size_t i : nondominated(traded)) kept.push_back({minimised(points[i], false), traded[i], i});
  // Equal points: the smallest index is the smallest path.
  std::ranges::sort(kept, [](const Kept& a, const Kept& b) {
    return a.traded != b.traded ? a.traded < b.traded : a.index < b.index;
  });
  kept.erase(std::unique(kept.begin(), kept.end(), [](const Kept& a, const Kept& b) { return a.traded == b.traded; }),
             kept.end());
  std::ranges::sort(kept, [](const Kept& a, const Kept& b) { return a.key > b.key; });

  std::vector<FrontPoint> front;
  for (const Kept& k : kept) front.push_back(std::move(points[k.index]));
  return front;
}

}  // namespace plait::search
