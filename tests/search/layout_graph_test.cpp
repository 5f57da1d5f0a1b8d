#include "search/layout_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <map>

#include "tests/search/small_spaces.h"

namespace plait::search {
namespace {

using testing::brute_force;
using testing::Dice;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::legal;
using testing::random_space;
using testing::space_of;

std::size_t distance(const Path& a, const Path& b) {
  std::size_t d = 0;
  for (std::size_t i = 0; i < a.size(); ++i) d += a[i] != b[i];
  return d;
}

/// Pearson's statistic against the uniform distribution over `cells`; its mean is cells - 1, its deviation
/// sqrt(2 (cells - 1)). The tests allow four deviations, with fixed seeds.
template <class Draw>
void expect_uniform(const std::vector<Path>& cells, std::size_t draws, const Draw& draw) {
  std::map<Path, double> seen;
  for (std::size_t i = 0; i < draws; ++i) seen[draw()] += 1;
  const double expected = static_cast<double>(draws) / static_cast<double>(cells.size());
  double statistic = 0;
  for (const Path& cell : cells) statistic += std::pow(seen[cell] - expected, 2) / expected;
  EXPECT_EQ(seen.size(), cells.size()) << "something outside was drawn";
  const double freedom = static_cast<double>(cells.size() - 1);
  EXPECT_LT(statistic, freedom + 4 * std::sqrt(2 * freedom));
  EXPECT_GT(statistic, freedom - 4 * std::sqrt(2 * freedom)) << "too even to be random";
}

RC_GTEST_PROP(LayoutGraph, HoldsExactlyTheLegalLayouts, (std::uint64_t seed)) {
  Dice dice(seed);
  const SearchSpace space = random_space(dice);
  const std::vector<Path> expected = brute_force(space);
  if (expected.empty()) {
    RC_ASSERT_THROWS_AS(LayoutGraph{space}, NoLegalLayout);
    return;
  }
  const LayoutGraph graph(space);
  RC_ASSERT(graph.enumerate(SIZE_MAX) == expected);
  RC_ASSERT(graph.count() == expected.size());
  SearchSpace free = space;
  free.rules.clear();
  free.listed.clear();
  for (const Path& path : brute_force(free)) RC_ASSERT(graph.contains(path) == legal(space, path));
}

RC_GTEST_PROP(LayoutGraph, HasNoDeadEndsAndMergesEqualStates, (std::uint64_t seed)) {
  Dice dice(seed);
  const SearchSpace space = random_space(dice);
  RC_PRE(!brute_force(space).empty());
  const LayoutGraph layouts(space);
  const auto& graph = layouts.graph();
  std::vector<bool> reached(boost::num_vertices(graph), false);
  reached[layouts.source()] = true;
  std::map<std::pair<std::int32_t, std::uint32_t>, std::vector<LayoutGraph::Vertex>> successors;
  std::map<std::pair<std::int32_t, std::vector<LayoutGraph::Vertex>>, std::uint32_t> states;
  for (LayoutGraph::Vertex v = 0; v < boost::num_vertices(graph); ++v) {
    RC_ASSERT(reached[v]);
    std::vector<LayoutGraph::Vertex> next;
    for (const auto w : boost::make_iterator_range(boost::adjacent_vertices(v, graph))) {
      RC_ASSERT(graph[w].slot == graph[v].slot + 1);
      reached[w] = true;
      next.push_back(w);
    }
    RC_ASSERT(next.empty() == (v == layouts.sink()));
    RC_ASSERT(successors.try_emplace({graph[v].slot, graph[v].state}, next).first->second == next);
    RC_ASSERT(states.try_emplace({graph[v].slot, next}, graph[v].state).first->second == graph[v].state);
  }
}

RC_GTEST_PROP(LayoutGraph, ExplainsImpossibleSpacesByAMinimalSetOfRules, (std::uint64_t seed)) {
  Dice dice(seed);
  SearchSpace space = random_space(dice);
  for (int extra = 0; extra < 3; ++extra) space.rules.push_back(testing::random_rule(space, dice));
  RC_PRE(brute_force(space).empty());
  std::vector<std::size_t> named;
  try {
    const LayoutGraph graph(space);
    RC_FAIL("nothing was thrown");
  } catch (const NoLegalLayout& error) {
    named = error.rules();
  }
  const auto only = [&](const std::vector<std::size_t>& rules) {
    SearchSpace part = space;
    part.rules.clear();
    for (const std::size_t r : rules) part.rules.push_back(space.rules[r]);
    return brute_force(part);
  };
  RC_ASSERT(only(named).empty());
  for (std::size_t i = 0; i < named.size(); ++i) {
    std::vector<std::size_t> without = named;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
    RC_ASSERT(!only(without).empty());
  }
}

TEST(LayoutGraph, CountsPastAllMachineIntegers) {
  EXPECT_EQ(LayoutGraph(space_of(80, 16)).count(), boost::multiprecision::pow(BigInt(16), 80));
  SearchSpace space = space_of(48, 8);
  space.rules = {CountRule{{"*"}, 6, 6}};
  const BigInt choose_6_of_48 = 12271512;
  EXPECT_EQ(LayoutGraph(space).count(), choose_6_of_48 * boost::multiprecision::pow(BigInt(7), 42));
}

TEST(LayoutGraph, MergesStatesWithTheSameFuture) {
  SearchSpace space = space_of(24, 3);
  EXPECT_EQ(boost::num_vertices(LayoutGraph(space).graph()), 24u * 3 + 2) << "no rules, one state";
  // Any number from two on is enough: at most the three states 0, 1, 2+ in every slot.
  space.rules = {CountRule{{"*"}, 2}};
  const LayoutGraph graph(space);
  for (std::size_t slot = 0; slot < graph.slots(); ++slot) {
    for (const auto v : graph.layer(slot)) EXPECT_LT(graph.graph()[v].state, 3u);
  }
}

TEST(LayoutGraph, NamesTheContradictingRulesOnly) {
  SearchSpace space = space_of(4, 3);
  space.rules = {NotAtEndRule{{"*"}, true}, CountRule{{"*"}, 3, 4}, PeriodRule{4}, NotAdjacentRule{{"*"}}};
  try {
    const LayoutGraph graph(space);
    FAIL() << "three of four slots cannot be * without two adjacent ones";
  } catch (const NoLegalLayout& error) {
    EXPECT_THAT(error.rules(), ElementsAre(1, 3));
    EXPECT_THAT(error.what(), HasSubstr("rules[1]: 3 to 4 of *"));
    EXPECT_THAT(error.what(), HasSubstr("rules[3]: no two adjacent layers of *"));
  }
}

TEST(LayoutGraph, SlotWithoutCandidateIsSaid) {
  SearchSpace space = space_of(4, 2);
  space.slots[2].clear();
  try {
    const LayoutGraph graph(space);
    FAIL();
  } catch (const NoLegalLayout& error) {
    EXPECT_TRUE(error.rules().empty());
    EXPECT_THAT(error.what(), HasSubstr("slot 2 has no candidate"));
  }
}

TEST(LayoutGraph, RefusesAPeriodThatNeedsTooManyStates) {
  SearchSpace space = space_of(24, 8);
  space.rules = {PeriodRule{12}};
  EXPECT_THROW(LayoutGraph{space}, spec::SpecError);
}

TEST(LayoutGraph, RefusesSpacesThatWouldFillTheMemory) {
  SearchSpace period = space_of(4096, 2);
  period.rules = {PeriodRule{4096}};  // states of 4096 words each
  EXPECT_THROW(LayoutGraph{period}, spec::SpecError);
  EXPECT_THROW(LayoutGraph{space_of(4096, 200)}, spec::SpecError);  // 200 x 200 edges between any two slots
}

TEST(LayoutGraph, ListedLayoutsAreTheSpace) {
  SearchSpace space = space_of(3, 3);
  space.listed = {{"b", {2, 0, 2}}, {"a", {2, 0, 1}}, {"b again", {2, 0, 2}}, {"c", {0, 0, 0}}};
  EXPECT_THAT(LayoutGraph(space).enumerate(10), ElementsAre(Path{0, 0, 0}, Path{2, 0, 1}, Path{2, 0, 2}));
  space.rules = {CountRule{{"*"}, 0, 1}};
  EXPECT_EQ(LayoutGraph(space).count(), 2);
}

TEST(LayoutGraph, EnumerateStopsAtTheLimit) {
  EXPECT_THAT(LayoutGraph(space_of(40, 3)).enumerate(2), ElementsAre(Path(40, 0), [] {
                Path second(40, 0);
                second.back() = 1;
                return second;
              }()));
  EXPECT_TRUE(LayoutGraph(space_of(4, 3)).enumerate(0).empty());
}

TEST(LayoutGraph, SamplesUniformly) {
  SearchSpace space = space_of(5, 3);
  space.rules = {CountRule{{"*"}, 1, 2}, NotAdjacentRule{{"*"}}, DistinctRule{{"S", "G"}, 1}};
  const LayoutGraph graph(space);
  std::mt19937_64 random(7);
  expect_uniform(brute_force(space), 20000, [&] { return graph.sample(random); });
}

TEST(LayoutGraph, DrawsNeighboursUniformly) {
  SearchSpace space = space_of(5, 3);
  space.rules = {CountRule{{"*"}, 1, 2}, NotAdjacentRule{{"*"}}};
  const LayoutGraph graph(space);
  for (const Path& path : {Path{0, 1, 2, 0, 1}, Path{0, 0, 0, 0, 0}}) {  // the second is illegal: it is repaired
    for (const std::size_t radius : {1u, 2u, 3u}) {
      std::vector<Path> near = brute_force(space);
      std::erase_if(near, [&](const Path& other) { return other == path || distance(other, path) > radius; });
      std::mt19937_64 random(radius);
      if (near.empty()) {
        EXPECT_EQ(graph.neighbour(path, radius, random), path);
      } else {
        expect_uniform(near, 5000, [&] { return graph.neighbour(path, radius, random); });
      }
    }
  }
}

TEST(LayoutGraph, LonelyLayoutIsItsOwnNeighbour) {
  SearchSpace space = space_of(4, 3);
  space.rules = {PeriodRule{1}};
  const LayoutGraph graph(space);
  std::mt19937_64 random(1);
  EXPECT_EQ(graph.neighbour({1, 1, 1, 1}, 3, random), (Path{1, 1, 1, 1}));
  EXPECT_NE(graph.neighbour({1, 1, 1, 1}, 4, random), (Path{1, 1, 1, 1}));
}

TEST(LayoutGraph, SamplesHugeSpacesInsideTheRules) {
  SearchSpace space = space_of(80, 16);
  space.rules = {CountRule{{"*"}, 8, 10}, MaxGapRule{{"*"}, 12}, NotAtEndRule{{"*"}, true}};
  const LayoutGraph graph(space);
  std::mt19937_64 random(3);
  for (int i = 0; i < 50; ++i) {
    const Path path = graph.sample(random);
    EXPECT_TRUE(legal(space, path));
    const Path near = graph.neighbour(path, 2, random);
    EXPECT_TRUE(legal(space, near));
    EXPECT_GE(distance(path, near), 1u);
    EXPECT_LE(distance(path, near), 2u);
  }
}

}  // namespace
}  // namespace plait::search
