#include "src/app/importance.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace plait::app {
namespace {

StudyResults random_search() {
  spec::Json json = read_study(std::string(PLAIT_SOURCE_DIR) + "/examples/quickstart.json", {}).source;
  json["strategy"] = "random";
  json["budget"] = 2000;
  spec::Problems problems;
  const auto built = build_study(study_from_json(json, "", problems));
  problems.throw_if_any();
  return run_study(*built, {}, false, {}, {}, {});
}

TEST(ImportanceTest, TheCacheIsAllAboutTheNumberOfFullLayers) {
  const StudyResults results = random_search();
  const Importance importance = importance_of(results, trial_table(results), "kv_cache_bytes");
  ASSERT_FALSE(importance.features.empty());
  EXPECT_EQ(importance.trials, results.trials.size());
  EXPECT_EQ(importance.features.front().name, "full-attention layers");
  EXPECT_NEAR(importance.features.front().share, 1, 1e-9);
  std::size_t fewest = SIZE_MAX;
  for (const search::Trial& trial : results.trials) {
    fewest = std::min(fewest, spec::count_full(model_of(results, trial).layout));
  }
  EXPECT_EQ(importance.features.front().best, std::to_string(fewest));
  EXPECT_EQ(importance.slots.size(), results.spec.space.size());
  for (const Importance::Feature& feature : importance.features) {
    EXPECT_GE(feature.share, 0) << feature.name;
    EXPECT_LE(feature.share, 1) << feature.name;
  }
}

TEST(ImportanceTest, AFeatureThatHasNothingToDoWithItIsNearZero) {
  const StudyResults results = random_search();
  TrialTable table = trial_table(results);
  TrialTable::Column& column = table.columns[0];
  for (std::size_t row = 0; row < table.size(); ++row) {
    column.value[row] = static_cast<double>((row * 2'654'435'761U) % 1000);
  }
  for (const Importance::Feature& feature : importance_of(results, table, column.metric.name).features) {
    EXPECT_LT(feature.share, 0.03) << feature.name;
  }
}

TEST(ImportanceTest, NothingToExplain) {
  StudyResults results = random_search();
  EXPECT_TRUE(importance_of(results, trial_table(results), "no_such_metric").features.empty());
  TrialTable table = trial_table(results);
  std::ranges::fill(table.columns[0].value, 0.5);
  EXPECT_TRUE(importance_of(results, table, table.columns[0].metric.name).features.empty());
  results.trials.resize(2);
  EXPECT_TRUE(importance_of(results, trial_table(results), "recall").features.empty());
}

}  // namespace
}  // namespace plait::app
