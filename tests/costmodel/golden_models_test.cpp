// Whole models against parameter totals of reference implementations (flash-linear-attention 0.6.0 and
// transformers 5.23 on the meta device) and against published memory sizes.
#include <gtest/gtest.h>

#include <string>

#include "tests/costmodel/models.h"

namespace plait::costmodel {
namespace {

using spec::Dim;

std::int64_t parameters(const spec::ModelSpec& spec) { return cost_report(spec, {}, h100()).parameters.total; }

spec::Gla gla(Dim heads, Dim d) {
  return {.heads = heads, .kv_heads = heads, .key_head_dim = d / 2 / heads, .value_head_dim = d / heads};
}
spec::RetNet retnet(Dim heads, Dim d) {
  return {.heads = heads, .kv_heads = heads, .key_head_dim = d / heads, .value_head_dim = 2 * d / heads};
}
spec::DeltaNet delta_net(Dim heads, Dim d) {
  return {.heads = heads, .key_head_dim = d / heads, .value_head_dim = d / heads};
}
spec::Hgrn2 hgrn2(Dim heads, Dim d) { return {.heads = heads, .key_head_dim = d / heads, .value_head_dim = d / heads}; }
spec::KimiDeltaAttention kda(Dim heads, Dim head_dim) {
  return {.heads = heads, .value_heads = heads, .key_head_dim = head_dim, .value_head_dim = head_dim};
}

TEST(GoldenModelsTest, SeedPaperGatedDeltaNetHybrids) {
  for (const auto& [d, ff, totals] :
       {std::tuple{1024, 2816, std::array{399'531'200, 398'461'880, 397'392'560, 395'253'920, 390'976'640}},
        std::tuple{2048, 5632,
                   std::array{1'466'343'808, 1'462'091'888, 1'457'839'968, 1'449'336'128, 1'432'328'448}}}) {
    const auto mixer = gdn(d / 256, d / 256, 256, 256);
    const auto mha = attention(d / 64, d / 64, 64);
    const spec::SwiGlu mlp{.width = ff};
    const std::size_t periods[] = {0, 24, 12, 6, 3};
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(parameters(periodic(model(d, 32000), 24, mixer, mha, periods[i], mlp)), totals[i]) << d << " " << i;
    }
  }
  const auto grouped =
      hybrid(model(2048, 32000), 24, gdn(8, 8, 256, 256), attention(32, 8, 64), {11, 23}, spec::SwiGlu{});
  EXPECT_EQ(parameters(grouped), 1'445'257'056);
}

TEST(GoldenModelsTest, SeedPaperFamiliesPureAndWithTwoFullLayers) {
  struct Row {
    const char* name;
    Dim d;
    spec::Mixer mixer;
    Dim width;
    std::int64_t pure, two_full;
  };
  const Row rows[] = {
      {"gla", 1024, gla(4, 1024), 2816, 374'475'776, 374'425'088},
      {"gla", 2048, gla(4, 2048), 5632, 1'365'514'240, 1'365'412'864},
      {"retnet", 1024, retnet(8, 1024), 1536, 380'165'120, 371'776'000},
      {"retnet", 2048, retnet(8, 2048), 2816, 1'351'727'104, 1'318'171'648},
      {"delta_net", 1024, delta_net(8, 1024), 2816, 374'362'112, 374'320'896},
      {"delta_net", 2048, delta_net(16, 2048), 5632, 1'365'677'056, 1'365'562'112},
      {"hgrn2", 1024, hgrn2(8, 1024), 2816, 373'916'672, 373'914'624},
      {"hgrn2", 2048, hgrn2(16, 2048), 5632, 1'364'396'032, 1'364'391'936},
      {"hgrn", 1024, spec::Hgrn{.width = 1024}, 2816, 373'916'672, 373'914'624},
      {"hgrn", 2048, spec::Hgrn{.width = 2048}, 5632, 1'364'396'032, 1'364'391'936},
      {"kda", 2048, kda(16, 128), 5632, 1'390'941'568, 1'388'721'248},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const auto mha = attention(row.d / 64, row.d / 64, 64);
    const spec::SwiGlu mlp{.width = row.width};
    EXPECT_EQ(parameters(hybrid(model(row.d, 32000), 24, row.mixer, mha, {}, mlp)), row.pure);
    EXPECT_EQ(parameters(hybrid(model(row.d, 32000), 24, row.mixer, mha, {11, 23}, mlp)), row.two_full);
  }
  for (const auto& [d, total] : {std::pair{1024, 373'867'520}, std::pair{2048, 1'364'297'728}}) {
    const auto mha = attention(d / 64, d / 64, 64);
    EXPECT_EQ(parameters(hybrid(model(d, 32000), 24, mha, mha, {}, spec::SwiGlu{.width = d * 11 / 4})), total);
  }
}

TEST(GoldenModelsTest, PureDefaultsOfFlashLinearAttention) {
  const spec::SwiGlu mlp{.width = 5632};
  EXPECT_EQ(parameters(hybrid(model(2048, 32000), 21, gdn(6, 6, 256, 512), attention(32, 32, 64), {}, mlp)),
            1'387'348'732);
  EXPECT_EQ(parameters(hybrid(model(2048, 32000), 48, spec::Mamba2{}, attention(32, 32, 64), {}, spec::None{})),
            1'371'839'488);
}

TEST(GoldenModelsTest, TinyModelsOfFlashLinearAttention) {
  const auto tiny = [](const spec::Mixer& mixer, std::initializer_list<std::size_t> full_at,
                       const spec::Mixer& full = attention(4, 4, 16)) {
    return parameters(hybrid(model(64, 256), 4, mixer, full, full_at, spec::SwiGlu{.width = 256}));
  };
  auto biased = attention(4, 2, 16);
  biased.qkv_bias = true;
  EXPECT_EQ(tiny(gla(2, 64), {3}), 300'288);
  EXPECT_EQ(tiny(delta_net(2, 64), {1, 3}, biased), 289'408);
  EXPECT_EQ(tiny(gdn(2, 2, 32, 64), {3}), 348'684);
  EXPECT_EQ(tiny(kda(2, 32), {3}), 323'238);
  EXPECT_EQ(tiny(retnet(2, 64), {3}), 344'832);
  EXPECT_EQ(tiny(hgrn2(2, 64), {3}), 295'936);
  EXPECT_EQ(tiny(attention(4, 2, 16), {}), 279'104);
  EXPECT_EQ(parameters(hybrid(model(64, 256), 4, spec::Mamba2{.heads = 8, .head_dim = 16, .state_dim = 16},
                              attention(4, 4, 16), {}, spec::None{})),
            145'440);
}

TEST(GoldenModelsTest, TwentyFourLayerHybridsOfFlashLinearAttention) {
  const auto base = model(1024, 32000);
  const spec::SwiGlu mlp{.width = 2816};
  EXPECT_EQ(parameters(hybrid(base, 24, gla(4, 1024), sliding(attention(16, 4, 64), 512), {7, 15, 23}, mlp)),
            369'681'152);
  auto mixed = hybrid(base, 24, gdn(4, 4, 256, 256), attention(16, 4, 64), {7, 23}, mlp);
  mixed.layout.layers[3].mixer = mixed.layout.layers[11].mixer = sliding(attention(16, 16, 64), 1024);
  EXPECT_EQ(parameters(mixed), 392'108'192);
  EXPECT_EQ(parameters(periodic(base, 24, kda(8, 128), attention(8, 8, 128), 4, mlp)), 383'712'656);
}

TEST(GoldenModelsTest, TinyModelsOfTransformers) {
  EXPECT_EQ(parameters(hybrid(model(64, 256), 4, gdn(2, 4, 16, 16), qwen_attention(4, 2, 16), {1, 3},
                              spec::SwiGlu{.width = 128})),
            199'344);
  auto olmo = attention(4, 4, 16);
  olmo.qk_norm = spec::QkNorm::full_width;
  EXPECT_EQ(parameters(hybrid(model(64, 256), 4, gdn(4, 4, 12, 24), olmo, {1, 3}, spec::SwiGlu{.width = 128})),
            216'448);
  const spec::Mamba2 bamba{.heads = 8, .head_dim = 16, .state_dim = 16};
  EXPECT_EQ(parameters(hybrid(model(64, 256), 4, bamba, attention(4, 2, 16), {1, 3}, spec::SwiGlu{.width = 128})),
            212'400);
  const spec::Mamba2 nemotron_mamba{.heads = 8, .head_dim = 16, .state_dim = 16, .groups = 2};
  EXPECT_EQ(
      parameters(nemotron(model(64, 256), "M-*-M-", nemotron_mamba, attention(4, 2, 16), spec::Mlp{.width = 128})),
      155'248);
}

spec::ModelSpec qwen35(Dim d, Dim vocab, bool tied, std::size_t layers, const spec::Mixer& linear,
                       const spec::Mixer& full, const spec::ChannelMixer& channel_mixer) {
  return periodic(model(d, vocab, tied), layers, linear, full, 4, channel_mixer);
}
spec::MoE qwen_experts(Dim experts, Dim active, Dim width) {
  return {.experts = experts, .active = active, .expert_width = width, .shared_width = width, .shared_gate = true};
}

spec::ModelSpec qwen35_9b() {
  return qwen35(4096, 248320, false, 32, gdn(16, 32, 128, 128), qwen_attention(16, 4, 256),
                spec::SwiGlu{.width = 12288});
}
spec::ModelSpec qwen35_27b() {
  return qwen35(5120, 248320, false, 64, gdn(16, 48, 128, 128), qwen_attention(24, 4, 256),
                spec::SwiGlu{.width = 17408});
}
spec::ModelSpec qwen35_35b() {
  return qwen35(2048, 248320, false, 40, gdn(16, 32, 128, 128), qwen_attention(16, 2, 256), qwen_experts(256, 8, 512));
}
spec::ModelSpec qwen35_122b() {
  return qwen35(3072, 248320, false, 48, gdn(16, 64, 128, 128), qwen_attention(32, 2, 256), qwen_experts(256, 8, 1024));
}
spec::ModelSpec qwen35_397b() {
  return qwen35(4096, 248320, false, 60, gdn(16, 64, 128, 128), qwen_attention(32, 2, 256),
                qwen_experts(512, 10, 1024));
}
spec::ModelSpec qwen3_next() {
  return qwen35(2048, 151936, false, 48, gdn(16, 32, 128, 128), qwen_attention(16, 2, 256), qwen_experts(512, 10, 512));
}

TEST(GoldenModelsTest, QwenHybrids) {
  EXPECT_EQ(parameters(qwen35(1024, 248320, true, 24, gdn(16, 16, 128, 128), qwen_attention(8, 2, 256),
                              spec::SwiGlu{.width = 3584})),
            752'393'024);
  EXPECT_EQ(parameters(qwen35_9b()), 8'953'803'264);
  EXPECT_EQ(parameters(qwen35_27b()), 26'895'998'464);
  EXPECT_EQ(parameters(qwen35_35b()), 34'660'610'688);
  EXPECT_EQ(parameters(qwen35_122b()), 122'111'526'912);
  EXPECT_EQ(parameters(qwen35_397b()), 396'346'350'336);
  EXPECT_EQ(parameters(qwen3_next()), 79'674'391'296);
}

spec::ModelSpec olmo_hybrid() {
  auto full = attention(30, 30, 128);
  full.qk_norm = spec::QkNorm::full_width;
  return periodic(model(3840, 100352), 32, gdn(30, 30, 96, 192), full, 4, spec::SwiGlu{.width = 11008});
}

TEST(GoldenModelsTest, OlmoHybrid) { EXPECT_EQ(parameters(olmo_hybrid()), 7'430'870'688); }

spec::Mamba2 mamba(Dim heads, Dim head_dim, Dim state, Dim groups) {
  return {.heads = heads, .head_dim = head_dim, .state_dim = state, .groups = groups};
}

/// M and - (or E) in turn, starting with M, with * at the given positions of the string.
std::string alternating(std::size_t entries, std::initializer_list<std::size_t> attention_at, char channel) {
  std::string pattern(entries, ' ');
  for (const std::size_t i : attention_at) pattern[i] = '*';
  bool mixer = true;
  for (char& symbol : pattern) {
    if (symbol == '*') continue;
    symbol = mixer ? 'M' : channel;
    mixer = !mixer;
  }
  return pattern;
}

constexpr std::string_view kNemotronH8B = "M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-";
constexpr std::string_view kNano9Bv2 = "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-";
constexpr std::string_view kNano30B = "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME";

spec::ModelSpec nemotron_h_8b() {
  return nemotron(model(4096, 131072), kNemotronH8B, mamba(128, 64, 128, 8), attention(32, 8, 128),
                  spec::Mlp{.width = 21504});
}
spec::ModelSpec nemotron_h_56b() {
  return nemotron(model(8192, 131072), alternating(118, {7, 18, 29, 40, 51, 62, 73, 84, 95, 106}, '-'),
                  mamba(256, 64, 256, 8), attention(64, 8, 128), spec::Mlp{.width = 32768});
}
spec::ModelSpec nemotron_nano_30b() {
  return nemotron(model(2688, 131072), kNano30B, mamba(64, 64, 128, 8), attention(32, 2, 128),
                  spec::MoE{.experts = 128, .active = 6, .expert_width = 1856, .shared_width = 3712, .gated = false});
}

// Nemotron-H-47B has MLPs that follow an MLP; a layer here has one channel mixer, so it cannot be written.
TEST(GoldenModelsTest, NemotronHybrids) {
  EXPECT_EQ(parameters(nemotron(model(3072, 131072), kNemotronH8B, mamba(112, 64, 128, 8), attention(32, 8, 128),
                                spec::Mlp{.width = 12288})),
            4'489'223'040);
  EXPECT_EQ(parameters(nemotron_h_8b()), 8'100'852'736);
  EXPECT_EQ(parameters(nemotron_h_56b()), 56'324'350'464);
  EXPECT_EQ(parameters(nemotron(model(4480, 131072), kNano9Bv2, mamba(128, 80, 128, 8), attention(40, 8, 128),
                                spec::Mlp{.width = 15680})),
            8'888'227'328);
  EXPECT_EQ(parameters(nemotron(model(5120, 131072), alternating(62, {7, 16, 25, 34, 43, 52}, '-'),
                                mamba(128, 80, 128, 8), attention(40, 8, 128), spec::Mlp{.width = 20480})),
            12'310'001'152);
  EXPECT_EQ(parameters(nemotron_nano_30b()), 31'577'937'344);
}

TEST(GoldenModelsTest, OtherMambaHybrids) {
  EXPECT_EQ(parameters(hybrid(model(4096, 128000), 32, mamba(128, 64, 128, 1), attention(32, 8, 128), {9, 18, 27},
                              spec::SwiGlu{.width = 14336})),
            9'778'138'240);
  EXPECT_EQ(parameters(hybrid(model(2048, 100352, true), 40, mamba(64, 64, 128, 1), attention(32, 8, 64),
                              {5, 15, 25, 35}, spec::SwiGlu{.width = 8192})),
            3'191'396'096);
  EXPECT_EQ(
      parameters(hybrid(model(4096, 100352, true), 40, mamba(128, 64, 128, 1), attention(32, 8, 128), {5, 15, 25, 35},
                        spec::MoE{.experts = 72, .active = 10, .expert_width = 768, .shared_width = 1536})),
      32'207'337'984);
  EXPECT_EQ(
      parameters(hybrid(model(1536, 100352, true), 40, mamba(48, 64, 128, 1), attention(12, 4, 128), {5, 15, 25, 35},
                        spec::MoE{.experts = 64, .active = 6, .expert_width = 512, .shared_width = 1024})),
      6'939'037'248);
}

// Falcon-H1's Mamba-2 branch has no inner norm; ours always has one of the inner width.
TEST(GoldenModelsTest, FalconH1ButForItsMissingInnerNorm) {
  const spec::ParallelMixer parallel{.branches = {attention(8, 2, 64), mamba(24, 64, 128, 1)}};
  const auto spec = hybrid(model(1024, 32784), 36, parallel, parallel, {}, spec::SwiGlu{.width = 2048});
  EXPECT_EQ(parameters(spec) - 36 * 1536, 521'411'104);
}

TEST(GoldenModelsTest, ActiveParametersLeaveOutTheExpertsThatATokenDoesNotVisit) {
  const auto report = cost_report(qwen35_35b(), {}, h100());
  EXPECT_EQ(report.parameters.total - report.parameters.active, 40LL * (256 - 8) * 3 * 2048 * 512);
  const auto dense = cost_report(qwen35_9b(), {}, h100());
  EXPECT_EQ(dense.parameters.total, dense.parameters.active);
}

// State with fp32 recurrences and bf16 convolution windows of three inputs; KV in bf16.
TEST(GoldenModelsTest, CachesOfShippedConfigurations) {
  struct Row {
    const char* name;
    spec::ModelSpec spec;
    std::int64_t kv_per_token, state_bytes;
  };
  auto kimi_k3 =
      hybrid(model(7168, 163840), 93, kda(96, 128), spec::MultiHeadLatentAttention{.heads = 96}, {}, spec::None{});
  for (std::size_t i = 0; i < 24; ++i) kimi_k3.layout.layers[i].mixer = spec::MultiHeadLatentAttention{.heads = 96};
  auto super = hybrid(model(4096, 131072), 48, mamba(128, 64, 128, 8), attention(32, 2, 128), {}, spec::None{});
  for (std::size_t i = 0; i < 8; ++i) super.layout.layers[i].mixer = attention(32, 2, 128);
  auto ultra = hybrid(model(8192, 131072), 60, mamba(256, 64, 128, 8), attention(64, 2, 128), {}, spec::None{});
  for (std::size_t i = 0; i < 12; ++i) ultra.layout.layers[i].mixer = attention(64, 2, 128);
  const Row rows[] = {
      {"Qwen3.5-27B", qwen35_27b(), 65'536, 153'944'064},
      {"Qwen3.5-35B-A3B", qwen35_35b(), 20'480, 64'389'120},
      {"Qwen3.5-122B-A10B", qwen35_122b(), 24'576, 153'649'152},
      {"Qwen3.5-397B-A17B", qwen35_397b(), 30'720, 192'061'440},
      {"Nemotron-3-Nano-30B-A3B", nemotron_nano_30b(), 6'144, 49'082'368},
      {"Nemotron-3-Super", super, 8'192, 170'229'760},
      {"Nemotron-3-Ultra", ultra, 12'288, 407'961'600},
      {"Nemotron-H-56B", nemotron_h_56b(), 40'960, 912'605'184},
      {"Kimi K3", kimi_k3, 27'648, 449'372'160},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const auto report = cost_report(row.spec, {.context = 131'072}, h100());
    EXPECT_EQ(report.kv_cache_bytes, row.kv_per_token * 131'072);
    EXPECT_EQ(report.state_bytes, row.state_bytes);
  }
}

// Recurrent states alone (fp32, MiB over all layers) and KV bytes per token of further published layouts.
TEST(GoldenModelsTest, CachesOfPublishedPresets) {
  struct Row {
    const char* name;
    Dim full;
    spec::Mixer attention;
    std::int64_t kv_per_token;
    Dim linear;
    spec::Mixer mixer;
    std::int64_t state_elements;
  };
  const auto bare = [](spec::GatedDeltaNet m) { return m.conv_width = 0, m; };
  const Row rows[] = {
      {"Qwen3-Next-80B", 12, attention(16, 2, 256), 24'576, 36, bare(gdn(16, 32, 128, 128)), 524'288},
      {"Qwen3.5-9B", 8, attention(16, 4, 256), 32'768, 24, bare(gdn(16, 32, 128, 128)), 524'288},
      {"Kimi Linear 48B", 7, spec::MultiHeadLatentAttention{.heads = 32}, 8'064, 20, bare(gdn(32, 32, 128, 128)),
       524'288},
      {"MiniMax-Text-01", 10, attention(64, 8, 128), 40'960, 70,
       spec::RetNet{.heads = 64, .kv_heads = 64, .key_head_dim = 128, .value_head_dim = 128}, 1'048'576},
      {"OLMo-Hybrid-7B", 8, attention(30, 30, 128), 122'880, 24, bare(gdn(30, 30, 96, 192)), 552'960},
      {"Jet-Nemotron-2B", 2, attention(12, 2, 128), 2'048, 24, bare(gdn(12, 12, 96, 256)), 294'912},
      {"Jet-Nemotron-4B", 3, attention(16, 2, 128), 3'072, 26, bare(gdn(16, 16, 128, 256)), 524'288},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const auto base = model(1024, 100);
    EXPECT_EQ(row.full * layer_cost({.mixer = row.attention}, base, {.context = 1}, h100()).kv_cache_bytes,
              row.kv_per_token);
    EXPECT_EQ(layer_cost({.mixer = row.mixer}, base, {.context = 1}, h100()).state_bytes, 4 * row.state_elements);
  }
  // Windows: Jet-Nemotron-2B, Jet-Nemotron-4B, gpt-oss-20b, Gemma-3-12B.
  struct Window {
    Dim layers, kv_heads, head_dim, window;
    std::int64_t bytes;
  };
  for (const auto& w : {Window{2, 2, 128, 1152, 2'359'296}, Window{7, 2, 128, 2048, 14'680'064},
                        Window{12, 8, 64, 128, 3'145'728}, Window{40, 8, 256, 1024, 335'544'320}}) {
    const spec::LayerSpec layer{.mixer = sliding(attention(w.kv_heads, w.kv_heads, w.head_dim), w.window)};
    EXPECT_EQ(w.layers * layer_cost(layer, model(1024, 100), {.context = 131'072}, h100()).kv_cache_bytes, w.bytes);
  }
}

TEST(GoldenModelsTest, PublishedMemoryCases) {
  // Jet-Nemotron-4B at 65,536 tokens, batch 1: 258 MiB (its table has no convolution windows).
  auto jet = gdn(16, 16, 128, 256);
  jet.conv_width = 0;
  auto spec = hybrid(model(2048, 151936), 36, jet, attention(16, 2, 128), {17, 20, 32}, spec::SwiGlu{.width = 11008});
  for (const std::size_t i : {5, 16, 19, 21, 22, 25, 27}) {
    spec.layout.layers[i].mixer = sliding(attention(16, 2, 128), 2048);
  }
  const auto report = cost_report(spec, {.context = 65'536}, h100());
  EXPECT_EQ(report.kv_cache_bytes + report.state_bytes, 258LL << 20);

  // Qwen3-1.7B and Qwen2.5-1.5B at 65,536 tokens: 7,168 and 1,792 MiB.
  const auto kv = [](const spec::FullAttention& full, std::size_t layers, spec::DType type, Dim context) {
    auto dense = hybrid(model(1024, 100), layers, full, full, {}, spec::None{});
    dense.kv_dtype = type;
    return cost_report(dense, {.context = context}, h100()).kv_cache_bytes;
  };
  EXPECT_EQ(kv(attention(16, 8, 128), 28, spec::DType::bf16, 65'536), 7'168LL << 20);
  EXPECT_EQ(kv(attention(12, 2, 128), 28, spec::DType::bf16, 65'536), 1'792LL << 20);

  // 8-bit caches in blocks of 32 with a two-byte scale take 34/32 bytes per element: 34,816 bytes per token for the
  // geometry of Qwen3.6-27B, 4.25 GiB at 262,144 tokens for 8 layers of the 9B.
  EXPECT_EQ(kv(attention(24, 4, 256), 16, spec::DType::int8, 1) * 34 / 32, 34'816);
  EXPECT_EQ(kv(attention(16, 4, 256), 8, spec::DType::int8, 262'144) / 32 * 34, 17LL << 28);
}

// Megatron-LM counts causal attention as L^2 / 2 pairs, the pairs that are really seen are L (L + 1) / 2: the
// difference is 6 x heads x head_dim x L per layer.
TEST(GoldenModelsTest, TrainingFlopsAreMegatronsPlusTheDiagonal) {
  struct Row {
    const char* name;
    Dim d, layers, heads, kv_heads;
    spec::ChannelMixer mlp;
    Dim vocab, context;
    std::int64_t training_flops;
  };
  for (const auto& r : {Row{"Llama-3-8B", 4096, 32, 32, 8, spec::SwiGlu{14336}, 128256, 8192, 421'645'529'382'912},
                        Row{"Llama-3-70B", 8192, 80, 64, 8, spec::SwiGlu{28672}, 128256, 8192, 3'680'031'058'427'904},
                        Row{"GPT-3-175B", 12288, 96, 96, 96, spec::Mlp{49152}, 51200, 2048, 2'174'868'359'479'296}}) {
    const auto full = attention(r.heads, r.kv_heads, 128);
    const auto spec = hybrid(model(r.d, r.vocab), static_cast<std::size_t>(r.layers), full, full, {}, r.mlp);
    const auto report = cost_report(spec, {.context = r.context}, h100());
    EXPECT_EQ(report.training_flops - 6 * r.layers * r.heads * 128 * r.context, r.training_flops) << r.name;
  }
}

}  // namespace
}  // namespace plait::costmodel
