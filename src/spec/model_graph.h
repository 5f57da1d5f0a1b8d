#pragma once

#include <boost/graph/adjacency_list.hpp>
#include <string>
#include <vector>

#include "src/spec/layout.h"

namespace plait::spec {

/// Boost.Graph view of a layout. Vertices: the input, one per layer branch (a ParallelMixer has one per branch), a join
/// per layer, the output. Edges: the residual stream, and the links `kv_from` and `weights_from`.
/// For drawing (DOT, the app) and for hashing layouts with links.
struct ModelGraph {
  enum class NodeKind { input, mixer, join, output };
  enum class EdgeKind { residual, branch, kv_sharing, weight_sharing };
  struct Node {
    NodeKind kind = NodeKind::mixer;
    std::size_t layer = 0;   ///< of mixer and join
    std::size_t branch = 0;  ///< of mixer
    std::string label;       ///< "input", a mixer's label, ...
  };
  struct Edge {
    EdgeKind kind = EdgeKind::residual;
  };
  using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, Node, Edge>;

  Graph graph;

  explicit ModelGraph(const Layout& layout);

  bool is_acyclic() const;
  /// Longest residual path in mixers, i.e. the depth.
  std::size_t depth() const;
  std::string to_dot() const;
};

}  // namespace plait::spec
