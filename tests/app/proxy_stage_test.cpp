#include "src/app/proxy_stage.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "src/app/results.h"
#include "tests/support/fake_backend.h"

namespace plait::app {
namespace {

namespace fs = std::filesystem;
using plait::testing::FakeBackend;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Crash {};

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class ProxyStageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  static StudySpec quickstart() { return read_study(std::string(PLAIT_SOURCE_DIR) + "/examples/quickstart.json", {}); }

  StudyResults run(const fs::path& out, const ProxyRequest* request, bool resume = false, std::stop_token stop = {}) {
    const auto built = build_study(quickstart());
    return run_study(
        *built, out, resume, stop, {}, [](const std::string&) {}, request);
  }
  ProxyRequest request() { return {.backend = &backend}; }

  fs::path folder = fs::path(::testing::TempDir()) / "plait_proxy_stage_test";
  FakeBackend backend;
};

TEST_F(ProxyStageTest, TrainsTheRecommendedBothEndsAndThePureBaselinesWithinTheBound) {
  const StudyResults results = run({}, nullptr);
  const evaluate::ProxyEvaluator evaluator(results.spec.model, {.backend = &backend});
  for (const std::size_t limit : {5u, 6u, 24u}) {
    const std::string best = recommended(results)->id;
    const ProxyField field{results.front, results.baselines, best};
    const auto chosen = choose_for_proxies(field, results.spec, evaluator, limit);
    std::set<std::string> ids;
    std::vector<spec::ModelSpec> proxies;
    for (const search::Trial& trial : chosen) {
      ids.insert(trial.id);
      spec::ModelSpec proxy = evaluator.proxy_model(model_of(results, trial).layout);
      if (std::ranges::find(proxies, proxy) == proxies.end()) proxies.push_back(std::move(proxy));
    }
    EXPECT_LE(proxies.size(), limit);
    EXPECT_EQ(ids.size(), chosen.size()) << "none twice";
    for (const std::string& id :
         {best, results.front.front().id, results.front.back().id, std::string("b0"), std::string("b1")}) {
      EXPECT_TRUE(ids.contains(id)) << id << " of " << limit;
    }
  }
}

TEST_F(ProxyStageTest, EveryFrontTrialWithATrainedProxyIsMeasuredAndNoOther) {
  const StudyResults results = run({}, nullptr);
  const evaluate::ProxyEvaluator evaluator(results.spec.model, {.backend = &backend});
  const ProxyField field{results.front, results.baselines, ""};
  const auto chosen = choose_for_proxies(field, results.spec, evaluator, 3);
  std::vector<spec::ModelSpec> proxies;
  for (const search::Trial& trial : chosen) proxies.push_back(evaluator.proxy_model(model_of(results, trial).layout));
  for (const search::Trial& trial : results.front) {
    const bool shares =
        std::ranges::find(proxies, evaluator.proxy_model(model_of(results, trial).layout)) != proxies.end();
    const bool is_chosen = std::ranges::any_of(chosen, [&](const search::Trial& c) { return c.id == trial.id; });
    EXPECT_EQ(shares, is_chosen) << trial.layout;
  }
}

TEST_F(ProxyStageTest, NothingIsMeasuredWithoutAFront) {
  const evaluate::ProxyEvaluator evaluator(spec::ModelSpec{}, {.backend = &backend});
  EXPECT_THAT(choose_for_proxies({}, quickstart(), evaluator, 6), IsEmpty());
}

TEST_F(ProxyStageTest, MeasuredScoresJoinTheTrialsTheFrontAndTheJson) {
  const ProxyRequest proxies = request();
  const StudyResults results = run(folder, &proxies);
  ASSERT_FALSE(results.measurements.empty());
  const search::Trial& best = *recommended(results);
  const search::Value* recall = score(best, "proxy_recall");
  ASSERT_NE(recall, nullptr);
  EXPECT_EQ(recall->source, search::Source::measured);

  const spec::Json json = spec::Json::parse(results_json(results));
  const auto on_trials =
      std::ranges::count_if(results.measurements, [](const auto& m) { return !m.id.starts_with("mb"); });
  EXPECT_GT(on_trials, 0);
  EXPECT_EQ(json["counts"]["measured"], on_trials);
  const auto point = std::ranges::find_if(json["front"], [&](const auto& p) { return p["trial"] == best.id; });
  EXPECT_EQ((*point)["metrics"]["proxy_recall"]["source"], "measured");
  EXPECT_THAT((*point)["measured"].get<std::string>(), HasSubstr("tiny on cpu: mqar"));
  EXPECT_EQ(json["baselines"][0]["metrics"]["proxy_recall"]["source"], "measured");
  EXPECT_TRUE(std::ranges::any_of(results.metrics, [](const auto& m) { return m.name == "proxy_recall"; }));
}

TEST_F(ProxyStageTest, TheFolderReadsBackToTheSameResults) {
  const ProxyRequest proxies = request();
  const StudyResults results = run(folder, &proxies);
  const StudyResults loaded = load_results(folder);
  EXPECT_EQ(results_json(loaded), results_json(results));
  EXPECT_EQ(results_json(loaded), bytes_of(folder / "results.json"));
  report::Figure figure = report::make_figure(result_table(loaded), "kv_cache_bytes", "proxy_recall");
  EXPECT_EQ(figure.points.size(), loaded.measurements.size());
  figure = report::make_figure(result_table(loaded), "kv_cache_bytes", "recall");
  EXPECT_EQ(std::ranges::count_if(figure.points, [](const auto& p) { return !p.measured.empty(); }),
            static_cast<std::ptrdiff_t>(loaded.measurements.size()));
}

TEST_F(ProxyStageTest, TheCurvesOfEveryTrainedModelStandBesideTheJournal) {
  const ProxyRequest proxies = request();
  const StudyResults results = run(folder, &proxies);
  ASSERT_FALSE(results.curves.empty());
  // Every measured trial belongs to one proxy model, and each of these has a curve per seed.
  std::set<std::string> ids, models;
  for (const MeasuredCurve& measured : results.curves) {
    for (const std::string& id : measured.trials) ids.insert(search::measurement_id(find_trial(results, id)));
    models.insert(measured.trials.front());
    EXPECT_EQ(measured.curve.task, "mqar");
    EXPECT_FALSE(measured.curve.points.empty());
  }
  EXPECT_EQ(ids.size(), results.measurements.size());
  const std::size_t seeds = evaluate::proxy_ladder(proxy::Tier::tiny)[0].seeds;
  EXPECT_EQ(results.curves.size(), models.size() * seeds);

  const StudyResults loaded = load_results(folder);
  ASSERT_EQ(loaded.curves.size(), results.curves.size());
  for (std::size_t i = 0; i < loaded.curves.size(); ++i) {
    EXPECT_EQ(loaded.curves[i].trials, results.curves[i].trials);
    EXPECT_EQ(loaded.curves[i].curve.learning_rate, results.curves[i].curve.learning_rate);
    ASSERT_EQ(loaded.curves[i].curve.points.size(), results.curves[i].curve.points.size());
    EXPECT_EQ(loaded.curves[i].curve.points.back().accuracy, results.curves[i].curve.points.back().accuracy);
  }
  const auto groups = curve_groups(loaded.curves);
  ASSERT_EQ(groups.size(), 1u);
  const report::LineChart chart =
      curve_chart(loaded.curves, groups[0], CurveQuantity::loss, [](const auto& c) { return c.trials.front(); });
  EXPECT_EQ(chart.lines.size(), loaded.curves.size());
  EXPECT_EQ(chart.lines.back().group + 1, models.size());

  // A resumed search takes its curves from there, and goes on without them when they cannot be read.
  EXPECT_EQ(run(folder, &proxies, true).curves.size(), results.curves.size());
  std::ofstream(folder / "learning_curves.json") << "{";
  const StudyResults without = load_results(folder);
  EXPECT_TRUE(without.curves.empty());
  EXPECT_THAT(without.warning, HasSubstr("learning_curves.json"));
  EXPECT_EQ(results_json(without), results_json(results));
}

TEST_F(ProxyStageTest, ACrashInATrainingGoesOnFromItsCheckpointToTheSameBytes) {
  ProxyRequest proxies = request();
  proxies.ladder = {{.tasks = {{"mqar"}}, .steps = 200, .learning_rates = {5e-3, 1e-2}},
                    {.tasks = {{"mqar"}}, .steps = 800, .seeds = 2, .learning_rates = {}}};
  run(folder / "whole", &proxies);
  int training = 0;
  for (const auto& [nth, crash_at] : {std::pair<int, std::int64_t>{0, 120}, {0, 60}, {1, 400}}) {
    backend.calls.clear();
    backend.at_step = [&, n = nth, at = crash_at](std::int64_t step) {
      if (static_cast<int>(backend.calls.size()) == n + 1 && step >= at) throw Crash{};
    };
    EXPECT_THROW(run(folder / "broken", &proxies, true), Crash) << training;
    ++training;
  }
  EXPECT_THAT(bytes_of(folder / "broken" / "journal.jsonl"), Not(HasSubstr("proxy_recall")));
  backend.at_step = [](std::int64_t) {};
  backend.calls.clear();
  run(folder / "broken", &proxies, true);
  EXPECT_GT(backend.calls.back().first_step, 0) << "it did not start again from nothing";
  for (const char* file : {"journal.jsonl", "results.json"}) {
    EXPECT_EQ(bytes_of(folder / "broken" / file), bytes_of(folder / "whole" / file)) << file;
  }
  for (const auto& entry : fs::directory_iterator(folder / "broken")) {
    EXPECT_NE(entry.path().extension(), ".checkpoint") << entry.path();
  }
}

TEST_F(ProxyStageTest, AJournalThatWasCutInsideTheMeasurementsIsCompleted) {
  const ProxyRequest proxies = request();
  run(folder, &proxies);
  const std::string whole = bytes_of(folder / "journal.jsonl");
  std::size_t cut = whole.find("\"id\":\"m");
  cut = whole.find('\n', cut) + 30;  // the first measurement and a torn line
  std::ofstream(folder / "journal.jsonl", std::ios::binary | std::ios::trunc) << whole.substr(0, cut);
  run(folder, &proxies, true);
  EXPECT_EQ(bytes_of(folder / "journal.jsonl"), whole);
}

TEST_F(ProxyStageTest, AFinishedSearchCanBeMeasuredLaterAndOnlyOnce) {
  run(folder, nullptr);
  const ProxyRequest proxies = request();
  const StudyResults later = run(folder, &proxies, true);
  EXPECT_FALSE(later.measurements.empty());
  backend.calls.clear();
  const StudyResults again = run(folder, &proxies, true);
  EXPECT_THAT(backend.calls, IsEmpty());
  EXPECT_EQ(results_json(again), results_json(later));
  EXPECT_EQ(results_json(run(folder, nullptr, true)), results_json(later)) << "measurements stay without --proxy";
}

TEST_F(ProxyStageTest, AnotherTierInTheSameFolderIsRefused) {
  ProxyRequest proxies = request();
  run(folder, &proxies);
  proxies.tier = proxy::Tier::small;
  try {
    run(folder, &proxies, true);
    FAIL() << "measurements of two tiers would stand side by side";
  } catch (const search::JournalError& error) {
    EXPECT_THAT(error.what(), HasSubstr("\"tiny on cpu\", not \"small on cpu\""));
  }
}

TEST_F(ProxyStageTest, AStopLeavesTheSearchAndContinues) {
  std::stop_source stop;
  backend.at_step = [&](std::int64_t step) {
    if (step == 100) stop.request_stop();
  };
  const ProxyRequest proxies = request();
  const StudyResults stopped = run(folder, &proxies, false, stop.get_token());
  EXPECT_FALSE(stopped.finished);
  EXPECT_FALSE(stopped.front.empty());
  EXPECT_FALSE(fs::exists(folder / "results.json"));
  backend.at_step = [](std::int64_t) {};
  EXPECT_TRUE(run(folder, &proxies, true).finished);
}

TEST_F(ProxyStageTest, AFailedTrainingIsRecordedAndLeavesTheTrialsScores) {
  backend.failure = [](const proxy::Member& m) {
    return std::string(spec::count_full(m.model.layout) == 0 ? "diverged: at step 3" : "");
  };
  const ProxyRequest proxies = request();
  const StudyResults results = run(folder, &proxies);
  const search::Trial& pure = find_trial(results, "b1");
  EXPECT_EQ(score(pure, "proxy_recall"), nullptr);
  EXPECT_NE(score(pure, "recall"), nullptr);
  EXPECT_THAT(bytes_of(folder / "journal.jsonl"), HasSubstr("\"failure\":{\"kind\":\"diverged\""));
  EXPECT_EQ(results_json(load_results(folder)), results_json(results));
}

}  // namespace
}  // namespace plait::app
