#include "src/evaluate/proxy_population.h"

#include <gmock/gmock.h>

#include "src/spec/notation.h"
#include "tests/support/fake_backend.h"

namespace plait::evaluate {
namespace {

using plait::testing::FakeBackend;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

ProxyCandidate candidate(const std::string& notation, std::vector<double> rates = {5e-3, 1e-2}) {
  spec::ModelSpec model;
  model.d_model = 32;
  model.layout = spec::parse_layout(notation, spec::Palette::defaults(32));
  model.name = notation;
  return {std::move(model), std::move(rates)};
}

proxy::TrainingPlan plan() {
  proxy::TrainingPlan out;
  out.steps = 10;
  out.report_every = 5;
  return out;
}

TEST(ProxyPopulationTest, TrainsEverythingOfOneDepthInOnePopulation) {
  const FakeBackend backend;
  const std::vector<ProxyCandidate> candidates = {candidate("GG*G"), candidate("GGGG", {1e-2}), candidate("G*")};
  const ProxyPopulation result = train_candidates(backend, candidates, 3, plan(), {}, {});
  ASSERT_THAT(backend.calls, SizeIs(2));
  EXPECT_THAT(backend.calls[0].members, SizeIs(2 * 3));      // two layers
  EXPECT_THAT(backend.calls[1].members, SizeIs(2 * 3 + 3));  // four layers
  EXPECT_EQ(result.members, 15u);
  ASSERT_THAT(result.outcomes, SizeIs(3));
  for (std::size_t i = 0; i < candidates.size(); ++i) EXPECT_EQ(result.outcomes[i].score.seeds, 3u) << i;
}

TEST(ProxyPopulationTest, TheTimeLeftIsThatOfAllPopulations) {
  const FakeBackend backend;
  const std::vector<ProxyCandidate> candidates = {candidate("GG*G"), candidate("GGGG"), candidate("G*")};
  std::vector<std::pair<double, double>> times;  // of 2 members, then 4, a second each population
  train_candidates(backend, candidates, 1, plan(), {},
                   [&](const proxy::TrainingProgress& now) { times.emplace_back(now.elapsed_s, now.eta_s); });
  EXPECT_THAT(times, ElementsAre(std::pair(0.5, 2.5), std::pair(1.0, 2.0), std::pair(1.5, 0.5), std::pair(2.0, 0.0)));
}

TEST(ProxyPopulationTest, EveryCandidateCountsAtItsOwnBestLearningRate) {
  const FakeBackend backend;
  const std::vector<ProxyCandidate> candidates = {candidate("GG*G"), candidate("GGGG")};
  const ProxyPopulation result = train_candidates(backend, candidates, 1, plan(), {}, {});
  EXPECT_EQ(result.outcomes[0].learning_rate, 5e-3);
  EXPECT_EQ(result.outcomes[1].learning_rate, 1e-2);
  EXPECT_NEAR(result.outcomes[0].score.information, 0.899, 1e-12);
  EXPECT_NEAR(result.outcomes[1].score.information, 0.5, 1e-12);
}

TEST(ProxyPopulationTest, OnThePlateauTheLowerCrossEntropyDecides) {
  FakeBackend backend;
  backend.knows = [](const proxy::Member& m) {
    return m.learning_rate < 1e-2 ? -0.5 : -0.1;
  };  // information is 0 for both
  const ProxyPopulation result = train_candidates(backend, std::vector{candidate("GGGG")}, 1, plan(), {}, {});
  EXPECT_EQ(result.outcomes[0].score.information, 0);
  EXPECT_EQ(result.outcomes[0].learning_rate, 1e-2);
}

TEST(ProxyPopulationTest, ALearningRateThatDivergesLosesToOneThatDoesNot) {
  FakeBackend backend;
  backend.failure = [](const proxy::Member& m) {
    return m.learning_rate >= 1e-2 ? std::string("diverged: step 3") : "";
  };
  const ProxyPopulation result = train_candidates(backend, std::vector{candidate("GGGG")}, 2, plan(), {}, {});
  EXPECT_EQ(result.outcomes[0].learning_rate, 5e-3);
  EXPECT_EQ(result.outcomes[0].score.seeds, 2u);
}

TEST(ProxyPopulationTest, AModelThatCannotBeRunLeavesTheOthersTraining) {
  FakeBackend backend;
  backend.unsupported = [](const proxy::Member& m) {
    return m.model.name == "MMMM" ? std::string("no Mamba here") : "";
  };
  const std::vector<ProxyCandidate> candidates = {candidate("MMMM"), candidate("GGGG")};
  const ProxyPopulation result = train_candidates(backend, candidates, 1, plan(), {}, {});
  EXPECT_EQ(result.outcomes[0].unsupported, "no Mamba here");
  EXPECT_THAT(result.outcomes[1].unsupported, IsEmpty());
  EXPECT_EQ(result.outcomes[1].score.seeds, 1u);
}

TEST(ProxyPopulationTest, AProblemOfTheWholeTrainingPassesThrough) {
  struct Broken : FakeBackend {
    proxy::TrainingResult train(std::span<const proxy::Member>, const proxy::TrainingPlan&, std::stop_token,
                                const proxy::TrainingObserver&) const override {
      throw spec::SpecError("device", "is no device");
    }
  } backend;
  EXPECT_THROW(train_candidates(backend, std::vector{candidate("GGGG")}, 1, plan(), {}, {}), spec::SpecError);
}

TEST(ProxyPopulationTest, CheckpointsOfDifferentTrainingsHaveDifferentFilesAndAreRemoved) {
  const std::filesystem::path folder = ::testing::TempDir() + "/plait_population_test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "journal.jsonl") << "kept";
  const FakeBackend backend;
  proxy::TrainingPlan with_folder = plan();
  with_folder.checkpoint = folder;
  const std::vector<ProxyCandidate> candidates = {candidate("GG*G"), candidate("G*")};
  train_candidates(backend, candidates, 1, with_folder, {}, {});
  with_folder.steps = 20;
  train_candidates(backend, candidates, 1, with_folder, {}, {});
  with_folder.curriculum = false;
  train_candidates(backend, candidates, 1, with_folder, {}, {});
  std::set<std::filesystem::path> files;
  for (const auto& call : backend.calls) files.insert(call.plan.checkpoint);
  EXPECT_THAT(files, SizeIs(6));
  for (const auto& call : backend.calls) EXPECT_EQ(call.first_step, 0);

  train_candidates(backend, candidates, 1, with_folder, {}, {});
  EXPECT_EQ(backend.calls.back().first_step, 20) << "an equal training goes on from its own file";
  remove_checkpoints(folder);
  EXPECT_TRUE(std::filesystem::exists(folder / "journal.jsonl"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST(ProxyPopulationTest, StoppedTrainingsGiveNoOutcome) {
  FakeBackend backend;
  std::stop_source stop;
  backend.at_step = [&](std::int64_t step) {
    if (step == 4) stop.request_stop();
  };
  const ProxyPopulation result =
      train_candidates(backend, std::vector{candidate("GGGG")}, 1, plan(), stop.get_token(), {});
  EXPECT_FALSE(result.finished);
  EXPECT_THAT(result.outcomes, IsEmpty());
}

}  // namespace
}  // namespace plait::evaluate
