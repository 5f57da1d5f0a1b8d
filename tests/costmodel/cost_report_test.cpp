#include "costmodel/cost_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "src/spec/error.h"
#include "tests/costmodel/models.h"

namespace plait::costmodel {
namespace {

using spec::Dim;

spec::LayerSpec layer(std::size_t mixer_index, Dim d_model) {
  return {.mixer = spec::default_mixer(mixer_index, d_model), .channel_mixer = spec::SwiGlu{.width = 2 * d_model}};
}

constexpr std::size_t kMixers = std::variant_size_v<spec::Mixer>;

/// A layout of random mixers and workload at a random width.
spec::ModelSpec arbitrary_model() {
  const Dim d = 64 * *rc::gen::inRange<Dim>(1, 20);
  auto spec = model(d, *rc::gen::inRange<Dim>(1, 50'000), *rc::gen::arbitrary<bool>());
  spec.norm = *rc::gen::element(spec::NormKind::rms, spec::NormKind::layer);
  for (const auto index : *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, kMixers))) {
    spec.layout.layers.push_back(layer(index, d));
  }
  return spec;
}

/// One of the mixers that keep this sort of state.
spec::LayerSpec arbitrary_layer(spec::StateKind kind) {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < kMixers; ++i) {
    if (spec::state_kind(spec::default_mixer(i, 512)) == kind) indices.push_back(i);
  }
  return layer(*rc::gen::elementOf(indices), 512);
}

spec::Workload arbitrary_workload() {
  return {.context = *rc::gen::inRange<Dim>(1, 200'000), .batch = *rc::gen::inRange<Dim>(1, 64)};
}

class EveryMixer : public testing::TestWithParam<std::size_t> {
 protected:
  spec::LayerSpec layer_ = layer(GetParam(), 512);
};

TEST_P(EveryMixer, HasPositiveCountsAndFiniteTimesOnEveryMachine) {
  for (const auto& name : hardware_names()) {
    SCOPED_TRACE(name);
    const auto hardware = find_hardware(name);
    const spec::Workload workload{.context = 5000, .batch = 3};
    const auto cost = layer_cost(layer_, model(512, 100), workload, hardware);
    EXPECT_GT(cost.parameters, 0);
    EXPECT_EQ(cost.weights_bytes, 2 * cost.parameters);
    EXPECT_GT(cost.forward_flops, 2 * 15'000 * cost.parameters * 9 / 10);
    EXPECT_EQ(cost.training_flops, 3 * cost.forward_flops);
    EXPECT_GT(cost.decode_flops_per_token, 0);
    EXPECT_GT(cost.kv_cache_bytes + cost.state_bytes, 0);
    for (const auto& time : {cost.prefill, cost.decode_step}) {
      EXPECT_TRUE(std::isfinite(time.high));
      EXPECT_LT(0, time.low);
      EXPECT_LT(time.low, time.value);
      EXPECT_LT(time.value, time.high);
    }
    EXPECT_GT(cost.prefill.value, static_cast<double>(cost.forward_flops) / hardware.peak(spec::DType::bf16));
    EXPECT_GT(cost.decode_step.value, static_cast<double>(cost.weights_bytes + cost.kv_cache_bytes + cost.state_bytes) /
                                          hardware.bandwidth_bytes_per_s.value);
  }
}

TEST_P(EveryMixer, KeepsWhatItsStateKindSays) {
  const auto at = [&](Dim context) { return layer_cost(layer_, model(512, 100), {.context = context}, h100()); };
  const auto near = at(10'000);
  const auto far = at(20'000);
  EXPECT_EQ(near.state_bytes, far.state_bytes) << "states do not grow";
  switch (spec::state_kind(layer_.mixer)) {
    case spec::StateKind::grows: EXPECT_EQ(far.kv_cache_bytes, 2 * near.kv_cache_bytes); break;
    case spec::StateKind::window:
      EXPECT_EQ(far.kv_cache_bytes, near.kv_cache_bytes);
      EXPECT_GT(near.kv_cache_bytes, 0);
      break;
    case spec::StateKind::constant:
      EXPECT_EQ(near.kv_cache_bytes, 0);
      EXPECT_EQ(near.decode_flops_per_token, far.decode_flops_per_token);
      EXPECT_EQ(near.decode_step, far.decode_step);
      EXPECT_EQ(near.decode_hbm_bytes, far.decode_hbm_bytes);
      break;
  }
}

TEST_P(EveryMixer, ScalesCachesAndFlopsWithTheBatch) {
  const auto one = layer_cost(layer_, model(512, 100), {.context = 3000, .batch = 1}, h100());
  const auto six = layer_cost(layer_, model(512, 100), {.context = 3000, .batch = 6}, h100());
  EXPECT_EQ(six.forward_flops, 6 * one.forward_flops);
  EXPECT_EQ(six.kv_cache_bytes, 6 * one.kv_cache_bytes);
  EXPECT_EQ(six.state_bytes, 6 * one.state_bytes);
  EXPECT_EQ(six.decode_flops_per_token, one.decode_flops_per_token);
  EXPECT_EQ(six.parameters, one.parameters);
}

TEST_P(EveryMixer, WithTheWeightsOfAnotherLayerHasNoneButComputesTheSame) {
  auto reused = layer_;
  reused.weights_from = 0;
  auto cost = layer_cost(reused, model(512, 100), {}, h100());
  const auto own = layer_cost(layer_, model(512, 100), {}, h100());
  EXPECT_EQ(cost.parameters, 0);
  EXPECT_EQ(cost.active_parameters, 0);
  EXPECT_EQ(cost.weights_bytes, 0);
  cost.parameters = own.parameters;
  cost.active_parameters = own.active_parameters;
  cost.weights_bytes = own.weights_bytes;
  EXPECT_EQ(cost, own);
}

INSTANTIATE_TEST_SUITE_P(Mixers, EveryMixer, testing::Range(std::size_t{0}, kMixers),
                         [](const auto& row) { return std::string(spec::mixer_table()[row.param].name); });

RC_GTEST_PROP(CostReportTest, IsTheSumOfItsLayersAndTheModelsOwnShare, ()) {
  const auto spec = arbitrary_model();
  const auto workload = arbitrary_workload();
  const auto report = cost_report(spec, workload, h100());
  const auto own = model_cost(spec, workload, h100());
  CostReport sum;
  sum.parameters.total = sum.parameters.active = own.parameters.total();
  sum.weights_bytes = own.weights_bytes;
  sum.forward_flops = own.forward_flops;
  sum.training_flops = own.training_flops;
  sum.decode_flops_per_token = own.decode_flops_per_token;
  sum.prefill = own.prefill;
  sum.decode_step = own.decode_step;
  RC_ASSERT(report.layers.size() == spec.layout.size());
  for (std::size_t i = 0; i < report.layers.size(); ++i) {
    auto cost = layer_cost(spec.layout.layers[i], spec, workload, h100());
    cost.index = i;
    RC_ASSERT(report.layers[i] == cost);
    sum.parameters.total += cost.parameters;
    sum.parameters.active += cost.active_parameters;
    sum.weights_bytes += cost.weights_bytes;
    sum.kv_cache_bytes += cost.kv_cache_bytes;
    sum.state_bytes += cost.state_bytes;
    sum.forward_flops += cost.forward_flops;
    sum.training_flops += cost.training_flops;
    sum.decode_flops_per_token += cost.decode_flops_per_token;
    sum.prefill += cost.prefill;
    sum.decode_step += cost.decode_step;
  }
  RC_ASSERT(report.parameters.total == sum.parameters.total);
  RC_ASSERT(report.parameters.active == sum.parameters.active);
  RC_ASSERT(report.weights_bytes == sum.weights_bytes);
  RC_ASSERT(report.kv_cache_bytes == sum.kv_cache_bytes);
  RC_ASSERT(report.state_bytes == sum.state_bytes);
  RC_ASSERT(report.forward_flops == sum.forward_flops);
  RC_ASSERT(report.training_flops == 3 * report.forward_flops);
  RC_ASSERT(report.decode_flops_per_token == sum.decode_flops_per_token);
  RC_ASSERT(report.prefill == sum.prefill);
  RC_ASSERT(report.decode_step == sum.decode_step);
}

RC_GTEST_PROP(CostReportTest, AWindowThatCoversTheContextCostsWhatFullAttentionCosts, ()) {
  const auto workload = arbitrary_workload();
  const auto full = attention(8, 4, 64);
  const auto window = sliding(full, workload.context + *rc::gen::inRange<Dim>(0, 1000));
  const auto spec = model(512, 100);
  RC_ASSERT(layer_cost({.mixer = window}, spec, workload, h100()) ==
            layer_cost({.mixer = full}, spec, workload, h100()));
}

RC_GTEST_PROP(CostReportTest, DecodingAConstantStateMovesTheSameBytesAtAnyContext, ()) {
  const auto any = arbitrary_layer(spec::StateKind::constant);
  const Dim batch = *rc::gen::inRange<Dim>(1, 64);
  const auto at = [&](Dim context) {
    return layer_cost(any, model(512, 100), {.context = context, .batch = batch}, h100());
  };
  const auto near = at(*rc::gen::inRange<Dim>(1, 10'000));
  const auto far = at(*rc::gen::inRange<Dim>(10'000, 2'000'000));
  RC_ASSERT(near.decode_hbm_bytes == far.decode_hbm_bytes);
  RC_ASSERT(near.decode_step == far.decode_step);
  RC_ASSERT(near.state_bytes == far.state_bytes);
  RC_ASSERT(far.kv_cache_bytes == 0);
}

RC_GTEST_PROP(CostReportTest, CachesThatGrowAreLinearInTheContext, ()) {
  const auto any = arbitrary_layer(spec::StateKind::grows);
  const auto bytes = [&](Dim context) {
    return layer_cost(any, model(512, 100), {.context = context}, h100()).kv_cache_bytes;
  };
  const Dim context = *rc::gen::inRange<Dim>(1, 2'000'000);
  RC_ASSERT(bytes(context) == context * bytes(1));
}

RC_GTEST_PROP(CostReportTest, NoCountFallsWhenADimensionGrows, ()) {
  const auto index = *rc::gen::inRange<std::size_t>(0, kMixers);
  auto workload = arbitrary_workload();
  const auto before = layer_cost(layer(index, 512), model(512, 100), workload, h100());
  auto grown = layer(index, 512);
  std::vector<Dim*> dims = {&workload.context, &workload.batch, &std::get<spec::SwiGlu>(grown.channel_mixer).width};
  std::visit(
      [&](auto& mixer) {
        using M = std::decay_t<decltype(mixer)>;
        if constexpr (!std::is_same_v<M, spec::ParallelMixer>) {
          spec::for_each_field<M>([&](const auto& field) {
            if constexpr (std::is_same_v<std::decay_t<decltype(mixer.*(field.member))>, Dim>) {
              dims.push_back(&(mixer.*(field.member)));
            }
          });
        }
      },
      grown.mixer);
  *dims[*rc::gen::inRange<std::size_t>(0, dims.size())] *= 2;
  const auto after = layer_cost(grown, model(512, 100), workload, h100());
  RC_ASSERT(after.parameters >= before.parameters);
  RC_ASSERT(after.kv_cache_bytes >= before.kv_cache_bytes);
  RC_ASSERT(after.state_bytes >= before.state_bytes);
  RC_ASSERT(after.forward_flops >= before.forward_flops);
  RC_ASSERT(after.decode_flops_per_token >= before.decode_flops_per_token);
  RC_ASSERT(after.decode_hbm_bytes >= before.decode_hbm_bytes);
}

RC_GTEST_PROP(CostReportTest, FullAttentionCountsEveryPairOnce, ()) {
  const Dim context = *rc::gen::inRange<Dim>(1, 3000);
  const auto cost = [&](Dim tokens) {
    return layer_cost({.mixer = attention(8, 4, 64)}, model(512, 100), {.context = tokens}, h100());
  };
  // The step from n to n + 1 tokens is what decoding token n + 1 costs.
  RC_ASSERT(cost(context + 1).forward_flops - cost(context).forward_flops == cost(context + 1).decode_flops_per_token);
}

TEST(CostReportTest, ModelLevelTermsAreEmbeddingHeadNormAndLowerBounds) {
  auto spec = model(512, 1000);
  spec.layout.layers = {layer(0, 512), layer(0, 512)};
  EXPECT_EQ(model_cost(spec, {}, h100()).parameters.total(), 2 * 1000 * 512 + 512);
  spec.tied_embeddings = true;
  EXPECT_EQ(model_cost(spec, {}, h100()).parameters.total(), 1000 * 512 + 512);
  EXPECT_EQ(cost_report(spec, {}, h100()).parameters.embedding, 1000 * 512);
  spec.norm = spec::NormKind::layer;
  EXPECT_EQ(model_cost(spec, {}, h100()).parameters.total(), 1000 * 512 + 2 * 512);

  spec.layout.layers[1].mixer = spec::Hgrn{.width = 512};
  EXPECT_EQ(model_cost(spec, {}, h100()).parameters.lower_bounds, 2 * 512) << "one row for every layer";
  spec.layout.layers[1].mixer = spec::ParallelMixer{.branches = {spec::Hgrn2{}, attention(8, 8, 64)}};
  EXPECT_EQ(model_cost(spec, {}, h100()).parameters.lower_bounds, 2 * 512);
  spec.layout.layers[1].mixer = spec::Hgrn{.width = 512, .lower_bound = false};
  EXPECT_EQ(model_cost(spec, {}, h100()).parameters.lower_bounds, 0);
}

TEST(CostReportTest, LayerNormDoublesBlockNormsOnly) {
  auto spec = model(512, 100);
  const spec::LayerSpec with_mlp{.mixer = gdn(2, 2, 256, 256), .channel_mixer = spec::SwiGlu{.width = 1024}};
  const auto rms = layer_cost(with_mlp, spec, {}, h100()).parameters;
  spec.norm = spec::NormKind::layer;
  EXPECT_EQ(layer_cost(with_mlp, spec, {}, h100()).parameters - rms, 2 * 512);
}

TEST(CostReportTest, ChannelMixersAddTheirMatricesAndANorm) {
  const auto spec = model(512, 100);
  const auto parameters = [&](const spec::ChannelMixer& channel_mixer) {
    return layer_cost({.mixer = attention(8, 8, 64), .channel_mixer = channel_mixer}, spec, {}, h100()).parameters -
           layer_cost({.mixer = attention(8, 8, 64)}, spec, {}, h100()).parameters;
  };
  EXPECT_EQ(parameters(spec::SwiGlu{.width = 1024}), 3 * 512 * 1024 + 512);
  EXPECT_EQ(parameters(spec::Mlp{.width = 1024}), 2 * 512 * 1024 + 512);
  spec::MoE moe{.experts = 8, .active = 2, .expert_width = 256};
  EXPECT_EQ(parameters(moe), 8 * 512 + 8 * 3 * 512 * 256 + 512);
  moe.shared_width = 128;
  EXPECT_EQ(parameters(moe), 8 * 512 + 8 * 3 * 512 * 256 + 3 * 512 * 128 + 512);
  moe.shared_gate = true;
  EXPECT_EQ(parameters(moe), 8 * 512 + 8 * 3 * 512 * 256 + 3 * 512 * 128 + 512 + 512);
  moe.gated = false;
  EXPECT_EQ(parameters(moe), 8 * 512 + 8 * 2 * 512 * 256 + 2 * 512 * 128 + 512 + 512);
}

TEST(CostReportTest, ParallelBranchesAddUp) {
  const auto spec = model(512, 100);
  const auto branch = [&](const spec::Mixer& mixer) { return layer_cost({.mixer = mixer}, spec, {}, h100()); };
  spec::ParallelMixer parallel{.branches = {attention(8, 2, 64), spec::Mamba2{.heads = 16}}};
  const auto a = branch(attention(8, 2, 64));
  const auto b = branch(spec::Mamba2{.heads = 16});
  const auto both = branch(parallel);
  EXPECT_EQ(both.parameters, a.parameters + b.parameters - 512) << "one block norm";
  EXPECT_EQ(both.forward_flops, a.forward_flops + b.forward_flops);
  EXPECT_EQ(both.kv_cache_bytes, a.kv_cache_bytes);
  EXPECT_EQ(both.state_bytes, b.state_bytes);
  parallel.fusion = spec::Fusion::normed_mean;
  EXPECT_EQ(branch(parallel).parameters, both.parameters + 2 * 512) << "a norm per branch";
}

TEST(CostReportTest, ALayerThatReusesACacheHasNoneButReadsTheOther) {
  const auto spec = model(512, 100);
  const spec::Workload workload{.context = 1 << 20, .batch = 8};
  const spec::LayerSpec own{.mixer = attention(8, 4, 64)};
  auto reuse = own;
  reuse.kv_from = 0;
  const auto a = layer_cost(own, spec, workload, h100());
  const auto b = layer_cost(reuse, spec, workload, h100());
  EXPECT_EQ(b.kv_cache_bytes, 0);
  EXPECT_EQ(a.parameters - b.parameters, 2 * 512 * 256);
  EXPECT_EQ(a.forward_flops - b.forward_flops, 2LL * 8 * (1 << 20) * 2 * 512 * 256);
  EXPECT_GT(b.decode_step.value, static_cast<double>(a.kv_cache_bytes) / 3350e9);
}

TEST(CostReportTest, BytesFollowTheirDtypes) {
  auto spec = model(512, 100);
  const spec::LayerSpec layer{.mixer = gdn(2, 2, 256, 256)};
  const auto base = layer_cost(layer, spec, {.batch = 2}, h100());
  EXPECT_EQ(base.state_bytes, 2 * (4 * 2 * 256 * 256 + 2 * 3 * 3 * 512));
  spec.state_dtype = spec::DType::bf16;
  spec.kv_dtype = spec::DType::fp8;
  spec.dtype = spec::DType::int4;
  const auto narrow = layer_cost(layer, spec, {.batch = 2}, h100());
  EXPECT_EQ(narrow.state_bytes, 2 * (2 * 2 * 256 * 256 + 3 * 3 * 512));
  EXPECT_EQ(narrow.weights_bytes, (narrow.parameters + 1) / 2);
}

TEST(CostReportTest, ASwiGluReadsGateAndUpProjectionAndWritesTheirProduct) {
  const spec::Dim width = 512;
  const auto bytes = [&](spec::Dim w) {
    const spec::LayerSpec layer{.mixer = spec::FullAttention{}, .channel_mixer = spec::SwiGlu{w}};
    return layer_cost(layer, model(256, 100), {.context = 1024}, h100()).prefill_hbm_bytes;
  };
  // Three matrices; 2 w out of the products, 2 w in and w out of the activation, w into the last product.
  EXPECT_EQ(bytes(2 * width) - bytes(width), 2 * (3 * 256 * width + 1024 * 6 * width));
}

TEST(CostReportTest, ADecodeStepReadsOnlyTheExpertsThatAreHit) {
  const auto spec = model(2048, 100);
  const spec::LayerSpec layer{.mixer = attention(32, 32, 64),
                              .channel_mixer = spec::MoE{.experts = 64, .active = 4, .expert_width = 1408}};
  const auto time = [&](Dim batch) {
    return layer_cost(layer, spec, {.context = 1, .batch = batch}, h100()).decode_step.value;
  };
  const double expert_s = 3.0 * 2048 * 1408 * 2 / (3350e9 * 0.825);
  EXPECT_NEAR((time(2) - time(1)) / expert_s, 64 * (15.0 / 16 - 225.0 / 256), 0.05);
}

TEST(CostReportTest, LongContextMakesAttentionDecodeMemoryBoundAndPrefillComputeBound) {
  const auto cost = layer_cost({.mixer = attention(32, 32, 64)}, model(2048, 100), {.context = 1 << 20}, h100());
  EXPECT_EQ(cost.decode_bound, Bound::memory);
  EXPECT_EQ(cost.prefill_bound, Bound::compute);
  const auto small = layer_cost({.mixer = attention(1, 1, 64)}, model(64, 100), {.context = 1}, h100());
  EXPECT_EQ(small.decode_bound, Bound::latency);
}

TEST(CostReportTest, RefusesCountsThatDoNotFit64BitsByName) {
  const auto message = [](const spec::ModelSpec& spec, const spec::Workload& workload) -> std::string {
    try {
      cost_report(spec, workload, h100());
    } catch (const spec::SpecError& error) {
      return error.problems().at(0).path;
    }
    return "";
  };
  auto spec = model(2048, 100);
  spec.layout.layers.assign(4, {.mixer = attention(32, 32, 64)});
  EXPECT_EQ(message(spec, {.context = spec::kMaxDim, .batch = 1 << 20}), "cost.forward_flops");
  EXPECT_EQ(message(spec, {.context = 1 << 20, .batch = Dim{1} << 36}), "cost.forward_flops");

  auto wide = model(spec::kMaxDim, spec::kMaxDim);
  auto huge = attention(spec::kMaxDim, spec::kMaxDim, spec::kMaxDim);
  wide.layout.layers = {{.mixer = huge}};
  EXPECT_NE(message(wide, {.context = 1}), "");

  // Each layer fits, their sum does not.
  auto deep = model(64, 1);
  deep.layout.layers.assign(4096, {.mixer = attention(64, 64, 64)});
  EXPECT_EQ(message(deep, {.context = 1 << 20, .batch = 100}), "cost.forward_flops");
}

}  // namespace
}  // namespace plait::costmodel
