#include "src/app/study_spec.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "search/layout_graph.h"
#include "tests/support/expect_problems.h"

namespace plait::app {
namespace {

using ::plait::testing::problem;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

spec::Json minimal() {
  return spec::Json::parse(R"({
    "model": {"d_model": 256},
    "space": {"slots": 4, "candidates": ["G", "*"]},
    "hardware": "h100",
    "objectives": ["recall", "kv_cache_bytes"]
  })");
}

StudySpec read(const spec::Json& json) {
  spec::Problems problems;
  StudySpec study = study_from_json(json, "", problems);
  problems.throw_if_any();
  return study;
}

std::vector<spec::Problem> problems_in(const spec::Json& json) {
  spec::Problems problems;
  study_from_json(json, "", problems);
  return problems.list();
}

TEST(StudySpecTest, AMinimalStudyTakesTheDefaults) {
  const StudySpec study = read(minimal());
  EXPECT_EQ(study.strategy, "exact_front");
  EXPECT_EQ(study.workload(), (spec::Workload{.context = 32768, .batch = 1}));
  EXPECT_EQ(study.space.size(), 4u);
  EXPECT_EQ(study.objectives[0], (search::Objective{"recall", "1", search::Direction::maximize}));
  EXPECT_EQ(study.objectives[1], (search::Objective{"kv_cache_bytes", "bytes", search::Direction::minimize}));
}

TEST(StudySpecTest, EveryRuleIsRead) {
  spec::Json json = minimal();
  json["space"]["slots"] = 8;
  json["space"]["rules"] = spec::Json::parse(R"([
    {"at_most": 3, "of": ["*"]}, {"at_least": 1, "of": ["*"]}, {"max_gap": 5, "of": ["*"]},
    {"at_most_kinds": 1, "of": ["G"]}, {"not_adjacent": ["*"]}, {"not_first": ["*"]}, {"not_last": ["*"]}, {"period": 4}])");
  const StudySpec study = read(json);
  ASSERT_EQ(study.space.rules.size(), 8u);
  EXPECT_EQ(std::get<search::CountRule>(study.space.rules[0]).high, 3u);
  EXPECT_EQ(std::get<search::CountRule>(study.space.rules[1]).low, 1u);
  EXPECT_TRUE(std::get<search::NotAtEndRule>(study.space.rules[5]).first);
  EXPECT_FALSE(std::get<search::NotAtEndRule>(study.space.rules[6]).first);
  // One full layer per period of four, neither first nor last in the layout, none adjacent: in slot 1 or 2 of the
  // period.
  EXPECT_EQ(search::LayoutGraph(study.space).count(), 2);
}

TEST(StudySpecTest, SlotsMayRestrictTheirCandidates) {
  spec::Json json = minimal();
  json["space"]["slots"] = spec::Json::parse(R"([{"count": 2, "candidates": ["G"]}, {"count": 3}])");
  const StudySpec study = read(json);
  EXPECT_EQ(study.space.slots.size(), 5u);
  EXPECT_EQ(study.space.slots[1].size(), 1u);
  EXPECT_EQ(search::LayoutGraph(study.space).count(), 8);
}

TEST(StudySpecTest, AListedSpaceHoldsExactlyItsLayouts) {
  spec::Json json = minimal();
  json["space"] = spec::Json::parse(R"({"layouts": [{"name": "a", "layout": "GG*"}, {"name": "b", "layout": "*x3"}]})");
  const StudySpec study = read(json);
  EXPECT_EQ(search::LayoutGraph(study.space).count(), 2);
  EXPECT_EQ(study.space.listed[1].name, "b");
}

