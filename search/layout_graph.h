#pragma once

#include <boost/graph/adjacency_list.hpp>
#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "search/search_space.h"

namespace plait::search {

using BigInt = boost::multiprecision::cpp_int;

/// Thrown when no path is legal. `rules` is a minimal set of rules that contradict each other (removing any one of them
/// leaves legal layouts); the message names them. Empty when the slots or the listed layouts alone leave nothing.
class NoLegalLayout : public std::runtime_error {
 public:
  NoLegalLayout(std::string message, std::vector<std::size_t> rules);
  const std::vector<std::size_t>& rules() const { return rules_; }

 private:
  std::vector<std::size_t> rules_;
};

/// The legal layouts of a space as a layered directed acyclic graph: a vertex is (slot, candidate, rule state), an edge
/// an allowed succession, and **every path from the source to the sink is exactly one legal layout**; dead ends are
/// pruned.
///
/// The rules run as one product automaton along the slots; states that allow the same continuations are then merged, so
/// the graph is the smallest one and two vertices of a slot with equal `state` have the same successors. Out-edges are
/// in ascending order of the target's candidate.
class LayoutGraph {
 public:
  struct Node {
    std::int32_t slot = -1;  ///< -1: source; space size: sink
    std::uint16_t candidate = 0;
    std::uint32_t state = 0;  ///< of all rules after this slot; 0, 1, ... within a slot
  };
  using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, Node>;
  using Vertex = Graph::vertex_descriptor;

  /// `space` is valid (see `validate`). Throws NoLegalLayout; SpecError when the graph would be too large: more than
  /// 2^20 transitions between rule states (a long period over many candidates) or 2^25 edges.
  explicit LayoutGraph(const SearchSpace& space);

  const Graph& graph() const { return graph_; }
  Vertex source() const { return source_; }
  Vertex sink() const { return sink_; }
  std::size_t slots() const { return layers_.size(); }
  /// The vertices of one slot.
  const std::vector<Vertex>& layer(std::size_t slot) const { return layers_[slot]; }

  /// Number of legal layouts, exactly.
  const BigInt& count() const { return count_; }
  bool contains(const Path& path) const;
  /// Uniform over all legal layouts.
  Path sample(std::mt19937_64& random) const;
  /// All layouts in lexicographic order, at most `limit`.
  std::vector<Path> enumerate(std::size_t limit) const;
  /// A uniformly drawn legal layout among those at Hamming distance <= `radius` from `path` (itself excluded), or
  /// `path` itself when there is none. `path` may be illegal: the mutation of evolutionary strategies and their repair.
  Path neighbour(const Path& path, std::size_t radius, std::mt19937_64& random) const;

 private:
  Graph graph_;
  Vertex source_{};
  Vertex sink_{};
  std::vector<std::vector<Vertex>> layers_;
  std::vector<BigInt> completions_;  ///< per vertex: number of paths to the sink
  BigInt count_;
};

}  // namespace plait::search
