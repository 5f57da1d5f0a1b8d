#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "gui/trial_filter.h"
#include "gui/trial_order.h"

namespace plait::gui {
namespace {

app::StudyResults quickstart() {
  const auto built = app::build_study(app::read_study(std::string(PLAIT_SOURCE_DIR) + "/examples/quickstart.json", {}));
  return app::run_study(*built, {}, false, {}, {}, {});
}

class TrialViewsTest : public ::testing::Test {
 protected:
  std::size_t count(const std::string& filter) const {
    const TrialFilter parsed = parse_filter(filter, results.metrics);
    EXPECT_EQ(parsed.problem, "") << filter;
    return static_cast<std::size_t>(std::ranges::count(matches(parsed, results, table), 1));
  }
  const app::StudyResults results = quickstart();
  const app::TrialTable table = app::trial_table(results);
};

TEST_F(TrialViewsTest, FiltersByBoundsFlagsAndWords) {
  EXPECT_EQ(count(""), table.size());
  EXPECT_EQ(count("front"), results.front.size());
  EXPECT_EQ(count("baseline"), results.baselines.size());
  EXPECT_EQ(count("!baseline"), results.trials.size());
  EXPECT_EQ(count("transformer"), 1u);
  EXPECT_EQ(count("kv_cache_bytes=0") + count("kv_cache_bytes>0"), table.size());
  EXPECT_EQ(count("kv_cache_bytes<=4G") - count("kv_cache_bytes<4G"), count("kv_cache_bytes=4G"));
  EXPECT_GT(count("kv_cache_bytes=4G"), 0u);
  EXPECT_EQ(count("decode_step_s<2m"), count("decode_step_s<0.002"));
  EXPECT_EQ(count("recall>0.4 baseline"), count("baseline recall>0.4"));
}

TEST_F(TrialViewsTest, SaysWhatIsWrongWithAFilter) {
  EXPECT_NE(parse_filter("recal>0.4", results.metrics).problem.find("recall"), std::string::npos);
  EXPECT_NE(parse_filter("recall>high", results.metrics).problem.find("high"), std::string::npos);
  EXPECT_NE(parse_filter("recall>", results.metrics).problem, "");
}

TEST_F(TrialViewsTest, SortsByAColumnWithMissingValuesLast) {
  app::TrialTable changed = table;
  changed.columns[0].value[3] = NAN;
  const std::vector<std::uint8_t> all(changed.size(), 1);
  for (const bool descending : {false, true}) {
    const auto rows = sorted_rows(changed, all, {.column = 0, .descending = descending});
    ASSERT_EQ(rows.size(), changed.size());
    EXPECT_EQ(rows.back(), 3u);
    for (std::size_t i = 0; i + 2 < rows.size(); ++i) {
      const double a = changed.columns[0].value[rows[i]], b = changed.columns[0].value[rows[i + 1]];
      EXPECT_TRUE(descending ? a >= b : a <= b);
    }
  }
  std::vector<std::uint8_t> some(changed.size(), 0);
  some[1] = some[2] = 1;
  EXPECT_EQ(sorted_rows(changed, some, {}), (std::vector<std::uint32_t>{1, 2}));
}

}  // namespace
}  // namespace plait::gui
