#include "src/app/trial_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace plait::app {
namespace {

StudyResults quickstart() {
  const auto built = build_study(read_study(std::string(PLAIT_SOURCE_DIR) + "/examples/quickstart.json", {}));
  return run_study(*built, {}, false, {}, {}, {});
}

TEST(TrialTableTest, HoldsTheScoresOfEveryTrialAndBaseline) {
  const StudyResults results = quickstart();
  const TrialTable table = trial_table(results);
  ASSERT_EQ(table.size(), results.trials.size() + results.baselines.size());
  std::size_t scored = 0;
  for (std::size_t row = 0; row < table.size(); ++row) {
    const search::Trial& trial = trial_at(results, row);
    for (const TrialTable::Column& column : table.columns) {
      const search::Value* value = score(trial, column.metric.name);
      if (value == nullptr) {
        EXPECT_TRUE(std::isnan(column.value[row]));
        continue;
      }
      ++scored;
      EXPECT_EQ(column.value[row], value->value);
      EXPECT_EQ(column.deviation[row], value->deviation.value_or(0));
      EXPECT_EQ(column.source[row], value->source);
    }
  }
  EXPECT_GT(scored, table.size() * 5);
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(table.on_front, 1)), results.front.size());
  EXPECT_EQ(table.find("no_such_metric"), nullptr);
}

TEST(TrialTableTest, TheVolumeNeverFallsAndEndsAtThatOfTheFront) {
  const StudyResults results = quickstart();
  const TrialTable table = trial_table(results);
  ASSERT_FALSE(table.history.empty());
  EXPECT_TRUE(std::ranges::is_sorted(table.history, {}, &TrialTable::Volume::volume));
  EXPECT_EQ(table.history.back().trials, results.trials.size());
  EXPECT_NEAR(table.history.back().volume, results.hypervolume, 1e-12);
  EXPECT_LT(table.history.front().volume, table.history.back().volume);
}

}  // namespace
}  // namespace plait::app
