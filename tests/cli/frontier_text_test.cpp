#include "src/cli/frontier_text.h"

#include "tests/support/expect_problems.h"

namespace plait::cli {
namespace {

using search::Direction;
using ::testing::ElementsAre;
using testing::problem;
using testing::problems_of;

/// Two qualities and two costs as objectives, a third of each as mere columns.
app::StudyResults results() {
  app::StudyResults out;
  for (const auto& [name, direction] : {std::pair{"recall", Direction::maximize},
                                        {"lm_average", Direction::maximize},
                                        {"kv_cache_bytes", Direction::minimize},
                                        {"prefill_s", Direction::minimize}}) {
    out.spec.objectives.push_back({name, "1", direction});
    out.metrics.push_back({name, "1", direction, ""});
  }
  out.metrics.push_back({"proxy_recall", "1", Direction::maximize, ""});
  out.metrics.push_back({"state_bytes", "bytes", Direction::minimize, ""});
  return out;
}

std::vector<std::string> axes(const std::string& x, const std::string& y) {
  const AxisPair chosen = chosen_axes(results(), x, y);
  return {chosen.x, chosen.y};
}

TEST(ChosenAxesTest, AQualityIsDrawnAgainstACostAndACostAgainstAQuality) {
  EXPECT_THAT(axes("", ""), ElementsAre("kv_cache_bytes", "recall"));
  EXPECT_THAT(axes("", "proxy_recall"), ElementsAre("kv_cache_bytes", "proxy_recall"));
  EXPECT_THAT(axes("", "state_bytes"), ElementsAre("recall", "state_bytes"));
  EXPECT_THAT(axes("prefill_s", ""), ElementsAre("prefill_s", "recall"));
  EXPECT_THAT(axes("proxy_recall", ""), ElementsAre("proxy_recall", "kv_cache_bytes"));
  EXPECT_THAT(axes("recall", "proxy_recall"), ElementsAre("recall", "proxy_recall")) << "who asks for both gets both";
}

TEST(ChosenAxesTest, NoMetricIsDrawnAgainstItself) {
  app::StudyResults costs = results();
  costs.spec.objectives = {{"kv_cache_bytes", "bytes", Direction::minimize}, {"prefill_s", "s", Direction::minimize}};
  EXPECT_EQ(chosen_axes(costs, "", "kv_cache_bytes").x, "prefill_s");
  EXPECT_EQ(chosen_axes(costs, "kv_cache_bytes", "").y, "prefill_s");
  costs.spec.objectives[0].direction = Direction::maximize;  // against the metric's own
  EXPECT_EQ(chosen_axes(costs, "", "kv_cache_bytes").x, "prefill_s");
}

TEST(ChosenAxesTest, AMetricThatTheStudyHasNotIsSaidWithThoseItHas) {
  EXPECT_THAT(problems_of([] { axes("", "recal"); }),
              ElementsAre(problem("--y", "no metric \"recal\"; it has \"recall\"")));
  EXPECT_THAT(problems_of([] { axes("latency", "recall"); }), ElementsAre(problem("--x", "no metric \"latency\"")));
}

}  // namespace
}  // namespace plait::cli
