// Golden values of Megatron-LM's own functions (d98e8a6), run with these configurations.
#include "costmodel/megatron.h"

#include <gtest/gtest.h>

#include <string>

#include "src/spec/error.h"
#include "tests/costmodel/models.h"

namespace plait::costmodel {
namespace {

using spec::Dim;

spec::ModelSpec dense(Dim d, std::size_t layers, const spec::FullAttention& full, const spec::ChannelMixer& mlp,
                      Dim vocab) {
  return hybrid(model(d, vocab), layers, full, full, {}, mlp);
}

spec::ModelSpec qwen(Dim d, std::size_t layers, Dim value_heads, const spec::FullAttention& full,
                     const spec::ChannelMixer& channel) {
  return periodic(model(d, 248320), layers, gdn(16, value_heads, 128, 128), full, 4, channel);
}

/// `mamba` Mamba-2 layers and `full` attention layers, of which the first `channels` have the channel mixer.
spec::ModelSpec nemotron(Dim d, std::size_t mamba, std::size_t full, std::size_t channels, const spec::Mamba2& ssm,
                         const spec::FullAttention& attention, const spec::ChannelMixer& channel) {
  auto spec = model(d, 131072);
  for (std::size_t i = 0; i < mamba; ++i) spec.layout.layers.push_back({.mixer = ssm});
  for (std::size_t i = 0; i < full; ++i) spec.layout.layers.push_back({.mixer = attention});
  for (std::size_t i = 0; i < channels; ++i) spec.layout.layers.at(i).channel_mixer = channel;
  return spec;
}

spec::Mamba2 mamba(Dim heads, Dim state) { return {.heads = heads, .head_dim = 64, .state_dim = state, .groups = 8}; }

spec::ModelSpec nano() {
  return nemotron(2688, 23, 6, 23, mamba(64, 128), attention(32, 2, 128),
                  spec::MoE{.experts = 128, .active = 6, .expert_width = 1856, .shared_width = 3712, .gated = false});
}

const spec::MoE kSuperExperts{
    .experts = 512, .active = 22, .expert_width = 2688, .shared_width = 5376, .gated = false, .latent_width = 1024};

spec::ModelSpec super() { return nemotron(4096, 40, 8, 40, mamba(128, 128), attention(32, 2, 128), kSuperExperts); }

spec::ModelSpec deepseek_v3() {
  const spec::MultiHeadLatentAttention mla{.heads = 128, .q_lora_rank = 1536};
  auto spec = hybrid(model(7168, 129280), 61, mla, mla, {},
                     spec::MoE{.experts = 256, .active = 8, .expert_width = 2048, .shared_width = 2048});
  for (std::size_t i = 0; i < 3; ++i) spec.layout.layers[i].channel_mixer = spec::SwiGlu{18432};
  return spec;
}

struct Golden {
  const char* name;
  spec::ModelSpec spec;
  Dim tokens;
  std::int64_t flops;
  MegatronFlops options{};
};

std::vector<Golden> goldens() {
  const auto last = deepseek_v3().layout.layers.back();
  const spec::LayerSpec super_mtp{.mixer = attention(32, 2, 128), .channel_mixer = kSuperExperts};
  return {
      {"Llama_3_8B", dense(4096, 32, attention(32, 8, 128), spec::SwiGlu{14336}, 128256), 8192, 421'645'529'382'912},
      {"Llama_3_70B", dense(8192, 80, attention(64, 8, 128), spec::SwiGlu{28672}, 128256), 8192, 3'680'031'058'427'904},
      {"GPT_3_175B", dense(12288, 96, attention(96, 96, 128), spec::Mlp{49152}, 51200), 2048, 2'174'868'359'479'296},
      {"Qwen3_5_27B", qwen(5120, 64, 48, qwen_attention(24, 4, 256), spec::SwiGlu{17408}), 8192, 1'306'471'069'384'704},
      {"Qwen3_5_35B_A3B",
       qwen(2048, 40, 32, qwen_attention(16, 2, 256),
            spec::MoE{.experts = 256, .active = 8, .expert_width = 512, .shared_width = 512, .shared_gate = true}),
       8192, 163'364'449'812'480},
      {"Nemotron_H_56B", nemotron(8192, 54, 10, 54, mamba(256, 256), attention(64, 8, 128), spec::Mlp{32768}), 8192,
       2'787'261'976'412'160},
      {"Nemotron_3_Nano", nano(), 8192, 182'502'152'994'816},
      {"Nemotron_3_Nano_with_its_true_width", nano(), 8192, 170'184'992'096'256, {.true_mamba_width = true}},
      {"Nemotron_3_Super", super(), 8192, 617'444'498'472'960},
      {"Nemotron_3_Super_with_2_MTP_layers",
       super(),
       8192,
       694'083'894'902'784,
       {.mtp_layers = {super_mtp, super_mtp}}},
      {"DeepSeek_V3", deepseek_v3(), 4096, 1'023'230'173'249'536},
      {"DeepSeek_V3_with_1_MTP_layer", deepseek_v3(), 4096, 1'064'931'126'411'264, {.mtp_layers = {last}}},
  };
}

class MegatronTrainingFlops : public testing::TestWithParam<Golden> {};

TEST_P(MegatronTrainingFlops, EqualTheGoldenValue) {
  const Golden& golden = GetParam();
  EXPECT_EQ(megatron_training_flops(golden.spec, golden.tokens, 1, golden.options), golden.flops);
  EXPECT_EQ(megatron_training_flops(golden.spec, golden.tokens, 3, golden.options), 3 * golden.flops);
}

INSTANTIATE_TEST_SUITE_P(Golden, MegatronTrainingFlops, testing::ValuesIn(goldens()),
                         [](const auto& row) { return std::string(row.param.name); });

/// Forward FLOPs per token at d 2048 and 4096 tokens, on the hybrid path unless `gpt`.
std::int64_t per_token(const spec::LayerSpec& layer, Dim d = 2048) {
  auto spec = model(d, 1);
  spec.layout.layers = {layer, {.mixer = spec::Mamba2{}}};
  auto without = spec;
  without.layout.layers.erase(without.layout.layers.begin());
  return (megatron_training_flops(spec, 4096, 1).value() - megatron_training_flops(without, 4096, 1).value()) / 3 /
         4096;
}

TEST(MegatronTest, SingleLayersOfTheHybridPath) {
  const auto full = attention(16, 2, 128);
  EXPECT_EQ(per_token({.mixer = full}), 35'651'584);
  EXPECT_EQ(per_token({.mixer = full, .channel_mixer = spec::SwiGlu{5632}}) - per_token({.mixer = full}), 69'206'016);
  EXPECT_EQ(
      per_token({.mixer = full, .channel_mixer = spec::MoE{.active = 8, .expert_width = 512, .shared_width = 512}}) -
          per_token({.mixer = full}),
      56'623'104);
  EXPECT_EQ(per_token({.mixer = mamba(64, 128)}), 62'652'416);
  EXPECT_EQ(per_token({.mixer = gdn(16, 32, 128, 128)}), 71'630'848);
  EXPECT_EQ(per_token({.mixer = qwen_attention(16, 2, 128)}), 35'651'584) << "no output gate on this path";
  EXPECT_EQ(per_token({.mixer = spec::MultiHeadLatentAttention{}}), 0) << "MLA counts nothing on this path";
}

TEST(MegatronTest, KimiDeltaAttentionAsInMegatronBridge) {
  const spec::KimiDeltaAttention kda{.heads = 96, .value_heads = 96};
  EXPECT_EQ(3 * per_token({.mixer = kda}, 7168), 2'700'115'968);
}

TEST(MegatronTest, HasNoCountForWhatMegatronDoesNotKnow) {
  auto spec = model(2048, 100);
  spec.layout.layers = {{.mixer = attention(16, 2, 128)}, {.mixer = spec::RetNet{}}};
  EXPECT_EQ(megatron_training_flops(spec, 4096, 1), std::nullopt);
  spec.layout.layers = {{.mixer = attention(16, 2, 128)}, {.mixer = attention(16, 2, 128), .weights_from = 0}};
  EXPECT_EQ(megatron_training_flops(spec, 4096, 1), std::nullopt);
  EXPECT_EQ(megatron_memory(nano(), {}), std::nullopt) << "returns without a value for hybrids";
}

TEST(MegatronTest, RefusesWhatDoesNotFit64Bits) {
  EXPECT_THROW(megatron_training_flops(deepseek_v3(), Dim{1} << 28, 1 << 20), spec::SpecError);
}

// The "true" count of our report beside Megatron's, where both count the same things but the diagonal of attention.
TEST(MegatronTest, DiffersFromTheTrueCountByTheDiagonalOnDenseTransformers) {
  for (const auto& golden : goldens()) {
    if (std::string_view(golden.name).starts_with("Llama") || std::string_view(golden.name).starts_with("GPT")) {
      const auto& full = std::get<spec::FullAttention>(golden.spec.layout.layers[0].mixer);
      const auto diagonal =
          6 * static_cast<Dim>(golden.spec.layout.size()) * full.heads * full.head_dim * golden.tokens;
      EXPECT_EQ(cost_report(golden.spec, {.context = golden.tokens}, h100()).training_flops, golden.flops + diagonal);
    }
  }
}

struct Memory {
  const char* name;
  spec::ModelSpec spec;
  MegatronTraining training;
  double weights_and_optimizer, selective, other;
};

std::vector<Memory> memories() {
  auto gpt3 = dense(12288, 96, attention(96, 96, 128), spec::Mlp{49152}, 51200);
  gpt3.tied_embeddings = true;
  gpt3.norm = spec::NormKind::layer;
  return {
      {"Llama_3_8B",
       dense(4096, 32, attention(32, 8, 128), spec::SwiGlu{14336}, 128256),
       {.sequence = 8192, .data = 8},
       60'226'959'360,
       38'730'268'672,
       40'644'762'009.6},
      {"Llama_3_70B",
       dense(8192, 80, attention(64, 8, 128), spec::SwiGlu{28672}, 128256),
       {.sequence = 8192, .microbatches = 8, .tensor = 8, .pipeline = 4, .data = 2},
       27'249'106'944,
       21'508'423'680,
       73'565'011'968},
      {"GPT_3_175B",
       gpt3,
       {.sequence = 2048, .microbatches = 8, .tensor = 8, .pipeline = 16, .distributed_optimizer = false},
       25'882'094'592,
       5'159'010'304,
       16'700'178'432},
      {"DeepSeek_V3",
       deepseek_v3(),
       {.sequence = 4096, .microbatches = 8, .tensor = 2, .pipeline = 16, .data = 64, .expert = 64},
       13'502'147'256,
       12'782'272'512,
       20'932'578'508.8},
  };
}

class MegatronTrainingMemory : public testing::TestWithParam<Memory> {};

TEST_P(MegatronTrainingMemory, EqualsTheGoldenBytes) {
  const Memory& golden = GetParam();
  const auto memory = megatron_memory(golden.spec, golden.training).value();
  EXPECT_EQ(memory.weights_and_optimizer, golden.weights_and_optimizer);
  EXPECT_EQ(memory.activations_selective, golden.selective);
  EXPECT_NEAR(memory.activations_other, golden.other, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Golden, MegatronTrainingMemory, testing::ValuesIn(memories()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace plait::costmodel
