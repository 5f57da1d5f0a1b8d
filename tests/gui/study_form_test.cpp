#include "gui/study_form.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace plait::gui {
namespace {

spec::Json example(const std::string& name) {
  return app::read_study(std::string(PLAIT_SOURCE_DIR) + "/examples/" + name, {}).source;
}

TEST(StudyFormTest, TheFreshFormIsAStudy) {
  spec::Problems problems;
  const auto study = StudyForm().study(problems);
  ASSERT_TRUE(study) << problems.list().front().message;
  EXPECT_EQ(study->space.size(), 24u);
  EXPECT_EQ(study->objectives.size(), 2u);
}

TEST(StudyFormTest, NamedBaselinesStandBesideEveryFront) {
  const auto names_of = [](const StudyForm& form) {
    spec::Problems problems;
    const auto study = form.study(problems);
    EXPECT_TRUE(study) << problems.list().front().message;
    std::vector<std::string> names;
    for (const search::Baseline& baseline : study->baselines) {
      EXPECT_EQ(baseline.layout.size(), static_cast<std::size_t>(form.slots)) << baseline.name;
      names.push_back(baseline.name);
    }
    return names;
  };
  using Names = std::vector<std::string>;
  StudyForm form;
  EXPECT_EQ(names_of(form), (Names{"Transformer", "Gated DeltaNet", "Gated DeltaNet 3:1", "Gated DeltaNet 7:1"}));
  form.slots = 6;
  EXPECT_EQ(names_of(form), (Names{"Transformer", "Gated DeltaNet"}));
  for (auto& [symbol, taken] : form.candidates) taken = symbol == "S" || symbol == "*";
  form.most_kinds = 0;
  EXPECT_EQ(names_of(form), Names{"Transformer"});
  // Those of a file stay, unless the depth became another.
  StudyForm filled(example("quickstart.json"));
  EXPECT_EQ(names_of(filled).size(), 5u);
  filled.slots = 16;
  EXPECT_EQ(names_of(filled).size(), 4u);
}

TEST(StudyFormTest, AStudyFileComesThroughUnchangedInAllThatMatters) {
  for (const char* name : {"quickstart.json", "laptop.json", "phone.json", "paper-72.json"}) {
    SCOPED_TRACE(name);
    spec::Problems problems;
    const app::StudySpec before = app::study_from_json(example(name), "", problems);
    const auto after = StudyForm(example(name)).study(problems);
    ASSERT_TRUE(after) << problems.list().front().path << problems.list().front().message;
    EXPECT_EQ(after->name, before.name);
    EXPECT_EQ(after->model, before.model);
    EXPECT_EQ(after->hardware.name, before.hardware.name);
    EXPECT_EQ(after->workloads, before.workloads);
    EXPECT_EQ(after->constraints, before.constraints);
    EXPECT_EQ(after->space.size(), before.space.size());
    EXPECT_EQ(after->space.rules.size(), before.space.rules.size());
    EXPECT_EQ(after->space.listed.size(), before.space.listed.size());
    EXPECT_EQ(after->objectives.size(), before.objectives.size());
    for (const search::Objective& objective : before.objectives) {
      EXPECT_NE(std::ranges::find(after->objectives, objective), after->objectives.end()) << objective.metric;
    }
    EXPECT_EQ(after->options.budget, before.options.budget);
    EXPECT_EQ(after->baselines.size(), before.baselines.size());
  }
}

TEST(StudyFormTest, MistakesAreLocatedAsInAFile) {
  StudyForm form;
  form.context = "many";
  form.slots = 0;
  for (auto& [metric, traded] : form.objectives) traded = metric == "recall";
  spec::Problems problems;
  EXPECT_FALSE(form.study(problems));
  const auto at = [&](std::string_view path) {
    return std::ranges::any_of(problems.list(), [&](const spec::Problem& p) { return p.path.starts_with(path); });
  };
  EXPECT_TRUE(at("workload.context"));
  EXPECT_TRUE(at("space.slots"));
  EXPECT_TRUE(at("objectives"));
}

}  // namespace
}  // namespace plait::gui
