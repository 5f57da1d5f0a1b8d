#include "src/spec/model_graph.h"

#include <algorithm>
#include <boost/graph/graphviz.hpp>
#include <boost/graph/topological_sort.hpp>
#include <sstream>

namespace plait::spec {
namespace {

using Vertex = ModelGraph::Graph::vertex_descriptor;

std::vector<std::string_view> branch_labels(const Mixer& mixer) {
  const auto* parallel = std::get_if<ParallelMixer>(&mixer);
  if (parallel == nullptr) return {mixer_info(mixer).label};
  std::vector<std::string_view> labels;
  for (const SingleMixer& branch : parallel->branches) labels.push_back(mixer_info(branch).label);
  return labels;
}

}  // namespace

ModelGraph::ModelGraph(const Layout& layout) {
  std::vector<Vertex> first_branch;
  Vertex stream = boost::add_vertex(Node{NodeKind::input, 0, 0, "input"}, graph);
  for (std::size_t i = 0; i < layout.size(); ++i) {
    const LayerSpec& layer = layout.layers[i];
    const Vertex join = boost::add_vertex(Node{NodeKind::join, i, 0, "+"}, graph);
    boost::add_edge(stream, join, Edge{EdgeKind::residual}, graph);
    const std::vector<std::string_view> labels = branch_labels(layer.mixer);
    for (std::size_t branch = 0; branch < labels.size(); ++branch) {
      const Vertex mixer = boost::add_vertex(Node{NodeKind::mixer, i, branch, std::string(labels[branch])}, graph);
      boost::add_edge(stream, mixer, Edge{EdgeKind::branch}, graph);
      boost::add_edge(mixer, join, Edge{EdgeKind::branch}, graph);
      if (branch > 0) continue;
      first_branch.push_back(mixer);
      if (layer.kv_from) boost::add_edge(first_branch.at(*layer.kv_from), mixer, Edge{EdgeKind::kv_sharing}, graph);
      if (layer.weights_from) {
        boost::add_edge(first_branch.at(*layer.weights_from), mixer, Edge{EdgeKind::weight_sharing}, graph);
      }
    }
    stream = join;
  }
  const Vertex output = boost::add_vertex(Node{NodeKind::output, layout.size(), 0, "output"}, graph);
  boost::add_edge(stream, output, Edge{EdgeKind::residual}, graph);
}

bool ModelGraph::is_acyclic() const {
  std::vector<Vertex> order;
  try {
    boost::topological_sort(graph, std::back_inserter(order));
    return true;
  } catch (const boost::not_a_dag&) {
    return false;
  }
}

std::size_t ModelGraph::depth() const {
  std::vector<Vertex> order;
  boost::topological_sort(graph, std::back_inserter(order));
  std::vector<std::size_t> mixers(boost::num_vertices(graph), 0);
  std::size_t deepest = 0;
  for (auto it = order.rbegin(); it != order.rend(); ++it) {
    const std::size_t here = mixers[*it] + (graph[*it].kind == NodeKind::mixer ? 1 : 0);
    deepest = std::max(deepest, here);
    for (const auto edge : boost::make_iterator_range(boost::out_edges(*it, graph))) {
      if (graph[edge].kind != EdgeKind::residual && graph[edge].kind != EdgeKind::branch) continue;
      std::size_t& next = mixers[boost::target(edge, graph)];
      next = std::max(next, here);
    }
  }
  return deepest;
}

std::string ModelGraph::to_dot() const {
  constexpr std::string_view kStyles[] = {"color=gray", "color=black", "color=blue,style=dashed",
                                          "color=red,style=dotted"};
  std::ostringstream out;
  boost::write_graphviz(
      out, graph, [&](std::ostream& stream, Vertex v) { stream << "[label=\"" << graph[v].label << "\"]"; },
      [&](std::ostream& stream, Graph::edge_descriptor e) {
        stream << '[' << kStyles[static_cast<std::size_t>(graph[e].kind)] << ']';
      });
  return out.str();
}

}  // namespace plait::spec
