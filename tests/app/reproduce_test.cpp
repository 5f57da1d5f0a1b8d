#include "src/app/reproduce.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "tests/search/temp_dir.h"
#include "tests/support/expect_problems.h"
#include "tests/support/fake_backend.h"

namespace plait::app {
namespace {

using plait::testing::FakeBackend;
using plait::testing::problem;
using plait::testing::problems_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// As if trained: one value for each row.
Reproduced table_of(const Experiment& experiment, std::span<const double> values) {
  Reproduced out;
  out.experiment = experiment;
  for (const double value : values) out.rows.emplace_back().values = {value};
  return out;
}

class EveryReproduction : public ::testing::TestWithParam<std::tuple<std::size_t, proxy::Tier>> {
 protected:
  const Reproduction& reproduction() const { return reproductions()[std::get<0>(GetParam())]; }
  proxy::Tier tier() const { return std::get<1>(GetParam()); }
};

TEST_P(EveryReproduction, HasRunnableRowsSourcesAndClaims) {
  const Experiment experiment = reproduction().make(tier());
  EXPECT_FALSE(reproduction().source.empty());
  EXPECT_FALSE(experiment.claims.empty());
  EXPECT_FALSE(experiment.notes.empty());
  EXPECT_TRUE(std::ranges::any_of(experiment.rows, [](const PublishedRow& row) { return row.published.has_value(); }));
  spec::Problems problems;
  for (const PublishedRow& row : experiment.rows) {
    EXPECT_FALSE(row.learning_rates.empty()) << row.label;
    spec::validate(row.model, row.label, problems);
  }
  EXPECT_NO_THROW(problems.throw_if_any());
}

TEST_P(EveryReproduction, ClaimsHoldForThePublishedValuesAndNotWhenAllAreEqual) {
  const Experiment experiment = reproduction().make(tier());
  const Reproduced equal = table_of(experiment, std::vector(experiment.rows.size(), 0.5));
  for (const Claim& claim : experiment.claims) {
    EXPECT_FALSE(verdict(equal, claim) == "as published" && claim.text.find("at least half") == std::string::npos &&
                 claim.text.find("at most 0.75") == std::string::npos)
        << claim.text;
  }
  const bool all =
      std::ranges::all_of(experiment.rows, [](const PublishedRow& row) { return row.published.has_value(); });
  if (!all) return;
  std::vector<double> values;
  for (const PublishedRow& row : experiment.rows) values.push_back(*row.published);
  const Reproduced published = table_of(experiment, values);
  for (const Claim& claim : experiment.claims) EXPECT_EQ(verdict(published, claim), "as published") << claim.text;
  EXPECT_TRUE(all_as_published(published));
}

INSTANTIATE_TEST_SUITE_P(Table, EveryReproduction,
                         ::testing::Combine(::testing::Range<std::size_t>(0, reproductions().size()),
                                            ::testing::Values(proxy::Tier::tiny, proxy::Tier::small,
                                                              proxy::Tier::full)));

TEST(ReproduceTest, AnUnknownNameListsTheKnownAndTheClosest) {
  EXPECT_THAT(problems_of([] { find_reproduction("recall_memry"); }),
              ElementsAre(problem("NAME", "did you mean \"recall_memory\"?")));
}

TEST(ReproduceTest, TheTableShowsBothNumbersAndAHonestVerdict) {
  FakeBackend backend;
  const Reproduction& reproduction = find_reproduction("attention_first");
  const auto with = [&](double first) {
    backend.knows = [=](const proxy::Member& m) {
      if (spec::count_full(m.model.layout) == 0) return 0.5;
      return spec::is_full_attention(m.model.layout.layers[0].mixer) ? first : 1.0;
    };
    return reproduce(backend, reproduction, proxy::Tier::tiny, reproduction.make(proxy::Tier::tiny), {}, {});
  };
  const std::string as_published = reproduced_markdown(with(0.09));
  EXPECT_THAT(as_published, HasSubstr("| attention first: *GGG | 0.094 | 0.090"));
  EXPECT_THAT(as_published, HasSubstr("at most 0.15 (median) | as published |"));
  EXPECT_THAT(as_published, Not(HasSubstr("not as published")));
  EXPECT_THAT(reproduced_markdown(with(0.9)), HasSubstr("at most 0.15 (median) | not as published |"));
  const spec::Json json = spec::Json::parse(reproduced_json(with(0.9)));
  EXPECT_EQ(json["rows"][1]["published"], 0.094);
  EXPECT_EQ(json["rows"][1]["ours"], 0.9);
  EXPECT_EQ(json["claims"][0]["verdict"], "not as published");
}

TEST(ReproduceTest, RowsTrainOneAfterTheOtherWithTheirOwnCurriculum) {
  FakeBackend backend;
  backend.knows = [&](const proxy::Member&) { return backend.calls.back().plan.curriculum ? 0.9 : 0.1; };
  const Reproduction& reproduction = find_reproduction("haystack");
  std::size_t last = 0;
  const Reproduced result = reproduce(backend, reproduction, proxy::Tier::tiny, reproduction.make(proxy::Tier::tiny),
                                      {}, [&](const evaluate::ProxyProgress& progress) {
                                        EXPECT_GE(progress.training, last);
                                        last = progress.training;
                                        EXPECT_EQ(progress.trainings, 7u);
                                      });
  ASSERT_EQ(backend.calls.size(), 7u);
  EXPECT_EQ(last, 7u);
  std::size_t without = 0;
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    const bool curriculum = result.experiment.rows[i].curriculum;
    EXPECT_NEAR(result.rows[i].mean(), curriculum ? 0.9 : 0.1, 1e-9) << result.experiment.rows[i].label;
    without += !curriculum;
  }
  EXPECT_EQ(without, 3u);
}

TEST(ReproduceTest, SomeRowsKeepTheClaimsAboutThem) {
  const Experiment whole = find_reproduction("attention_first").make(proxy::Tier::tiny);
  const auto some = [&](std::vector<std::string> wanted) { return only_rows(whole, wanted); };
  const Experiment two = some({"first", "no attention"});
  ASSERT_EQ(two.rows.size(), 2u);
  EXPECT_EQ(two.rows[1].label, "attention first: *GGG");
  ASSERT_EQ(two.claims.size(), 3u);
  EXPECT_TRUE(all_as_published(table_of(two, std::vector{0.5, 0.09})));
  EXPECT_FALSE(all_as_published(table_of(two, std::vector{0.09, 0.5})));
  const Experiment haystack = find_reproduction("haystack").make(proxy::Tier::tiny);
  EXPECT_EQ(only_rows(haystack, std::vector<std::string>{"DeltaNet"}).rows.size(), 1u) << "not Gated DeltaNet";
  const Experiment one = some({"last"});
  EXPECT_TRUE(one.claims.empty());
  EXPECT_FALSE(all_as_published(table_of(one, std::vector{1.0}))) << "nothing was looked at";
  EXPECT_THAT(problems_of([&] { some({"fist"}); }), ElementsAre(problem("--row", "\"attention first: *GGG\"")));
}

TEST(ReproduceTest, AStoppedTableGoesOnFromItsLastReading) {
  const search::TempDir folder;
  const Reproduction& reproduction = find_reproduction("haystack");
  Experiment experiment = reproduction.make(proxy::Tier::tiny);
  experiment.plan.checkpoint = folder / "";
  FakeBackend backend;
  std::stop_source stop;
  backend.at_step = [&](std::int64_t step) {
    if (backend.calls.size() == 2 && step == 1000) stop.request_stop();
  };
  EXPECT_FALSE(reproduce(backend, reproduction, proxy::Tier::tiny, experiment, stop.get_token(), {}).finished);
  backend.calls.clear();
  const Reproduced resumed = reproduce(backend, reproduction, proxy::Tier::tiny, experiment, {}, {});
  ASSERT_EQ(backend.calls.size(), 7u);
  EXPECT_EQ(backend.calls[0].first_step, experiment.plan.steps) << "the first row was done";
  EXPECT_GE(backend.calls[1].first_step, 900);
  EXPECT_LT(backend.calls[1].first_step, 1001);
  EXPECT_TRUE(std::filesystem::is_empty(folder / "")) << "a finished table leaves no state";
  const Reproduced whole =
      reproduce(backend, reproduction, proxy::Tier::tiny, reproduction.make(proxy::Tier::tiny), {}, {});
  EXPECT_EQ(reproduced_markdown(resumed), reproduced_markdown(whole));
}

TEST(ReproduceTest, ARowThatFailedGivesNoVerdict) {
  FakeBackend backend;
  backend.failure = [](const proxy::Member& m) {
    return std::string(spec::count_full(m.model.layout) == 0 ? "diverged: at step 1" : "");
  };
  const Reproduction& reproduction = find_reproduction("attention_first");
  const Reproduced result =
      reproduce(backend, reproduction, proxy::Tier::tiny, reproduction.make(proxy::Tier::tiny), {}, {});
  for (const Claim& claim : result.experiment.claims) {
    const bool about_it = std::ranges::find(claim.rows, 0u) != claim.rows.end();
    EXPECT_EQ(verdict(result, claim) == "not looked at: a row failed", about_it) << claim.text;
  }
  EXPECT_FALSE(all_as_published(result));
  EXPECT_THAT(reproduced_markdown(result), HasSubstr("| no attention: GGGG | 0.510 | diverged: at step 1 |"));
}

}  // namespace
}  // namespace plait::app
