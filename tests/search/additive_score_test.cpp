#include "search/additive_score.h"

#include <gtest/gtest.h>

namespace plait::search {
namespace {

TEST(AdditiveScore, AddsSlotsPairsAndBase) {
  AdditiveScore score{2, 2, {0, 0}, {{.base = 100, .slot = {1, 2, 10, 20}, .pair = {9, 9, 9, 9, .1, .2, .3, .4}}}};
  EXPECT_DOUBLE_EQ(score.evaluate({0, 0}), 100 + 1 + 10 + .1);
  EXPECT_DOUBLE_EQ(score.evaluate({1, 0}), 100 + 2 + 10 + .3);
  EXPECT_DOUBLE_EQ(score.evaluate({0, 1}), 100 + 1 + 20 + .2);
}

TEST(AdditiveScore, TakesTheTableOfItsCounter) {
  AdditiveScore score{2, 2, {1, 0}, {{0, {1, 2, 3, 4}, {}}, {10, {1, 2, 3, 4}, {}}, {0, {50, 0, 70, 0}, {}}}};
  EXPECT_DOUBLE_EQ(score.evaluate({1, 1}), 6);
  EXPECT_DOUBLE_EQ(score.evaluate({0, 1}), 15);
  EXPECT_DOUBLE_EQ(score.evaluate({1, 0}), 15);
  EXPECT_DOUBLE_EQ(score.evaluate({0, 0}), 120);
}

}  // namespace
}  // namespace plait::search
