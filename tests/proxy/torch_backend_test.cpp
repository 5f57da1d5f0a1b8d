#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "src/proxy/backend.h"
#include "src/proxy/reduce.h"
#include "src/proxy/task_table.h"
#include "src/spec/notation.h"
#include "tests/support/expect_problems.h"

/// The library beside the program, as plait loads it; this program itself does not know LibTorch.
namespace plait::proxy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::problem;
using testing::problems_of;

std::vector<Member> members(const Backend::TaskShape& shape) {
  spec::ModelSpec big;
  big.layout = spec::parse_layout("G*", spec::Palette::defaults(2048));
  return {{proxy_model(big, proxy_shape(Tier::tiny), shape.vocab_size, shape.length), 1e-2, 0}};
}

TEST(TorchBackendTest, DescribesItself) {
  EXPECT_THAT(backend().description(), HasSubstr("LibTorch 2.11.0"));
  EXPECT_THAT(backend().description(), HasSubstr("cpu"));
}

TEST(TorchBackendTest, KnowsTheShapeOfEveryTask) {
  for (const TaskInfo& task : task_table()) {
    if (task.name == "bytes") continue;  // reads files
    TrainingPlan plan;
    plan.task = task.name;
    const Backend::TaskShape shape = backend().task_shape(plan);
    EXPECT_GT(shape.vocab_size, 1) << task.name;
    EXPECT_GT(shape.length, 7) << task.name;
  }
}

TEST(TorchBackendTest, Trains) {
  TrainingPlan plan;
  plan.steps = 4;
  plan.batch = 4;
  plan.test_batch = 4;
  plan.report_every = 2;
  const TrainingResult result = backend().train(members(backend().task_shape(plan)), plan, {}, {});
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(result.runs.at(0).curve.size(), 2u);
  EXPECT_GE(result.runs[0].tests.size(), 2u);
}

TEST(TorchBackendTest, WithoutACurriculumTheHardestLoadComesFirst) {
  TrainingPlan plan;
  plan.task = "haystack";
  plan.steps = 1;
  plan.batch = plan.test_batch = 4;
  std::vector<std::int64_t> tokens;
  for (const bool curriculum : {true, false}) {
    plan.curriculum = curriculum;
    const Backend::TaskShape shape = backend().task_shape(plan);
    const TrainingResult result = backend().train(members(shape), plan, {}, {});
    EXPECT_EQ(shape.length, curriculum ? 16 : 64);
    tokens.push_back(std::llround(result.tokens_per_s * result.elapsed_s));
  }
  EXPECT_EQ(tokens, (std::vector<std::int64_t>{4 * 16, 4 * 64}));
}

TEST(TorchBackendTest, ErrorsOfInputArriveAsSpecErrors) {
  TrainingPlan plan;
  const std::vector<Member> some = members(backend().task_shape(plan));
  plan.task = "mqrr";
  EXPECT_THAT(problems_of([&] { backend().train(some, plan, {}, {}); }), ElementsAre(problem("task", "mqar")));
  plan.task = "bytes";
  plan.text = "/nowhere/text";
  EXPECT_THAT(problems_of([&] { backend().train(some, plan, {}, {}); }), ElementsAre(problem("text", "/nowhere/text")));
  plan = {};
  plan.device = "gpu";
  EXPECT_THAT(problems_of([&] { backend().train(some, plan, {}, {}); }), ElementsAre(problem("device", "\"gpu\"")));
}

TEST(TorchBackendTest, AGpuThatIsNotThereIsUnavailableInOneLine) {
  if (backend().description().find("cuda") != std::string::npos) GTEST_SKIP() << "there is one";
  TrainingPlan plan;
  plan.device = "cuda";
  try {
    backend().train(members(backend().task_shape(plan)), plan, {}, {});
    FAIL() << "trained on a GPU that is not there";
  } catch (const Unavailable& error) {
    EXPECT_THAT(error.what(), HasSubstr("--device cuda"));
    EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
  }
}

}  // namespace
}  // namespace plait::proxy
