#include "costmodel/speculative.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/costmodel/models.h"

namespace plait::costmodel {
namespace {

using spec::Dim;

spec::ModelSpec three_to_one() {
  return periodic(model(2048, 32000), 24, gdn(8, 8, 256, 256), attention(32, 32, 64), 4, spec::SwiGlu{5632});
}

TEST(SpeculativeTest, TheDraftIsTheRecurrentPart) {
  const auto draft = recurrent_draft(three_to_one()).value();
  EXPECT_EQ(draft.layout.size(), 18u);
  EXPECT_EQ(spec::count_full(draft.layout), 0u);

  auto parallel = three_to_one();
  parallel.layout.layers.assign(
      4, {.mixer = spec::ParallelMixer{.branches = {attention(32, 8, 64), spec::Mamba2{.heads = 64}}}});
  const auto branches = recurrent_draft(parallel).value();
  ASSERT_EQ(branches.layout.size(), 4u);
  EXPECT_EQ(std::get<spec::ParallelMixer>(branches.layout.layers[0].mixer).branches.size(), 1u);

  auto pure = three_to_one();
  pure.layout.layers.assign(2, {.mixer = attention(32, 32, 64)});
  EXPECT_FALSE(recurrent_draft(pure).has_value());
  pure.layout.layers.assign(2, {.mixer = gdn(8, 8, 256, 256)});
  EXPECT_FALSE(recurrent_draft(pure).has_value());
}

TEST(SpeculativeTest, FollowsTheFormula) {
  const auto target = three_to_one();
  const auto draft = recurrent_draft(target).value();
  const spec::Workload workload{.context = 131'072, .batch = 1};
  const auto cost = speculative_cost(target, draft, workload, {.draft_tokens = 2, .acceptance = 0.5}, h100());
  EXPECT_DOUBLE_EQ(cost.tokens_per_round, 1.75);
  EXPECT_NEAR(cost.round.value, cost.verify_step.value + 2 * cost.draft_step.value, 1e-9);
  const auto plain = cost_report(target, workload, h100());
  EXPECT_DOUBLE_EQ(cost.speedup, plain.decode_step.value / (cost.round.value / 1.75));
  EXPECT_EQ(cost.extra_state_bytes, 2 * plain.state_bytes);
  EXPECT_LT(cost.verify_step.value, 1.2 * plain.decode_step.value) << "weights and cache are read once";
  EXPECT_GE(cost.verify_step.value, plain.decode_step.value);
  const auto all = speculative_cost(target, draft, workload, {.draft_tokens = 2, .acceptance = 1}, h100());
  EXPECT_DOUBLE_EQ(all.tokens_per_round, 3);
  const auto nothing = speculative_cost(target, draft, workload, {.draft_tokens = 2, .acceptance = 0}, h100());
  EXPECT_DOUBLE_EQ(nothing.tokens_per_round, 1);
  EXPECT_LT(nothing.speedup, 1);
}

RC_GTEST_PROP(SpeculativeTest, AcceptingMoreIsNeverSlower, ()) {
  const auto target = three_to_one();
  const auto draft = recurrent_draft(target).value();
  const spec::Workload workload{.context = *rc::gen::inRange<Dim>(1, 200'000)};
  const Dim k = *rc::gen::inRange<Dim>(1, 9);
  const int alpha = *rc::gen::inRange(0, 100);
  const auto speed = [&](int percent) {
    return speculative_cost(target, draft, workload, {.draft_tokens = k, .acceptance = percent / 100.0}, h100())
        .speedup;
  };
  RC_ASSERT(speed(alpha) <= speed(alpha + 1));
}

TEST(SpeculativeTest, RefusesWhatIsOutOfRange) {
  spec::Problems problems;
  validate(Speculation{.draft_tokens = 0, .acceptance = 1.5}, "speculation", problems);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems.list()[0].path, "speculation.draft_tokens");
  EXPECT_EQ(problems.list()[1].path, "speculation.acceptance");
}

}  // namespace
}  // namespace plait::costmodel
