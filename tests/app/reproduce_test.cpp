#include "src/app/reproduce.h"

#include <gmock/gmock.h>

#include "tests/support/expect_problems.h"
#include "tests/support/fake_backend.h"

namespace plait::app {
namespace {

using plait::testing::FakeBackend;
using plait::testing::problem;
using plait::testing::problems_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
  std::vector<ReproducedRow> equal(experiment.rows.size());
  for (ReproducedRow& row : equal) row.values = {0.5};
  for (const Claim& claim : experiment.claims) {
    EXPECT_FALSE(claim.holds(equal) && claim.text.find("at least half") == std::string::npos &&
                 claim.text.find("at most 0.75") == std::string::npos)
        << claim.text;
  }
  const bool all =
      std::ranges::all_of(experiment.rows, [](const PublishedRow& row) { return row.published.has_value(); });
  if (!all) return;
  std::vector<ReproducedRow> published(experiment.rows.size());
  for (std::size_t i = 0; i < published.size(); ++i) published[i].values = {*experiment.rows[i].published};
  for (const Claim& claim : experiment.claims) EXPECT_TRUE(claim.holds(published)) << claim.text;
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

TEST(ReproduceTest, RowsWithoutACurriculumTrainApartAndStandWhereTheyWereListed) {
  FakeBackend backend;
  backend.knows = [&](const proxy::Member&) { return backend.calls.back().plan.curriculum ? 0.9 : 0.1; };
  const Reproduction& reproduction = find_reproduction("haystack");
  const Reproduced result =
      reproduce(backend, reproduction, proxy::Tier::tiny, reproduction.make(proxy::Tier::tiny), {}, {});
  ASSERT_EQ(backend.calls.size(), 2u);
  std::size_t without = 0;
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    const bool curriculum = result.experiment.rows[i].curriculum;
    EXPECT_NEAR(result.rows[i].mean(), curriculum ? 0.9 : 0.1, 1e-9) << result.experiment.rows[i].label;
    without += !curriculum;
  }
  EXPECT_EQ(without, 3u);
}

TEST(ReproduceTest, ARowThatFailedGivesNoVerdict) {
  FakeBackend backend;
  backend.failure = [](const proxy::Member& m) {
    return std::string(spec::count_full(m.model.layout) == 0 ? "diverged: at step 1" : "");
  };
  const Reproduction& reproduction = find_reproduction("attention_first");
  const Reproduced result =
      reproduce(backend, reproduction, proxy::Tier::tiny, reproduction.make(proxy::Tier::tiny), {}, {});
  for (const Claim& claim : result.experiment.claims) EXPECT_EQ(verdict(result, claim), "not looked at: a row failed");
  EXPECT_THAT(reproduced_markdown(result), HasSubstr("| no attention: GGGG | 0.510 | diverged: at step 1 |"));
}

}  // namespace
}  // namespace plait::app