TEST(StudySpecTest, MetricsMayNameAWorkload) {
  spec::Json json = minimal();
  json["workloads"] = spec::Json::parse(R"({"4k": {"context": "4k"}})");
  json["objectives"] = {"prefill_s@4k", "recall"};
  const StudySpec study = read(json);
  EXPECT_EQ(study.objectives[0].metric, "prefill_s@4k");
  EXPECT_EQ(study.workloads[1].workload.context, 4096);
  json["objectives"] = {"prefill_s@8k", "recall@4k"};
  EXPECT_THAT(problems_in(json), ElementsAre(problem("objectives[0]", "no workload \"8k\" is defined; they are \"4k\""),
                                             problem("objectives[1]", "does not depend on the workload")));
}

TEST(StudySpecTest, ProblemsAreLocated) {
  spec::Json json = minimal();
  json["space"]["candidates"] = {"G", "G", "QQ"};
  json["space"]["rules"] = spec::Json::parse(R"([{"at_most": 1, "of": ["*"]}, {"sometimes": 3}])");
  json["objectives"] = {"recall", "recall"};
  json["hardware"] = "h10";
  json["constraints"] = spec::Json::parse(R"([{"metric": "parameters", "min": 2, "max": 1}])");
  EXPECT_THAT(problems_in(json),
              UnorderedElementsAre(problem("hardware", "h10"), problem("space.candidates[1]", "given twice"),
                                   problem("space.candidates[2]:1", "unknown mixer 'Q'"),
                                   problem("space.candidates[2]:2", "unknown mixer 'Q'"),
                                   problem("space.rules[0].of[0]", "\"*\" is no candidate"),
                                   problem("space.rules[1]", "is no rule; one of \"at_most\""),
                                   problem("objectives[1]", "given twice"),
                                   problem("constraints[0].min", "2 is above \"max\" (1)")));
}

TEST(StudySpecTest, EmptyTextIsRefusedNotSkipped) {
  spec::Json json = minimal();
  json["objectives"] = {"recall", "kv_cache_bytes", "", {{"metric", ""}}};
  json["constraints"] = spec::Json::parse(R"([{"metric": "", "max": 1}])");
  json["baselines"] = spec::Json::parse(R"([{"name": "a", "layout": ""}])");
  EXPECT_THAT(problems_in(json),
              ElementsAre(problem("objectives[2]", "is empty"), problem("objectives[3].metric", "is empty"),
                          problem("constraints[0].metric", "is empty"), problem("baselines[0].layout", "is empty")));
  json = minimal();
  json["space"] = spec::Json::parse(R"({"layouts": [{"layout": "G*"}, {"layout": ""}]})");
  EXPECT_THAT(problems_in(json), ElementsAre(problem("space.layouts[1].layout", "is empty")));
}

TEST(StudySpecTest, TwoNotationsOfOneLayerAreOneCandidate) {
  spec::Json json = minimal();
  json["space"]["candidates"] = {"G", " G", "(*)", "*"};
  EXPECT_THAT(problems_in(json), ElementsAre(problem("space.candidates[1]", "\" G\" is the same layer as \"G\""),
                                             problem("space.candidates[3]", "\"*\" is the same layer as \"(*)\"")));
}

TEST(StudySpecTest, ALayoutIsListedOnce) {
  spec::Json json = minimal();
  json["space"] = spec::Json::parse(
      R"({"layouts": [{"name": "a", "layout": "GG*"}, {"name": "b", "layout": "G*G"}, {"name": "c", "layout": "Gx2*"}]})");
  EXPECT_THAT(problems_in(json),
              ElementsAre(problem("space.layouts[2].layout", "is the same layout as that of \"a\"")));
}

TEST(StudySpecTest, OverridesBecomePartOfTheStudy) {
  const auto file = std::filesystem::temp_directory_path() / "plait_study_spec_test.json";
  std::ofstream(file) << minimal();
  const StudySpec study = read_study(file.string(), {.strategy = "random", .seed = 7, .workers = 2});
  EXPECT_EQ(study.strategy, "random");
  EXPECT_EQ(study.seed, 7u);
  EXPECT_EQ(study.source["seed"], 7);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace plait::app
