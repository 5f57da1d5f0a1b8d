#include "costmodel/parallel_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "costmodel/cost_report.h"
#include "costmodel/mixers/layer_shapes.h"
#include "costmodel/size_of.h"
#include "src/spec/error.h"
#include "tests/costmodel/models.h"

namespace plait::costmodel {
namespace {

using spec::Dim;
using testing::HasSubstr;

/// Every mixer with heads that 4 ranks can share.
spec::ModelSpec arbitrary_model() {
  auto spec = model(512, 4096, *rc::gen::arbitrary<bool>());
  const auto layers = 4 * *rc::gen::inRange<std::size_t>(1, 3);
  for (std::size_t i = 0; i < layers; ++i) {
    const auto index = *rc::gen::inRange<std::size_t>(0, std::variant_size_v<spec::Mixer>);
    spec.layout.layers.push_back({.mixer = spec::default_mixer(index, 512), .channel_mixer = spec::SwiGlu{1024}});
  }
  return spec;
}

RC_GTEST_PROP(ParallelMemoryTest, OneDeviceHoldsWhatTheReportCounts, ()) {
  const auto spec = arbitrary_model();
  const spec::Workload workload{.context = *rc::gen::inRange<Dim>(1, 100'000), .batch = *rc::gen::inRange<Dim>(1, 64)};
  const auto report = cost_report(spec, workload, h100());
  const auto memory = serving_memory(spec, workload, {});
  RC_ASSERT(memory.weights == report.weights_bytes);
  RC_ASSERT(memory.kv_cache == report.kv_cache_bytes);
  RC_ASSERT(memory.state == report.state_bytes);
  const auto training = training_memory(spec, workload, {}, {.zero_stage = 0});
  RC_ASSERT(training.weights == report.weights_bytes);
  RC_ASSERT(training.gradients == 4 * report.parameters.total);
  RC_ASSERT(training.optimizer == 12 * report.parameters.total);
}

RC_GTEST_PROP(ParallelMemoryTest, TensorParallelSharesAddUpToTheWholeAndWhatIsHeldTwice, ()) {
  const auto spec = arbitrary_model();
  const spec::Workload workload{.context = 4096, .batch = 2};
  const Parallelism p{.tensor = *rc::gen::element<Dim>(2, 4)};
  RC_PRE(divides(p, spec));
  const auto whole = serving_memory(spec, workload, {});
  const auto share = serving_memory(spec, workload, p);
  // Norms and what a mixer replicates stand on every rank, heads of keys and values on as many as each has to serve.
  Count more = model_parameters(spec).lower_bounds + spec.d_model;
  Count remainders = 2;  // of splits: embeddings and head, and per layer a mixer's two and the channel mixer
  for (const spec::LayerSpec& layer : spec.layout.layers) {
    more += Count(2) * spec.d_model;
    for_each_shape(layer, spec.d_model, [&](const MixerShape& shape) { more += shape.sharding.replicated; });
    remainders += 3;
  }
  more = more * (p.tensor - 1);
  for (const spec::LayerSpec& layer : spec.layout.layers) {
    for_each_shape(layer, spec.d_model, [&](const MixerShape& shape) {
      const Dim served = p.tensor / std::min(p.tensor, shape.sharding.kv_heads);
      more += shape.sharding.kv_parameters * (served - 1);
    });
  }
  const Dim exact = whole.weights + size_of(more, spec.dtype).exact("bytes");
  RC_ASSERT(p.tensor * share.weights >= exact);
  RC_ASSERT(p.tensor * share.weights <= exact + size_of(remainders * (p.tensor - 1), spec.dtype).exact("bytes"));
  RC_ASSERT(p.tensor * share.kv_cache >= whole.kv_cache);
  RC_ASSERT(share.kv_cache <= whole.kv_cache);
  RC_ASSERT(p.tensor * share.state >= whole.state);
}

RC_GTEST_PROP(ParallelMemoryTest, NeverGrowsWithMoreDevices, ()) {
  const auto spec = arbitrary_model();
  const spec::Workload workload{.context = 4096, .batch = 16};
  Parallelism more;
  switch (*rc::gen::inRange(0, 4)) {
    case 0: more.tensor = 2; break;
    case 1: more.pipeline = 2; break;
    case 2: more.data = 2; break;
    default: more.context = 2; break;
  }
  RC_PRE(divides(more, spec));
  const Training training{.micro_batch = 1, .recompute = *rc::gen::element(Recompute::none, Recompute::selective)};
  const auto one = training_memory(spec, workload, {}, training);
  const auto two = training_memory(spec, workload, more, training);
  RC_ASSERT(two.weights <= one.weights);
  RC_ASSERT(two.optimizer <= one.optimizer);
  if (more.pipeline == 1) RC_ASSERT(two.activations <= one.activations);  // else two micro-batches are in flight
  RC_ASSERT(serving_memory(spec, workload, more).total() <= serving_memory(spec, workload, {}).total());
}

RC_GTEST_PROP(ParallelMemoryTest, RecomputingKeepsLess, ()) {
  const auto spec = arbitrary_model();
  const auto kept = [&](Recompute recompute) {
    return training_memory(spec, {.context = 4096}, {}, {.recompute = recompute}).activations;
  };
  RC_ASSERT(kept(Recompute::selective) <= kept(Recompute::none));
}

TEST(ParallelMemoryTest, AttentionActivationsByHand) {
  auto spec = model(512, 1024);
  spec.layout.layers = {{.mixer = attention(8, 2, 64), .channel_mixer = spec::SwiGlu{1024}}};
  const Dim tokens = 1000;
  // Two norms in and out; q, k, v; core output and what enters o; fp32 log-sum-exp; gate and up.
  const Dim selective = 2 * (4 * 512 + (512 + 2 * 128) + 2 * 512 + 2 * 1024) + 4 * 8;
  EXPECT_EQ(training_memory(spec, {.context = tokens}, {}, {}).activations, tokens * selective);
  EXPECT_EQ(training_memory(spec, {.context = tokens}, {}, {.recompute = Recompute::none}).activations,
            tokens * (selective + 2 * 1024));
  EXPECT_EQ(training_memory(spec, {.context = tokens}, {}, {.recompute = Recompute::full}).activations,
            tokens * (2 * 512 + selective + 2 * 1024));
  EXPECT_EQ(training_memory(spec, {.context = tokens}, {}, {}).logits, tokens * 1024 * 6);
}

TEST(ParallelMemoryTest, ARecurrenceKeepsAStateEvery64TokensUnlessRecomputed) {
  auto spec = model(512, 1024);
  spec.layout.layers = {{.mixer = gdn(2, 2, 128, 256)}};
  const auto kept = [&](Recompute recompute, Dim tokens) {
    return training_memory(spec, {.context = tokens}, {}, {.recompute = recompute}).activations;
  };
  for (const Dim tokens : {64, 65, 128, 1000}) {
    const Dim chunks = (tokens + 63) / 64;
    const Dim convolved = 2 * 256 + 512;
    EXPECT_EQ(kept(Recompute::none, tokens) - kept(Recompute::selective, tokens),
              2 * (chunks * 2 * 128 * 256 + tokens * (convolved + 512)));
  }
}

// Llama-3-70B with 8-way tensor and 4-way pipeline parallelism: weights by hand, per rank of the first stage.
TEST(ParallelMemoryTest, Llama70BSharesByHand) {
  const auto full = attention(64, 8, 128);
  const auto spec = hybrid(model(8192, 128256), 80, full, full, {}, spec::SwiGlu{28672});
  const Parallelism p{.tensor = 8, .pipeline = 4, .data = 2};
  const spec::Workload workload{.context = 8192, .batch = 16};
  const auto memory = training_memory(spec, workload, p, {});
  const Dim layer = (2 * 8192 * 8192 + 2 * 8192 * 1024 + 3LL * 8192 * 28672) / 8 + 2 * 8192;
  const Dim parameters = 20 * layer + 128256LL * 8192 / 8;
  EXPECT_EQ(memory.stage, 0) << "four micro-batches in flight";
  EXPECT_EQ(memory.weights, 2 * parameters);
  EXPECT_EQ(memory.gradients, 4 * parameters);
  EXPECT_EQ(memory.optimizer, 12 * parameters / 2);
  EXPECT_EQ(training_memory(spec, workload, p, {.zero_stage = 3}).weights, 2 * parameters / 2);
}

TEST(ParallelMemoryTest, FewKeyValueHeadsAreHeldByMoreThanOneRank) {
  auto spec = model(512, 1024);
  spec.layout.layers = {{.mixer = attention(8, 2, 64)}};
  const auto kv = [&](Dim tensor) { return serving_memory(spec, {.context = 1000}, {.tensor = tensor}).kv_cache; };
  EXPECT_EQ(kv(2), kv(1) / 2);
  EXPECT_EQ(kv(8), kv(1) / 2);
  spec.layout.layers[0].mixer = spec::MultiHeadLatentAttention{};
  EXPECT_EQ(kv(8), kv(1)) << "every rank holds the latents";
}

TEST(ParallelMemoryTest, ExpertsAreDealtOverTheDataRanks) {
  auto spec = model(512, 1024);
  spec.layout.layers = {
      {.mixer = attention(8, 8, 64), .channel_mixer = spec::MoE{.experts = 64, .active = 4, .expert_width = 256}}};
  const Dim experts = 64LL * 3 * 512 * 256;
  const auto weights = [&](const Parallelism& p) { return serving_memory(spec, {.batch = 64}, p).weights / 2; };
  const Dim rest = weights({}) - experts;
  EXPECT_EQ(weights({.data = 16, .expert = 16}), rest + experts / 16);
  const auto optimizer = [&](const Parallelism& p) {
    return training_memory(spec, {.context = 64, .batch = 64}, p, {}).optimizer;
  };
  EXPECT_EQ(optimizer({.data = 16, .expert = 8}), 12 * rest / 16 + 12 * (experts / 8) / 2);
}

TEST(ParallelMemoryTest, TheLargestBatchFitsAndTheNextDoesNot) {
  const auto full = attention(32, 8, 128);
  const auto spec = periodic(model(4096, 128256), 32, gdn(16, 32, 128, 128), full, 4, spec::SwiGlu{14336});
  for (const Parallelism& p : {Parallelism{}, Parallelism{.tensor = 2}, Parallelism{.data = 4}}) {
    const Dim batch = largest_batch(spec, {.context = 131'072}, p, h100());
    ASSERT_GT(batch, 0);
    const auto total = [&](Dim sequences) {
      return static_cast<double>(serving_memory(spec, {.context = 131'072, .batch = sequences}, p).total());
    };
    EXPECT_LE(total(batch), 0.9 * h100().memory_bytes.value);
    EXPECT_GT(total(batch + p.data), 0.9 * h100().memory_bytes.value);
  }
  EXPECT_EQ(largest_batch(spec, {.context = 16 << 20}, {}, h100()), 0);
}

TEST(ParallelMemoryTest, RefusesWhatDoesNotDivideWithItsPlace) {
  auto spec = model(512, 1000);
  spec.layout.layers.assign(6, {.mixer = attention(8, 2, 64), .channel_mixer = spec::SwiGlu{1000}});
  spec::Problems problems;
  validate(Parallelism{.tensor = 16, .pipeline = 4, .data = 3, .expert = 2}, spec, "parallel", problems);
  std::string all;
  for (const auto& problem : problems.list()) all += problem.path + ": " + problem.message + "\n";
  EXPECT_THAT(all, HasSubstr("parallel.pipeline: the number of layers (6) is not divisible by pipeline = 4"));
  EXPECT_THAT(all, HasSubstr("parallel.tensor: vocab_size (1000)"));
  EXPECT_THAT(all, HasSubstr("layer 0 (full_attention): heads (8)"));
  EXPECT_THAT(all, HasSubstr("layer 0 (full_attention): width (1000)"));
  EXPECT_THAT(all, HasSubstr("parallel.expert: data x context (3)"));
  spec::Problems range;
  validate(Parallelism{.tensor = 0}, spec, "", range);
  ASSERT_EQ(range.size(), 1u);
  EXPECT_EQ(range.list()[0].path, "tensor");
  spec::Problems batch;
  validate(Training{.micro_batch = 3}, Parallelism{.data = 2}, model(64, 64), {.context = 64, .batch = 8}, "training",
           batch);
  EXPECT_THAT(batch.list().at(0).message, HasSubstr("the batch (8) is not divisible by data x micro_batch = 6"));
}

TEST(ParallelMemoryTest, AbsurdSizesAreRefusedByNameInsteadOfWrapping) {
  auto spec = model(spec::kMaxDim, 1024);
  spec.layout.layers = {{.mixer = attention(8, 8, 64), .channel_mixer = spec::SwiGlu{1 << 20}}};
  EXPECT_THROW(training_memory(spec, {.context = Dim{1} << 34, .batch = 1}, {}, {}), spec::SpecError);
  // 2M tokens and 10T parameters still fit.
  auto large = model(1 << 16, 1 << 18);
  const auto full = attention(512, 512, 128);
  large.layout.layers.assign(128, {.mixer = full, .channel_mixer = spec::SwiGlu{3 << 17}});
  const auto memory = training_memory(large, {.context = 2 << 20, .batch = 1}, {}, {});
  EXPECT_GT(memory.optimizer, 12 * 10'000'000'000'000);
  EXPECT_GT(memory.activations, 0);
  EXPECT_GT(cost_report(large, {.context = 64 << 10}, h100()).parameters.total, 10'000'000'000'000);
  EXPECT_THROW(cost_report(large, {.context = 2 << 20}, h100()), spec::SpecError) << "4e19 FLOPs";
}

}  // namespace
}  // namespace plait::costmodel
