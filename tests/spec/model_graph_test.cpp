#include "src/spec/model_graph.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "src/spec/notation.h"
#include "tests/support/arbitrary_layout.h"

namespace plait::spec {
namespace {

const Palette kPalette = Palette::defaults(256);

std::size_t count_edges(const ModelGraph& model, ModelGraph::EdgeKind kind) {
  std::size_t count = 0;
  for (const auto edge : boost::make_iterator_range(boost::edges(model.graph))) count += model.graph[edge].kind == kind;
  return count;
}

TEST(ModelGraphTest, HoldsResidualStreamBranchesAndLinks) {
  const ModelGraph model(parse_layout("*[GM]*@0=0", kPalette));
  EXPECT_EQ(boost::num_vertices(model.graph), 2u + 3u + 4u);  // ends, joins, mixers
  EXPECT_EQ(count_edges(model, ModelGraph::EdgeKind::residual), 4u);
  EXPECT_EQ(count_edges(model, ModelGraph::EdgeKind::branch), 8u);
  EXPECT_EQ(count_edges(model, ModelGraph::EdgeKind::kv_sharing), 1u);
  EXPECT_EQ(count_edges(model, ModelGraph::EdgeKind::weight_sharing), 1u);
}

RC_GTEST_PROP(ModelGraphTest, IsAcyclicAndAsDeepAsTheLayout, ()) {
  const Layout layout = *testing::arbitrary_layout(256, 10);
  const ModelGraph model(layout);
  RC_ASSERT(model.is_acyclic());
  RC_ASSERT(model.depth() == layout.size());
}

TEST(ModelGraphTest, DotNamesTheMixers) {
  const std::string dot = ModelGraph(parse_layout("G*", kPalette)).to_dot();
  EXPECT_NE(dot.find("Gated DeltaNet"), std::string::npos);
  EXPECT_NE(dot.find("->"), std::string::npos);
}

}  // namespace
}  // namespace plait::spec
