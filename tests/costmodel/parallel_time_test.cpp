#include "costmodel/parallel_time.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "costmodel/collective.h"
#include "tests/costmodel/models.h"

namespace plait::costmodel {
namespace {

using spec::Dim;

/// Layers of every mixer at a width that 8 ranks can share.
spec::ModelSpec arbitrary_model(std::size_t layers) {
  auto spec = model(1024, 4096, *rc::gen::arbitrary<bool>());
  for (std::size_t i = 0; i < layers; ++i) {
    const auto index = *rc::gen::inRange<std::size_t>(0, std::variant_size_v<spec::Mixer>);
    spec.layout.layers.push_back({.mixer = spec::default_mixer(index, 1024), .channel_mixer = spec::SwiGlu{2048}});
  }
  return spec;
}

spec::ModelSpec attention_model(std::size_t layers) {
  auto spec = model(4096, 32000);
  spec.layout.layers.assign(layers, {.mixer = attention(32, 8, 128), .channel_mixer = spec::SwiGlu{14336}});
  return spec;
}

RC_GTEST_PROP(ParallelTimeTest, OneDeviceServesInTheTimesOfTheReport, ()) {
  const auto spec = arbitrary_model(*rc::gen::inRange<std::size_t>(1, 5));
  const spec::Workload workload{.context = *rc::gen::inRange<Dim>(1, 100'000), .batch = *rc::gen::inRange<Dim>(1, 64)};
  const auto report = cost_report(spec, workload, h100());
  const auto time = serving_time(spec, workload, {}, h100()).value();
  RC_ASSERT(time.prefill == report.prefill);
  RC_ASSERT(time.decode_step == report.decode_step);
  RC_ASSERT(time.prefill_communication == Estimate{});
  RC_ASSERT(time.decode_communication == Estimate{});
}

RC_GTEST_PROP(ParallelTimeTest, IntervalsHoldTheirValuesAndCommunicationIsAPart, ()) {
  const auto spec = arbitrary_model(4);
  const Parallelism p{.tensor = *rc::gen::element<Dim>(1, 2, 4),
                      .pipeline = *rc::gen::element<Dim>(1, 2),
                      .data = *rc::gen::element<Dim>(1, 4, 16)};
  RC_PRE(divides(p, spec));
  const spec::Workload workload{.context = 4096, .batch = 64};
  const Training training{.zero_stage = *rc::gen::inRange(0, 4)};
  const auto time = training_time(spec, workload, p, training, h100()).value();
  RC_ASSERT(0 < time.step.low);
  RC_ASSERT(time.step.low <= time.step.value);
  RC_ASSERT(time.step.value <= time.step.high);
  RC_ASSERT(time.communication.value < time.step.value);
  RC_ASSERT(time.communication.high < time.step.high);
  RC_ASSERT(time.bubble_share >= 0);
  RC_ASSERT(time.bubble_share < 1);
  const double rate = time.tokens_per_s_per_device.value * static_cast<double>(p.devices()) * time.step.value;
  RC_ASSERT(std::abs(rate / (64 * 4096) - 1) < 1e-9);
}

RC_GTEST_PROP(ParallelTimeTest, ADeviceOfManyComputesNoLongerThanTheOneThatIsAlone, ()) {
  const auto spec = arbitrary_model(2);
  const spec::Workload workload{.context = 8192, .batch = 8};
  Parallelism p;
  switch (*rc::gen::inRange(0, 3)) {
    case 0: p.tensor = 2; break;
    case 1: p.data = 4; break;
    default: p.context = 2; break;
  }
  RC_PRE(divides(p, spec));
  const auto one = serving_time(spec, workload, {}, h100()).value();
  const auto many = serving_time(spec, workload, p, h100()).value();
  RC_ASSERT(many.prefill.value - many.prefill_communication.value <= one.prefill.value * (1 + 1e-12));
  RC_ASSERT(many.decode_step.value - many.decode_communication.value <= one.decode_step.value * (1 + 1e-12));
}

TEST(ParallelTimeTest, NoStepIsFasterThanItsFlopsAtThePeak) {
  const auto spec = attention_model(4);
  const spec::Workload workload{.context = 8192, .batch = 8};
  const auto flops = static_cast<double>(cost_report(spec, workload, h100()).training_flops);
  for (const Parallelism& p : {Parallelism{}, Parallelism{.tensor = 8}, Parallelism{.pipeline = 4},
                               Parallelism{.data = 8}, Parallelism{.context = 4}}) {
    const auto time = training_time(spec, workload, p, {}, h100()).value();
    EXPECT_GT(time.step.low * static_cast<double>(p.devices()) * h100().peak(spec::DType::bf16), flops);
  }
}

// (p - 1) / (m v + p - 1) of a step waits for other stages: arXiv 2104.04473, section 2.2.
TEST(ParallelTimeTest, ThePipelineWaitsAsLongAsItsPaperSays) {
  auto spec = attention_model(16);
  spec.vocab_size = 8;  // equal stages
  const spec::Workload workload{.context = 8192, .batch = 8};
  const auto share = [&](Dim interleave) {
    return training_time(spec, workload, {.pipeline = 4}, {.interleave = interleave}, h100()).value().bubble_share;
  };
  EXPECT_NEAR(share(1), 3.0 / (8 + 3), 0.01);
  EXPECT_NEAR(share(4), 3.0 / (8 * 4 + 3), 0.01);
}

TEST(ParallelTimeTest, NothingIsSaidAboutDevicesWithoutKnownLinks) {
  const auto spec = attention_model(2);
  const auto laptop = find_hardware("laptop_cpu");
  EXPECT_TRUE(serving_time(spec, {}, {}, laptop).has_value());
  EXPECT_TRUE(training_time(spec, {}, {}, {}, laptop).has_value());
  EXPECT_FALSE(serving_time(spec, {}, {.tensor = 2}, laptop).has_value());
  EXPECT_FALSE(training_time(spec, {}, {.data = 2}, {}, laptop).has_value());
}

TEST(ParallelTimeTest, ExpertParallelismReadsFewerExpertsAndSendsTokens) {
  auto spec = model(2048, 32000);
  spec.layout.layers.assign(4, {.mixer = attention(16, 16, 128),
                                .channel_mixer = spec::MoE{.experts = 64, .active = 8, .expert_width = 1024}});
  const spec::Workload workload{.context = 1024, .batch = 64};
  const auto dense = serving_time(spec, workload, {.data = 8}, h100()).value();
  const auto dealt = serving_time(spec, workload, {.data = 8, .expert = 8}, h100()).value();
  EXPECT_LT(dealt.decode_step.value - dealt.decode_communication.value, dense.decode_step.value);
  EXPECT_EQ(dense.decode_communication.value, 0);
  EXPECT_GT(dealt.decode_communication.value, 0);
}

TEST(CollectiveTest, ARingMovesTwiceAllButOnesOwnShare) {
  const Op reduce = all_reduce(8e6, {.size = 8}, h100());
  EXPECT_EQ(reduce.kind, OpKind::node_collective);
  EXPECT_DOUBLE_EQ(reduce.bytes, 2 * 8e6 * 7 / 8);
  EXPECT_DOUBLE_EQ(all_gather(8e6, {.size = 8}, h100()).bytes, 8e6 * 7 / 8);
  EXPECT_EQ(all_reduce(8e6, {.size = 1}, h100()).launches, 0);
}

TEST(CollectiveTest, BetweenNodesEveryDeviceCarriesItsShare) {
  // 16 devices on two nodes: eight adapters a node.
  const Op reduce = all_reduce(8e3, {.size = 16}, h100());
  EXPECT_EQ(reduce.kind, OpKind::network_collective);
  EXPECT_DOUBLE_EQ(reduce.bytes, 2 * 8e3 * 15 / 16 / 8);
  EXPECT_EQ(all_reduce(8e3, {.size = 64}, h100()).launches, 3) << "a tree of eight nodes";
  // The same number, each on a node of its own.
  EXPECT_DOUBLE_EQ(all_reduce(8e6, {.size = 16, .stride = 8}, h100()).bytes, 2 * 8e6 * 15 / 16);
}

TEST(CollectiveTest, ATokenGoesOnceToEveryNodeThatHasOneOfItsExperts) {
  // 8 copies over 16 devices of two nodes: both nodes nearly always, one of them the token's own.
  const Op op = dispatch(1e6, 8, {.size = 16}, h100());
  EXPECT_EQ(op.kind, OpKind::network_collective);
  EXPECT_NEAR(op.bytes, 1e6 * 2 * (1 - 1.0 / 256) / 2, 1);
  const Op inside = dispatch(1e6, 8, {.size = 8}, h100());
  EXPECT_EQ(inside.kind, OpKind::node_collective);
  EXPECT_NEAR(inside.bytes, 1e6 * 8 * (1 - std::pow(7.0 / 8, 8)) * 7 / 8, 1);
}

}  // namespace
}  // namespace plait::costmodel
