#include "src/app/results.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/expect_problems.h"

namespace plait::app {
namespace {

using ::plait::testing::problem;
using ::plait::testing::problems_of;
using ::testing::ElementsAre;

StudyResults run(const std::string& example) {
  const auto built = build_study(read_study(std::string(PLAIT_SOURCE_DIR) + "/examples/" + example, {}));
  return run_study(*built, {}, false, {}, {}, {});
}

std::vector<std::pair<std::string, double>> front_over(const StudyResults& results, const std::string& cost,
                                                       const std::string& quality) {
  report::Figure figure = report::make_figure(result_table(results), cost, quality);
  report::mark_front(figure);
  std::vector<std::pair<std::string, double>> front;
  for (const auto& point : figure.points) {
    if (point.on_front) front.emplace_back(point.name, point.x);
  }
  std::ranges::sort(front, {}, [](const auto& entry) { return entry.second; });
  return front;
}

using Front = std::vector<std::pair<std::string, double>>;

// arXiv 2507.06457, Fig. 3 as its text states membership; FLOPs recomputed from its Table 4.
TEST(PaperStudyTest, ReproducesBothPublishedFronts) {
  const StudyResults results = run("paper-72.json");
  EXPECT_EQ(results.trials.size(), 31u);
  EXPECT_EQ(front_over(results, "mixer_flops@4k", "published_lm_average"),
            (Front{{"HGRN pure", 1'006'632'960.0},
                   {"HGRN 24-1", 69'684'166'656.0},
                   {"HGRN2 6-1", 575'525'617'664.0},
                   {"Transformer", 1'649'267'441'664.0}}));
  EXPECT_EQ(front_over(results, "mixer_flops@32k", "published_lm_average"),
            (Front{{"HGRN pure", 8'053'063'680.0},
                   {"RetNet pure", 2'061'584'302'080.0},
                   {"HGRN2 pure", 2'886'218'022'912.0},
                   {"Gated DeltaNet pure", 3'298'534'883'328.0},
                   {"HGRN 24-1", 4'405'764'030'464.0},
                   {"HGRN2 6-1", 19'997'367'730'176.0},
                   {"Transformer", 105'553'116'266'496.0}}));
}

TEST(QuickstartTest, AttentionFirstIsNeverOnTheFrontUnlessItIsEverywhere) {
  const StudyResults results = run("quickstart.json");
  ASSERT_GT(results.front.size(), 10u);
  for (const search::Trial& trial : results.front) {
    const spec::ModelSpec model = model_of(results, trial);
    if (spec::count_full(model.layout) == model.layout.size()) continue;
    EXPECT_FALSE(spec::is_full_attention(model.layout.layers[0].mixer)) << trial.layout;
  }
}

TEST(QuickstartTest, EveryPredictionIsLabelledPriorWithADeviation) {
  const StudyResults results = run("quickstart.json");
  for (const search::Trial& trial : results.trials) {
    const search::Value* recall = score(trial, "recall");
    ASSERT_NE(recall, nullptr);
    EXPECT_EQ(recall->source, search::Source::prior);
    EXPECT_GT(recall->deviation.value(), 0.02);
  }
}

TEST(ResultsTest, JsonHoldsTheContractAndTheFrontIsSortedBestLast) {
  const StudyResults results = run("quickstart.json");
  const spec::Json json = spec::Json::parse(results_json(results));
  for (const char* key :
       {"study", "strategy", "seed", "space", "objectives", "counts", "hypervolume", "front", "baselines"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_TRUE(json["space"]["layouts"].is_string());
  EXPECT_GT(json["hypervolume"], 0.5);
  EXPECT_EQ(json["counts"]["evaluated"], results.trials.size());
  EXPECT_EQ(json["baselines"][0]["name"], "Transformer");
  double previous = -1;
  for (const auto& point : json["front"]) {
    const double recall = point["metrics"]["recall"]["value"];
    EXPECT_GE(recall, previous);
    previous = recall;
    EXPECT_EQ(point["metrics"]["kv_cache_bytes"]["deviation"], nullptr);
    EXPECT_EQ(point["metrics"]["kv_cache_bytes"]["source"], "exact");
  }
}

TEST(ResultsTest, TheExactFrontMatchesWhatTheEvaluatorsSay) {
  // Every proposal of the dynamic program is on the front of the evaluated scores: the tables and the evaluators agree.
  const StudyResults results = run("quickstart.json");
  EXPECT_EQ(results.front.size(), results.trials.size());
}

TEST(RecommendedTest, IsTheCheapestThatCannotBeToldFromTheBest) {
  const StudyResults results = run("quickstart.json");
  const search::Trial& chosen = find_trial(results, "recommended");
  const search::Value& best = *score(results.front.back(), "recall");
  EXPECT_LE(best.value - score(chosen, "recall")->value, *best.deviation);
  for (const search::Trial& trial : results.front) {
    const bool cheaper = score(trial, "kv_cache_bytes")->value < score(chosen, "kv_cache_bytes")->value &&
                         score(trial, "decode_step_s")->value < score(chosen, "decode_step_s")->value;
    if (cheaper) {
      EXPECT_GT(best.value - score(trial, "recall")->value, *best.deviation) << trial.layout;
    }
  }
}

TEST(FindTrialTest, UnknownIdsAreExplained) {
  const StudyResults results = run("laptop.json");
  EXPECT_EQ(find_trial(results, "b0").name, "Transformer");
  EXPECT_THAT(problems_of([&] { find_trial(results, "99999"); }),
              ElementsAre(problem("--trial", "there is no trial \"99999\"")));
}

}  // namespace
}  // namespace plait::app
