#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "search/pareto.h"
#include "search/strategy.h"
#include "tests/search/small_spaces.h"

namespace plait::search {
namespace {

using testing::Dice;
using ::testing::HasSubstr;
using testing::random_score;
using testing::space_of;

/// A space, two additive scores ("quality" up, "cost" down) and what the study makes of a path.
struct Problem {
  SearchSpace space;
  LayoutGraph graph;
  std::vector<AdditiveObjective> scores;
  std::vector<Constraint> constraints;
  bool some_fail = false;

  Problem(SearchSpace s, std::uint64_t seed) : space(std::move(s)), graph(space), scores(2) {
    Dice dice(seed);
    for (auto& o : scores) {
      o.score = random_score(space.size(), space.candidates.size(), {}, {.integers = false}, dice);
    }
    // Full attention is dear and good, as in life; everything costs something.
    for (std::size_t i = 0; i < space.size(); ++i) {
      for (auto& o : scores) {
        double& full = o.score.terms[0].slot[i * space.candidates.size()];
        full = std::abs(full) + 1;
      }
    }
    scores[0].direction = Direction::maximize;
  }

  StrategyContext context(std::size_t budget, std::uint64_t seed) const {
    return {.space = space,
            .graph = graph,
            .objectives = {{"quality", "1", Direction::maximize}, {"cost", "1", Direction::minimize}},
            .constraints = constraints,
            .additive = scores,
            .not_additive = {},
            .seed = seed,
            .budget = budget};
  }

  Trial trial(const Path& path) const {
    Trial trial;
    trial.path = path;
    std::size_t digest = 0;
    for (const auto c : path) digest = digest * 31 + c;
    if (some_fail && digest % 3 == 0) {
      trial.outcome = Failure{Failure::Kind::out_of_memory, "too large"};
      trial.feasible = false;
      return trial;
    }
    trial.outcome = Scores{{"quality", {scores[0].score.evaluate(path), {}, Source::exact}},
                           {"cost", {scores[1].score.evaluate(path), {}, Source::exact}}};
    for (const Constraint& constraint : constraints) {
      const double value = score(trial, constraint.metric)->value;
      if (constraint.low && value < *constraint.low) trial.feasible = false;
      if (constraint.high && value > *constraint.high) trial.feasible = false;
    }
    return trial;
  }

  /// Asks and tells as a study does.
  std::vector<Path> run(Strategy& strategy, std::size_t budget, std::size_t batch) const {
    std::vector<Path> proposals;
    while (proposals.size() < budget) {
      const std::vector<Path> asked = strategy.ask(std::min(batch, budget - proposals.size()));
      if (asked.empty()) break;
      for (const Path& path : asked) strategy.tell(trial(path));
      proposals.insert(proposals.end(), asked.begin(), asked.end());
    }
    return proposals;
  }

