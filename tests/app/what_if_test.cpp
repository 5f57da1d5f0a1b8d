#include "src/app/what_if.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "src/app/results.h"

namespace plait::app {
namespace {

StudySpec quickstart() { return read_study(std::string(PLAIT_SOURCE_DIR) + "/examples/quickstart.json", {}); }

spec::Layout layout(const WhatIf& desk, const std::string& notation) {
  return spec::parse_layout(notation, desk.study().palette);
}

TEST(WhatIfTest, AnswersWithTheScoresThatTheSearchGives) {
  const auto built = build_study(quickstart());
  const StudyResults results = run_study(*built, {}, false, {}, {}, {});
  const WhatIf desk(quickstart());
  for (const search::Trial& trial : results.trials) {
    const WhatIf::Answer answer = desk.answer(model_of(results, trial).layout);
    EXPECT_EQ(answer.notation, trial.layout);
    EXPECT_TRUE(answer.outside.empty());
    const auto& scores = std::get<search::Scores>(trial.outcome);
    for (const auto& [metric, value] : scores) EXPECT_EQ(answer.scores.at(metric), value) << metric;
    EXPECT_EQ(static_cast<double>(answer.costs->kv_cache_bytes), scores.at("kv_cache_bytes").value);
  }
  EXPECT_EQ(desk.metrics()[0].name, "recall");
  EXPECT_EQ(desk.metrics()[1].name, "kv_cache_bytes");
}

TEST(WhatIfTest, SaysWhyTheStudyWouldNotProposeALayout) {
  const WhatIf desk(quickstart());
  EXPECT_NE(desk.answer(layout(desk, "Gx12Hx12")).outside.at(0).find("rule"), std::string::npos);
  EXPECT_NE(desk.answer(layout(desk, "Gx12")).outside.at(0).find("24"), std::string::npos);
  EXPECT_NE(desk.answer(layout(desk, "Mx24")).outside.at(0).find("candidate"), std::string::npos);
  spec::Layout broken = layout(desk, "*x24");
  std::get<spec::FullAttention>(broken.layers[3].mixer).kv_heads = 7;
  EXPECT_FALSE(desk.answer(broken).problems.empty());
  EXPECT_FALSE(desk.answer({}).problems.empty());
}

TEST(WhatIfTest, TheBestNeighbourIsBetterInsideTheBudgetsAndNoOtherIsBetterStill) {
  const WhatIf desk(quickstart());
  const spec::Layout start = layout(desk, "*Gx23");
  const WhatIf::Answer before = desk.answer(start);
  const double cache = before.scores.at("kv_cache_bytes").value;
  const WhatIf::Goal goal{.metric = "recall", .budgets = {{"kv_cache_bytes", {}, cache}}};
  const std::optional<spec::Layout> better = desk.best_neighbour(start, goal);
  ASSERT_TRUE(better);
  const double reached = desk.answer(*better).scores.at("recall").value;
  EXPECT_GT(reached, before.scores.at("recall").value);
  EXPECT_LE(desk.answer(*better).scores.at("kv_cache_bytes").value, cache);
  // By hand: every exchange of the first layer with another.
  for (std::size_t i = 1; i < start.size(); ++i) {
    spec::Layout other = start;
    std::swap(other.layers[0], other.layers[i]);
    EXPECT_LE(desk.answer(other).scores.at("recall").value, reached);
  }
  // From the best of all there is nowhere to go.
  const std::optional<spec::Layout> best = desk.best(goal);
  ASSERT_TRUE(best);
  EXPECT_GE(desk.answer(*best).scores.at("recall").value, reached);
  EXPECT_FALSE(desk.best_neighbour(*best, goal));
}

TEST(WhatIfTest, ALayoutOutsideTheSpaceCanBeImprovedIntoIt) {
  const WhatIf desk(quickstart());
  const WhatIf::Goal goal{.metric = "recall"};
  // Mamba-2 is no candidate of the study: its layer must be the one that changes.
  const std::optional<spec::Layout> better = desk.best_neighbour(layout(desk, "Gx7*Gx7*Gx6M*"), goal);
  ASSERT_TRUE(better);
  EXPECT_TRUE(desk.answer(*better).outside.empty());
  EXPECT_GE(desk.answer(*better).scores.at("recall").value,
            desk.answer(layout(desk, "(Gx7*)x3")).scores.at("recall").value);
  // Two of them are more than one change can mend.
  EXPECT_FALSE(desk.best_neighbour(layout(desk, "Gx7*Gx7*Gx5MM*"), goal));
  EXPECT_THROW(desk.best_neighbour(layout(desk, "Gx23"), goal), spec::SpecError);
}

TEST(WhatIfTest, TheBestOfAllIsTheFrontsBestInsideTheBudget) {
  const auto built = build_study(quickstart());
  const StudyResults results = run_study(*built, {}, false, {}, {}, {});
  const WhatIf desk(quickstart());
  for (const double gib : {0.0, 4.0, 9.0, 20.0, 200.0}) {
    const double bytes = gib * 1024 * 1024 * 1024;
    double expected = -1;
    for (const search::Trial& trial : results.front) {
      if (score(trial, "kv_cache_bytes")->value <= bytes) expected = std::max(expected, score(trial, "recall")->value);
    }
    const auto best = desk.best({.metric = "recall", .budgets = {{"kv_cache_bytes", {}, bytes}}});
    ASSERT_TRUE(best) << gib;
    EXPECT_NEAR(desk.answer(*best).scores.at("recall").value, expected, 1e-9) << gib;
  }
  EXPECT_FALSE(desk.best({.metric = "recall", .budgets = {{"decode_step_s", {}, 1e-9}}}));
}

TEST(WhatIfTest, SweepsAgreeWithCostsAtEachContext) {
  const WhatIf desk(quickstart());
  const spec::Layout full = layout(desk, "*x24");
  const std::vector<spec::Dim> contexts = {1024, 32768};
  const auto reports = desk.sweep(full, contexts);
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[1].kv_cache_bytes, 32 * reports[0].kv_cache_bytes);
  EXPECT_EQ(reports[1].kv_cache_bytes, desk.answer(full).costs->kv_cache_bytes);
}

}  // namespace
}  // namespace plait::app
