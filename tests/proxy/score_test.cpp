#include "src/proxy/score.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace plait::proxy {
namespace {

using ::testing::Optional;

/// The test of a model with the given information at K pairs.
TestScore test_at(std::int64_t pairs, double information, double accuracy = 0) {
  return {.pairs = pairs,
          .length = 4 * pairs,
          .candidates = pairs,
          .cross_entropy = (1 - information) * std::log(static_cast<double>(pairs)),
          .accuracy = accuracy};
}

MemberRun run(std::vector<double> information_of_2_4_8_16, double accuracy) {
  MemberRun out;
  for (std::size_t i = 0; i < information_of_2_4_8_16.size(); ++i)
    out.tests.push_back(test_at(std::int64_t{2} << i, information_of_2_4_8_16[i]));
  out.tests.back().accuracy = accuracy;
  return out;
}

TEST(InformationTest, IsZeroOnThePlateauAndOneWithCertainty) {
  EXPECT_DOUBLE_EQ(information(TestScore{.pairs = 8, .candidates = 8, .cross_entropy = std::log(8.0)}), 0);
  EXPECT_DOUBLE_EQ(information(TestScore{.pairs = 8, .candidates = 8, .cross_entropy = 0}), 1);
  EXPECT_DOUBLE_EQ(information(TestScore{.pairs = 8, .candidates = 8, .cross_entropy = std::log(8.0) / 4}), 0.75);
  EXPECT_DOUBLE_EQ(information(TestScore{.pairs = 8, .candidates = 8, .cross_entropy = 5}), 0);
  EXPECT_THROW(information(TestScore{.pairs = 1, .candidates = 1}), std::logic_error);
}

TEST(InformationTest, OfARunIsTheMeanOverTestsWithAChoice) {
  MemberRun trained = run({1, 0.8, 0.4, 0.2}, 0.3);
  EXPECT_NEAR(information(trained), 0.6, 1e-12);
  trained.tests.insert(trained.tests.begin(), {.pairs = 1, .candidates = 1, .cross_entropy = 9});
  EXPECT_NEAR(information(trained), 0.6, 1e-12);
  EXPECT_EQ(information(MemberRun{}), 0);
}

TEST(EscapeStepTest, IsTheFirstReadingAboveTwiceThePlateau) {
  MemberRun trained = run({1, 1, 1, 0.5}, 0.6);  // 2 / 16 = .125
  trained.curve = {{100, 3, 0.06}, {200, 3, 0.125}, {300, 2, 0.13}, {400, 2, 0.1}};
  EXPECT_THAT(escape_step(trained), Optional(300));
  trained.curve.resize(2);
  EXPECT_EQ(escape_step(trained), std::nullopt);
}

TEST(EscapeStepTest, OfTwoCandidatesNeedsMoreThanHalfOfWhatChanceLeaves) {
  MemberRun trained;
  trained.tests = {{.pairs = 5, .candidates = 2, .cross_entropy = 0, .accuracy = 0.9}};
  trained.curve = {{100, 0.7, 0.74}, {200, 0.1, 0.76}};
  EXPECT_THAT(escape_step(trained), Optional(200));
  EXPECT_TRUE(locked_in(trained));
  trained.tests[0].accuracy = 0.7;
  EXPECT_FALSE(locked_in(trained));
}

TEST(HalfLoadTest, InterpolatesInTheLogarithmOfTheLoad) {
  EXPECT_THAT(half_load(run({1, 0.9, 0.75, 0.25}, 0)), Optional(::testing::DoubleNear(8 * std::sqrt(2.0), 1e-9)));
  EXPECT_THAT(half_load(run({1, 1, 0.5, 0}, 0)), Optional(::testing::DoubleNear(8, 1e-9)));
  EXPECT_THAT(half_load(run({1, 1, 1, 0.9}, 1)), Optional(::testing::DoubleNear(16, 1e-9))) << "a lower bound";
  EXPECT_EQ(half_load(run({0.4, 0.1, 0, 0}, 0)), std::nullopt);
}

TEST(HalfLoadTest, IsNothingWhereTestsDifferInLength) {
  MemberRun haystack;
  haystack.tests = {test_at(4, 1), test_at(4, 0.2)};
  EXPECT_EQ(half_load(haystack), std::nullopt);
}

TEST(ScoreTest, SeedsThatDoNotLockInArePartOfTheMeanAndReportedApart) {
  const std::vector<MemberRun> runs = {run({1, 1, 1, 1}, 1), run({0, 0, 0, 0}, 0.0625), run({1, 1, 1, 0.6}, 0.7)};
  const CandidateScore result = score(runs);
  EXPECT_NEAR(result.information, 1.9 / 3, 1e-12);
  EXPECT_NEAR(result.locked_in, 2.0 / 3, 1e-12);
  EXPECT_THAT(result.information_if_locked_in, Optional(::testing::DoubleNear(0.95, 1e-12)));
  EXPECT_NEAR(result.accuracy, (1 + 0.0625 + 0.7) / 3, 1e-12);
  EXPECT_EQ(result.seeds, 3u);
  EXPECT_EQ(result.failed, 0u);
}

TEST(ScoreTest, ADivergedSeedLearntNothing) {
  MemberRun diverged;
  diverged.failure = "diverged: the loss or its gradient was not finite at or before step 50";
  diverged.diverged = true;
  const std::vector<MemberRun> runs = {run({1, 1, 1, 1}, 1), diverged};
  const CandidateScore result = score(runs);
  EXPECT_DOUBLE_EQ(result.information, 0.5);
  EXPECT_DOUBLE_EQ(result.locked_in, 0.5);
  EXPECT_EQ(result.seeds, 2u);
  EXPECT_EQ(result.failed, 1u);
  EXPECT_EQ(result.failure, "");
  EXPECT_EQ(score(std::span(runs).last(1)).failure, diverged.failure);
  EXPECT_EQ(score(std::span(runs).last(1)).seeds, 1u);
}

TEST(ScoreTest, RunsThatStoppedOrRanOutOfMemorySayNothing) {
  MemberRun out_of_memory;
  out_of_memory.failure = "out of memory with a population of one";
  const std::vector<MemberRun> runs = {out_of_memory, MemberRun{}};
  EXPECT_EQ(score(runs).seeds, 0u);
  EXPECT_EQ(score(runs).failure, out_of_memory.failure);
  EXPECT_EQ(score({}).seeds, 0u);
}

TEST(ScoreTest, FewSeedsThatAgreeAreNoCertainty) {
  std::vector<MemberRun> runs(10, run({1, 1, 1, 1}, 1));
  EXPECT_DOUBLE_EQ(score(std::span(runs).first(1)).deviation, 0.5);
  EXPECT_DOUBLE_EQ(score(std::span(runs).first(2)).deviation, 0.25);
  EXPECT_NEAR(score(runs).deviation, 0.05, 1e-12);
  EXPECT_DOUBLE_EQ(score(std::span(runs).first(1)).low, 0) << "one seed has no interval";
  EXPECT_DOUBLE_EQ(score(std::span(runs).first(1)).high, 1);
}

TEST(ScoreTest, WithManySeedsTheDeviationIsTheStandardError) {
  std::vector<MemberRun> runs;
  for (int i = 0; i < 200; ++i) runs.push_back(run(std::vector<double>(4, i % 2 == 0 ? 0.2 : 0.6), 0.5));
  EXPECT_NEAR(score(runs).deviation, 0.2 / std::sqrt(200.0), 5e-4);
}

TEST(ScoreTest, TheIntervalIsTheBootstrapOverSeedsAndRepeats) {
  std::vector<MemberRun> runs;
  for (int i = 0; i < 40; ++i) runs.push_back(run(std::vector<double>(4, i % 2 == 0 ? 0.2 : 0.6), 0.5));
  const CandidateScore result = score(runs);
  const double expected = 1.645 * 0.2 / std::sqrt(40.0);
  EXPECT_NEAR(result.low, 0.4 - expected, 0.012);
  EXPECT_NEAR(result.high, 0.4 + expected, 0.012);
  EXPECT_EQ(score(runs).low, result.low);
}

TEST(ScoreTest, MediansCountTheSeedsThatNeverGotThere) {
  std::vector<MemberRun> runs(4, run({1, 1, 0.5, 0}, 0.4));
  for (int i = 0; i < 3; ++i) runs[static_cast<std::size_t>(i)].curve = {{100 * (i + 1), 1, 0.5}};
  runs[3] = run({0, 0, 0, 0}, 0);
  EXPECT_THAT(score(runs).escape_step, Optional(250.0)) << "100, 200, 300, never";
  EXPECT_THAT(score(runs).half_load, Optional(::testing::DoubleNear(8, 1e-9)));
  runs[2].curve.clear();
  EXPECT_EQ(score(runs).escape_step, std::nullopt);
}

}  // namespace
}  // namespace plait::proxy