  double dominated(const std::vector<Path>& paths) const {
    std::vector<Point> points;
    for (const Path& path : paths) points.push_back({-scores[0].score.evaluate(path), scores[1].score.evaluate(path)});
    return hypervolume(points, Point{10, 40});
  }
};

SearchSpace ruled_space() {
  SearchSpace space = space_of(8, 4);
  space.rules = {CountRule{{"*"}, 0, 4}, NotAdjacentRule{{"*"}}, NotAtEndRule{{"*"}, true}};
  return space;
}

class EveryStrategy : public ::testing::TestWithParam<StrategyInfo> {
 protected:
  void expect_contract(const Problem& problem, std::size_t budget, std::size_t batch) {
    const auto strategy = GetParam().make(problem.context(budget, 1));
    const std::vector<Path> proposals = problem.run(*strategy, budget, batch);
    EXPECT_FALSE(proposals.empty());
    EXPECT_LE(proposals.size(), budget);
    EXPECT_EQ(std::set<Path>(proposals.begin(), proposals.end()).size(), proposals.size()) << "a layout came twice";
    for (const Path& path : proposals) EXPECT_TRUE(testing::legal(problem.space, path));

    const auto again = GetParam().make(problem.context(budget, 1));
    EXPECT_EQ(problem.run(*again, budget, batch), proposals) << "the same seed gave other proposals";
  }
};

TEST_P(EveryStrategy, ProposesLegalLayoutsOnceAndReproducibly) {
  const Problem problem(ruled_space(), 3);
  for (const std::size_t batch : {1u, 7u, 64u}) expect_contract(problem, 150, batch);
}

TEST_P(EveryStrategy, LivesWithFailures) {
  Problem problem(ruled_space(), 3);
  problem.some_fail = true;
  expect_contract(problem, 150, 16);
}

TEST_P(EveryStrategy, LivesWithConstraints) {
  Problem problem(ruled_space(), 3);
  problem.constraints = {{"cost", {}, 5.0}};
  problem.scores[1].high = 5.0;
  expect_contract(problem, 150, 16);
}

TEST_P(EveryStrategy, EndsWhenTheSpaceIsExhausted) {
  const Problem problem(space_of(3, 2), 3);
  expect_contract(problem, 1000, 5);
}

TEST_P(EveryStrategy, AsksAtMostTheBudgetEvenWithoutAStudy) {
  const Problem problem(ruled_space(), 3);
  const auto strategy = GetParam().make(problem.context(20, 1));
  EXPECT_LE(problem.run(*strategy, SIZE_MAX, 8).size(), 20u);
}

TEST_P(EveryStrategy, AsksForNoMoreThanItIsTold) {
  const Problem problem(ruled_space(), 3);
  const auto strategy = GetParam().make(problem.context(50, 1));
  EXPECT_LE(strategy->ask(3).size(), 3u);
}

TEST_P(EveryStrategy, ResumesByReplayingTheRecord) {
  const Problem problem(ruled_space(), 3);
  const std::size_t batch = 16;
  const auto strategy = GetParam().make(problem.context(160, 5));
  const std::vector<Path> proposals = problem.run(*strategy, 160, batch);

  const auto resumed = GetParam().make(problem.context(160, 5));
  std::vector<Path> replayed = problem.run(*resumed, std::min<std::size_t>(48, proposals.size()), batch);
  const std::vector<Path> rest = problem.run(*resumed, 160 - replayed.size(), batch);
  replayed.insert(replayed.end(), rest.begin(), rest.end());
  EXPECT_EQ(replayed, proposals);
}

INSTANTIATE_TEST_SUITE_P(Table, EveryStrategy, ::testing::ValuesIn(strategy_table().begin(), strategy_table().end()),
                         [](const auto& entry) { return std::string(entry.param.name); });

TEST(StrategyTable, FindsByName) {
  EXPECT_EQ(find_strategy("nsga2")->name, "nsga2");
  EXPECT_EQ(find_strategy("annealing"), nullptr);
}

std::vector<Path> proposals_of(std::string_view name, const Problem& problem, std::size_t budget,
                               std::uint64_t seed = 1) {
  const auto strategy = find_strategy(name)->make(problem.context(budget, seed));
  return problem.run(*strategy, budget, 16);
}

std::vector<Path> paths_of(const std::vector<FrontPoint>& front) {
  std::vector<Path> paths;
  for (const FrontPoint& point : front) paths.push_back(point.path);
  return paths;
}

TEST(ExactFrontStrategy, ProposesTheFrontInItsOrder) {
  const Problem problem(ruled_space(), 3);
  EXPECT_EQ(proposals_of("exact_front", problem, 1000), paths_of(exact_front(problem.graph, problem.scores)));
}

TEST(ExactFrontStrategy, SpreadsASmallBudgetOverTheFront) {
  const Problem problem(ruled_space(), 3);
  const std::vector<Path> front = paths_of(exact_front(problem.graph, problem.scores));
  ASSERT_GT(front.size(), 5u);
  const std::vector<Path> five = proposals_of("exact_front", problem, 5);
  ASSERT_EQ(five.size(), 5u);
  EXPECT_EQ(five.front(), front.front());
  EXPECT_EQ(five.back(), front.back());
}

TEST(ExactFrontStrategy, SaysWhichMetricIsNotAdditive) {
  const Problem problem(ruled_space(), 3);
  for (const std::string_view name : {"exact_front", "hull_greedy"}) {
    StrategyContext context = problem.context(10, 1);
    context.additive.clear();
    context.not_additive = "recall@proxy is measured";
    try {
      find_strategy(name)->make(context);
      FAIL() << name;
    } catch (const spec::SpecError& error) {
      EXPECT_THAT(error.what(), HasSubstr("recall@proxy is measured"));
    }
  }
}

TEST(ExactFrontStrategy, SaysWhenNothingMeetsTheConstraints) {
  Problem problem(ruled_space(), 3);
  problem.scores[1].high = -1000;
  EXPECT_THROW(proposals_of("exact_front", problem, 10), spec::SpecError);
}

TEST(HullGreedyStrategy, ProposesTheCorners) {
  const Problem problem(ruled_space(), 3);
  EXPECT_EQ(proposals_of("hull_greedy", problem, 1000), paths_of(hull_front(problem.graph, problem.scores)));
}

TEST(EnumerateStrategy, ProposesAllLayoutsInOrder) {
  const Problem problem(ruled_space(), 3);
  EXPECT_EQ(proposals_of("enumerate", problem, 1000000), testing::brute_force(problem.space));
  EXPECT_EQ(proposals_of("enumerate", problem, 10).size(), 10u);
}

TEST(RandomStrategy, ExhaustsASmallSpaceAndDependsOnTheSeed) {
  const Problem problem(space_of(4, 3), 3);
  std::vector<Path> all = proposals_of("random", problem, 1000);
  EXPECT_NE(all, proposals_of("random", problem, 1000, 2));
  std::ranges::sort(all);
  EXPECT_EQ(all, testing::brute_force(problem.space));
  EXPECT_EQ(proposals_of("random", problem, 60).size(), 60u) << "more than half of it";
}

TEST(GreedyForward, StartsWithoutFullLayersAndClimbsToTheBestQuality) {
  const Problem problem(space_of(6, 3), 3);
  const std::vector<Path> proposals = proposals_of("greedy_forward", problem, 100000);
  EXPECT_EQ(proposals.front(), Path(6, 2)) << "neither full layers nor windows";
  // Slots are independent here, so single changes lead to the best quality.
  auto quality = problem.scores[0];
  EXPECT_THAT(proposals, ::testing::Contains(exact_front(problem.graph, std::span(&quality, 1))[0].path));
}

TEST(GreedyForward, StartsWithTheFewestFullLayersThatTheRulesAllow) {
  SearchSpace space = space_of(6, 3);
  space.rules = {CountRule{{"*"}, 2, 4}, NotAtEndRule{{"*"}, true}};
  const Problem problem(space, 3);
  EXPECT_EQ(std::ranges::count(proposals_of("greedy_forward", problem, 100).front(), 0), 2);
}

TEST(GreedyBackward, StartsFullAndReachesTheLeastCost) {
  const Problem problem(space_of(6, 3), 3);
  const std::vector<Path> proposals = proposals_of("greedy_backward", problem, 100000);
  EXPECT_EQ(proposals.front(), Path(6, 0));
  auto cost = problem.scores[1];
  EXPECT_THAT(proposals, ::testing::Contains(exact_front(problem.graph, std::span(&cost, 1))[0].path));
}

TEST(GreedyBackward, NeedsACost) {
  const Problem problem(space_of(6, 3), 3);
  StrategyContext context = problem.context(10, 1);
  context.objectives.resize(1);
  EXPECT_THROW(find_strategy("greedy_backward")->make(context), spec::SpecError);
}

// 4^12 layouts, 2,000 evaluations. The bar is a regression bound well below what five seeds reach.
TEST(Nsga2, ReachesMostOfTheExactHypervolumeAndBeatsRandom) {
  const Problem problem(space_of(12, 4), 6);
  const double exact = problem.dominated(paths_of(exact_front(problem.graph, problem.scores)));
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const double evolved = problem.dominated(proposals_of("nsga2", problem, 2000, seed));
    const double drawn = problem.dominated(proposals_of("random", problem, 2000, seed));
    EXPECT_GT(evolved, .95 * exact) << seed;
    EXPECT_LE(evolved, exact * (1 + 1e-12));
    EXPECT_GT(evolved, drawn) << seed;
  }
}

TEST(Nsga2, FindsTheFeasibleRegion) {
  Problem problem(space_of(12, 4), 6);
  auto cost = problem.scores[1];
  const double least = exact_front(problem.graph, std::span(&cost, 1))[0].values[0];
  problem.constraints = {{"cost", {}, least + .5}};
  const std::vector<Path> proposals = proposals_of("nsga2", problem, 1500);
  const auto feasible = [&](const Path& path) { return problem.trial(path).feasible; };
  EXPECT_EQ(std::ranges::count_if(proposals.begin(), proposals.begin() + 100, feasible), 0) << "too easy to test";
  EXPECT_GT(std::ranges::count_if(proposals, feasible), 100);
}

}  // namespace
}  // namespace plait::search
