#include "src/app/proxy_comparison.h"

#include <gmock/gmock.h>

#include "src/proxy/reduce.h"
#include "tests/support/fake_backend.h"

namespace plait::app {
namespace {

using plait::testing::FakeBackend;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::vector<NamedModel> models(const std::vector<std::string>& notations) {
  std::vector<NamedModel> out;
  for (const std::string& notation : notations) {
    out.push_back(read_model(notation, std::string(PLAIT_SOURCE_DIR) + "/examples/model-1b.json"));
  }
  return out;
}

TEST(ProxyComparisonTest, LayoutsAreTrainedTogetherAndComeBackInTheirOrder) {
  const FakeBackend backend;
  const Comparison result =
      compare_on_proxy(backend, models({"Gx24", "(GGG*)x6", "*GGG", "Gx16"}), {.steps = 40, .seeds = 3}, {}, {});
  ASSERT_THAT(backend.calls, SizeIs(1));
  EXPECT_EQ(result.members, 3u * 2u * 3u) << "the last shares the first one's proxy";
  ASSERT_THAT(result.layouts, SizeIs(4));
  EXPECT_EQ(result.layouts[3].shares, 0u);
  EXPECT_EQ(result.layouts[3].outcome.score.information, result.layouts[0].outcome.score.information);
  EXPECT_GT(result.layouts[1].outcome.score.information, result.layouts[0].outcome.score.information);
  EXPECT_LT(result.layouts[2].outcome.score.information, result.layouts[0].outcome.score.information);
  EXPECT_EQ(result.candidates(), 16);
}

TEST(ProxyComparisonTest, OptionsReplaceTheTiersDefaults) {
  const FakeBackend backend;
  compare_on_proxy(backend, models({"GGGG"}),
                   {.task = "haystack", .tier = proxy::Tier::small, .steps = 7, .seeds = 1, .learning_rates = {0.002}},
                   {}, {});
  const auto& call = backend.calls.at(0);
  EXPECT_EQ(call.plan.task, "haystack");
  EXPECT_EQ(call.plan.steps, 7);
  ASSERT_THAT(call.members, SizeIs(1));
  EXPECT_EQ(call.members[0].learning_rate, 0.002);
  EXPECT_EQ(call.members[0].model.d_model, proxy::proxy_shape(proxy::Tier::small).d_model);
}

TEST(ProxyComparisonTest, JsonHoldsScoresChanceAndCurves) {
  const FakeBackend backend;
  const Comparison result = compare_on_proxy(backend, models({"Gx24", "(GGG*)x6"}), {.steps = 40}, {}, {});
  const spec::Json json = spec::Json::parse(comparison_json(result));
  EXPECT_EQ(json["chance"], 1.0 / 16);
  ASSERT_THAT(json["layouts"], SizeIs(2));
  const spec::Json& row = json["layouts"][1];
  EXPECT_EQ(row["layout"], "(GGG*)x6");
  for (const char* key : {"proxy", "learning_rate", "information", "accuracy", "locked_in", "escape_step", "runs"}) {
    EXPECT_TRUE(row.contains(key)) << key;
  }
  EXPECT_LE(row["information"]["low"], row["information"]["high"]);
  EXPECT_FALSE(row["runs"][0]["curve"].empty());
}

TEST(ProxyComparisonTest, AFailureIsSaidInTheJson) {
  FakeBackend backend;
  backend.failure = [](const proxy::Member&) { return std::string("diverged: at step 2"); };
  const Comparison result = compare_on_proxy(backend, models({"GGGG"}), {.steps = 4}, {}, {});
  const spec::Json json = spec::Json::parse(comparison_json(result));
  EXPECT_EQ(json["layouts"][0]["failure"], "diverged: at step 2");
  EXPECT_TRUE(json["chance"].is_null());
}

TEST(ProxyComparisonTest, CurvesHaveALinePerSeedAndChanceToCompareWith) {
  const FakeBackend backend;
  const Comparison result =
      compare_on_proxy(backend, models({"Gx24", "(GGG*)x6", "Gx16"}), {.steps = 40, .seeds = 3}, {}, {});
  const report::LineChart chart = learning_curves(result);
  EXPECT_THAT(chart.lines, SizeIs(2 * 3));
  EXPECT_EQ(chart.levels[0].y, 1.0 / 16);
  const std::string svg = report::to_svg(chart);
  EXPECT_THAT(svg, HasSubstr("chance: any of the 16 values"));
  EXPECT_THAT(svg, HasSubstr("(GGG*)x6"));
}

}  // namespace
}  // namespace plait::app
