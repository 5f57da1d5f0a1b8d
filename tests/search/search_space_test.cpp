#include "search/search_space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/search/small_spaces.h"

namespace plait::search {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::space_of;

std::vector<spec::Problem> problems_of(const SearchSpace& space) {
  spec::Problems problems;
  validate(space, "space", problems);
  return problems.list();
}

std::vector<std::string> paths_of(const std::vector<spec::Problem>& problems) {
  std::vector<std::string> paths;
  for (const spec::Problem& problem : problems) paths.push_back(problem.path);
  return paths;
}

TEST(SearchSpace, LayoutAndPathAreInverse) {
  const SearchSpace space = space_of(4, 3);
  const Path path{2, 0, 1, 2};
  const spec::Layout layout = space.layout(path);
  EXPECT_EQ(layout.layers[1].mixer, spec::Mixer(spec::FullAttention{}));
  EXPECT_EQ(space.path(layout), path);
}

TEST(SearchSpace, LayoutOutsideTheSpaceHasNoPath) {
  SearchSpace space = space_of(2, 3);
  const spec::Layout layout = space.layout({0, 2});
  EXPECT_FALSE(space_of(3, 3).path(layout)) << "another number of layers";
  space.slots[0] = {1, 2};
  EXPECT_FALSE(space.path(layout)) << "* may not stand in slot 0";
}

TEST(SearchSpace, FindsCandidatesBySymbol) {
  EXPECT_EQ(space_of(2, 4).find("G2"), 3);
  EXPECT_FALSE(space_of(2, 3).find("G2"));
}

TEST(SearchSpace, PaletteKnowsTheSymbols) {
  const SearchSpace space = space_of(2, 4);
  const spec::Palette palette = space.palette({});
  EXPECT_EQ(palette.mixers.at("G2"), space.candidates[3].layer.mixer);
}

TEST(SearchSpace, ValidSpaceHasNoProblems) {
  SearchSpace space = space_of(4, 3);
  space.rules = {CountRule{{"*"}, 1, 2}, NotAdjacentRule{{"*", "S"}}, NotAtEndRule{{"*"}, true},
                 MaxGapRule{{"*"}, 3},   DistinctRule{{"G"}, 1},      PeriodRule{2}};
  space.listed = {{"a", {0, 1, 2, 2}}};
  EXPECT_TRUE(problems_of(space).empty());
}

TEST(SearchSpace, ReportsEveryProblemWithItsPlace) {
  SearchSpace space = space_of(3, 3);
  space.candidates.push_back(space.candidates[0]);
  space.slots[1] = {};
  space.slots[2] = {0, 9};
  space.rules = {CountRule{{"*", "GG"}, 3, 2}, NotAdjacentRule{{}}, PeriodRule{4}, PeriodRule{0}};
  space.listed = {{"short", {0, 1}}, {"foreign", {0, 1, 0}}};
  EXPECT_THAT(paths_of(problems_of(space)),
              ElementsAre("space.candidates[3]", "space.slots[1]", "space.slots[2]", "space.rules[0].of[1]",
                          "space.rules[0]", "space.rules[1].of", "space.rules[2].period", "space.rules[3].period",
                          "space.listed[0]", "space.listed[1]"));
}

TEST(SearchSpace, EmptySpaceIsRefused) {
  EXPECT_THAT(paths_of(problems_of({})), ElementsAre("space.candidates", "space.slots"));
}

TEST(SearchSpace, UnknownSymbolNamesTheNearest) {
  SearchSpace space = space_of(3, 4);
  space.rules = {CountRule{{"g2"}, 0, 1}};
  EXPECT_THAT(problems_of(space).at(0).message, HasSubstr("G2"));
}

TEST(DescribeRule, ReadsAsASentence) {
  EXPECT_EQ(describe(CountRule{{"*"}, 0, 6}), "at most 6 of *");
  EXPECT_EQ(describe(CountRule{{"*", "+"}, 2}), "at least 2 of *, +");
  EXPECT_EQ(describe(CountRule{{"*"}, 3, 3}), "exactly 3 of *");
  EXPECT_EQ(describe(CountRule{{"*"}, 1, 3}), "1 to 3 of *");
  EXPECT_EQ(describe(NotAdjacentRule{{"*"}}), "no two adjacent layers of *");
  EXPECT_EQ(describe(NotAtEndRule{{"*"}, false}), "none of * in the last slot");
  EXPECT_EQ(describe(MaxGapRule{{"*"}, 7}), "at most 7 slots in a row without *");
  EXPECT_EQ(describe(DistinctRule{{"G", "K"}, 1}), "at most 1 different of G, K");
  EXPECT_EQ(describe(PeriodRule{4}), "every slot repeats the one 4 before");
}

}  // namespace
}  // namespace plait::search
