#include "costmodel/mixers/mixer_shape.h"

#include <gtest/gtest.h>

#include <variant>

#include "tests/costmodel/models.h"

namespace plait::costmodel {
namespace {

std::int64_t parameters(const spec::Mixer& mixer, Dim d_model) {
  const auto cost = layer_cost({.mixer = mixer}, model(d_model, 100), {}, h100());
  return cost.parameters - d_model;  // the block norm
}

// Layers of flash-linear-attention 0.6.0 and xlstm 2.0.6 at their class defaults, built on the meta device.
TEST(MixerShapeTest, ParametersOfTheReferenceLayersAreExact) {
  EXPECT_EQ(parameters(spec::RetNet{.heads = 8, .kv_heads = 8, .key_head_dim = 128, .value_head_dim = 256}, 1024),
            8'388'864);
  EXPECT_EQ(parameters(spec::Gla{.heads = 4, .kv_heads = 4, .key_head_dim = 128, .value_head_dim = 256}, 1024),
            4'219'648);
  EXPECT_EQ(parameters(spec::Hgrn{.width = 1024}, 1024), 4'195'328);
  EXPECT_EQ(parameters(spec::Hgrn2{.heads = 8, .key_head_dim = 128, .value_head_dim = 128}, 1024), 4'195'328);
  EXPECT_EQ(parameters(spec::DeltaNet{.heads = 4, .key_head_dim = 256, .value_head_dim = 256}, 1024), 4'210'944);
  EXPECT_EQ(parameters(gdn(6, 6, 256, 512), 2048), 25'215'500);
  EXPECT_EQ(parameters(spec::KimiDeltaAttention{}, 2048), 17'887'376);
  EXPECT_EQ(parameters(spec::Mamba2{}, 2048), 25'847'232);
  EXPECT_EQ(parameters(spec::MomentumDeltaNet{.heads = 6, .key_head_dim = 256, .value_head_dim = 512}, 2048),
            25'240'100);
  EXPECT_EQ(parameters(spec::MomentumDeltaNet{.heads = 4, .key_head_dim = 256, .value_head_dim = 512}, 1024),
            8'421'912);
  EXPECT_EQ(parameters(spec::MultiHeadLatentAttention{.q_lora_rank = 1536}, 2048), 15'337'472);
  EXPECT_EQ(parameters(spec::MultiHeadLatentAttention{.q_lora_rank = 64}, 2048), 7'799'360);
  EXPECT_EQ(parameters(attention(32, 32, 64), 2048), 16'777'216);
  EXPECT_EQ(parameters(spec::MLstm{.heads = 8, .key_head_dim = 256, .value_head_dim = 512}, 4096), 67'178'512);
}

// The same layers at the sizes of small proxies: width D, H heads of 64.
TEST(MixerShapeTest, ParametersOfSmallProxiesAreExact) {
  struct Row {
    Dim d, h;
    std::int64_t attention, retnet, gla, hgrn, delta_net, gdn1, gdn2, kda, mlstm, mamba64, mamba128, mdn1, mdn2;
  };
  for (const auto& r : {Row{64, 1, 16'384, 32'896, 18'016, 16'448, 17'280, 21'442, 34'050, 33'793, 16'578, 34'310,
                            43'142, 21'574, 34'182},
                        Row{128, 2, 65'536, 131'200, 68'736, 65'664, 67'392, 84'036, 133'764, 100'418, 66'180, 117'388,
                            134'412, 84'556, 134'284},
                        Row{256, 4, 262'144, 524'416, 268'480, 262'400, 266'304, 332'872, 530'568, 332'356, 264'456,
                            431'768, 465'176, 334'936, 532'632}}) {
    SCOPED_TRACE(r.d);
    const Dim h = r.h;
    EXPECT_EQ(parameters(attention(h, h, 64), r.d), r.attention);
    EXPECT_EQ(parameters(spec::RetNet{.heads = h, .kv_heads = h, .key_head_dim = 64, .value_head_dim = 128}, r.d),
              r.retnet);
    EXPECT_EQ(parameters(spec::Gla{.heads = h, .kv_heads = h, .key_head_dim = 32, .value_head_dim = 64}, r.d), r.gla);
    EXPECT_EQ(parameters(spec::Hgrn{.width = r.d}, r.d), r.hgrn);
    EXPECT_EQ(parameters(spec::Hgrn2{.heads = h, .key_head_dim = 64, .value_head_dim = 64}, r.d), r.hgrn);
    EXPECT_EQ(parameters(spec::DeltaNet{.heads = h, .key_head_dim = 64, .value_head_dim = 64}, r.d), r.delta_net);
    EXPECT_EQ(parameters(gdn(h, h, 64, 64), r.d), r.gdn1);
    EXPECT_EQ(parameters(gdn(h, h, 64, 128), r.d), r.gdn2);
    EXPECT_EQ(
        parameters(spec::KimiDeltaAttention{.heads = h, .value_heads = h, .key_head_dim = 64, .value_head_dim = 64},
                   r.d),
        r.kda);
    EXPECT_EQ(parameters(spec::MLstm{.heads = h, .key_head_dim = 32, .value_head_dim = 64}, r.d), r.mlstm);
    EXPECT_EQ(parameters(spec::Mamba2{.heads = 2 * h, .head_dim = 64, .state_dim = 64}, r.d), r.mamba64);
    EXPECT_EQ(parameters(spec::Mamba2{.heads = 2 * h, .head_dim = 64, .state_dim = 128}, r.d), r.mamba128);
    EXPECT_EQ(parameters(spec::MomentumDeltaNet{.heads = h, .key_head_dim = 64, .value_head_dim = 64}, r.d), r.mdn1);
    EXPECT_EQ(parameters(spec::MomentumDeltaNet{.heads = h, .key_head_dim = 64, .value_head_dim = 128}, r.d), r.mdn2);
  }
}

TEST(MixerShapeTest, AttentionOptionsAddWhatTheySay) {
  const auto plain = attention(8, 2, 64);
  const Dim d = 512;
  const auto base = parameters(plain, d);
  EXPECT_EQ(base, 2 * d * 512 + 2 * d * 128);
  auto mixer = plain;
  mixer.qkv_bias = true;
  EXPECT_EQ(parameters(mixer, d) - base, 512 + 2 * 128);
  mixer = plain;
  mixer.qk_norm = spec::QkNorm::per_head;
  EXPECT_EQ(parameters(mixer, d) - base, 2 * 64);
  mixer.qk_norm = spec::QkNorm::full_width;
  EXPECT_EQ(parameters(mixer, d) - base, 512 + 128);
  mixer = plain;
  mixer.output_gate = true;
  EXPECT_EQ(parameters(mixer, d) - base, d * 512);
  EXPECT_EQ(parameters(sliding(plain, 128), d), base);
}

TEST(MixerShapeTest, LinearOptionsAddWhatTheySay) {
  const Dim d = 512;
  const spec::Gla gla{.heads = 8, .kv_heads = 8, .key_head_dim = 32, .value_head_dim = 64};
  auto option = gla;
  option.output_gate = false;
  EXPECT_EQ(parameters(gla, d) - parameters(option, d), d * 512);
  option = gla;
  option.conv_width = 4;
  EXPECT_EQ(parameters(option, d) - parameters(gla, d), 4 * (256 + 256 + 512));
  option.kv_heads = 2;  // groups of 4: dK + dK/g + dV/g + dV + 16 d + 16 K/g + K/g + Vd + V/H + 4 (K + K/g + V/g)
  EXPECT_EQ(parameters(option, d),
            d * 256 + d * 64 + d * 128 + d * 512 + 16 * d + 16 * 64 + 64 + 512 * d + 64 + 4 * (256 + 64 + 128));

  const spec::RetNet retnet{.heads = 8, .kv_heads = 8, .key_head_dim = 64, .value_head_dim = 128};
  auto grouped = retnet;
  grouped.kv_heads = 4;
  EXPECT_EQ(parameters(retnet, d) - parameters(grouped, d), d * (256 + 512));
  auto ungated = retnet;
  ungated.output_gate = false;
  EXPECT_EQ(parameters(retnet, d) - parameters(ungated, d), d * 1024);

  EXPECT_EQ(parameters(spec::Hgrn{.width = d, .conv_width = 4}, d) - parameters(spec::Hgrn{.width = d}, d), 4 * 2 * d);
  const spec::Hgrn2 hgrn2{.heads = 8, .key_head_dim = 32, .value_head_dim = 64};
  auto convolved = hgrn2;
  convolved.conv_width = 4;
  EXPECT_EQ(parameters(convolved, d) - parameters(hgrn2, d), 4 * (2 * 256 + 512));

  const spec::DeltaNet delta{.heads = 8, .key_head_dim = 64, .value_head_dim = 64};
  auto gated = delta;
  gated.output_gate = true;
  EXPECT_EQ(parameters(gated, d) - parameters(delta, d), d * 512);
  auto no_bias = spec::Mamba2{};
  no_bias.conv_bias = false;
  EXPECT_EQ(parameters(spec::Mamba2{}, d) - parameters(no_bias, d), 4096 + 2 * 128);
}

// Grouped values: 2 d K + 2 d V + 2 d Hv + 2 Hv + 4 (2 K + V) + V/Hv + V d.
TEST(MixerShapeTest, GroupedValueHeadsScaleValuesDecaysAndState) {
  const auto mixer = gdn(16, 32, 128, 128);
  const Dim d = 2048, k = 2048, v = 4096;
  EXPECT_EQ(parameters(mixer, d), 2 * d * k + 2 * d * v + 2 * d * 32 + 64 + 4 * (2 * k + v) + 128 + v * d);
  EXPECT_EQ(state_elements(mixer_shape(mixer, d)).exact("state"), 32 * 128 * 128);
}

TEST(MixerShapeTest, ALayerThatSharesACacheHasNoKeyAndValueProjections) {
  auto mixer = attention(8, 2, 64);
  mixer.qkv_bias = true;
  mixer.qk_norm = spec::QkNorm::per_head;
  const auto own = mixer_shape(mixer, 512, false);
  const auto shared = mixer_shape(mixer, 512, true);
  EXPECT_EQ(own.parameters().exact("p") - shared.parameters().exact("p"), 2 * 512 * 128 + 2 * 128 + 64);
  EXPECT_FALSE(shared.attention.owns_cache);
  EXPECT_EQ(cached_elements(shared, 10).exact("c"), 10 * 2 * 128) << "it still reads the other layer's cache";
  const spec::MultiHeadLatentAttention mla;
  EXPECT_EQ(
      mixer_shape(mla, 2048, false).parameters().exact("p") - mixer_shape(mla, 2048, true).parameters().exact("p"),
      2048 * 64 + 2048 * 512 + 512);
}

// Per token and head at K = V = 128: the generic chunked form 98,304, the WY form 181,589 (rounded down).
TEST(MixerShapeTest, ChunkedCountsAreThoseOfTheAlgorithms) {
  const auto per_token = [](const MixerShape& shape) { return core_prefill_flops(shape, 6400).exact("flops") / 6400; };
  EXPECT_EQ(
      per_token(mixer_shape(spec::Gla{.heads = 1, .kv_heads = 1, .key_head_dim = 128, .value_head_dim = 128}, 128)),
      98'304);
  EXPECT_EQ(per_token(mixer_shape(spec::Mamba2{.heads = 1, .head_dim = 128, .state_dim = 128}, 128)), 98'304);
  EXPECT_EQ(per_token(mixer_shape(gdn(1, 1, 128, 128), 128)), 181'589);
  EXPECT_EQ(per_token(mixer_shape(spec::KimiDeltaAttention{.heads = 1, .value_heads = 1}, 128)), 181'589);
  // 12 K V + 4 C (K + V), and the triangular solve's C^2 / 3.
  EXPECT_EQ(per_token(mixer_shape(spec::MomentumDeltaNet{.heads = 1, .key_head_dim = 128, .value_head_dim = 128}, 128)),
            12 * 128 * 128 + 4 * 64 * 256 + 64 * 64 / 3);
  EXPECT_EQ(per_token(mixer_shape(spec::Hgrn{.width = 128}, 128)), 5 * 128);
}

TEST(MixerShapeTest, AShortLastChunkCostsLessThanAWholeOne) {
  const auto shape = mixer_shape(gdn(1, 1, 64, 64), 64);
  const auto flops = [&](Dim tokens) { return core_prefill_flops(shape, tokens).exact("flops"); };
  EXPECT_EQ(flops(128), 2 * flops(64));
  EXPECT_EQ(flops(64 + 10), flops(64) + flops(10));
  EXPECT_LT(flops(10), flops(64));
}

TEST(MixerShapeTest, DecodeCountsAreTheRecurrentOnes) {
  const auto per_element = [](const MixerShape& shape) {
    return core_decode_flops(shape, 1000).exact("flops") / (shape.recurrence.heads * 128 * 128);
  };
  EXPECT_EQ(per_element(mixer_shape(spec::Gla{.key_head_dim = 128, .value_head_dim = 128}, 512)), 6);
  EXPECT_EQ(per_element(mixer_shape(spec::Mamba2{.head_dim = 128, .state_dim = 128}, 512)), 6);
  EXPECT_EQ(per_element(mixer_shape(spec::DeltaNet{}, 512)), 8);
  EXPECT_EQ(per_element(mixer_shape(spec::MomentumDeltaNet{.key_head_dim = 128, .value_head_dim = 128}, 512)), 11);
}

TEST(MixerShapeTest, LatentAttentionDecodesOverLatents) {
  const auto shape = mixer_shape(spec::MultiHeadLatentAttention{}, 2048, false);
  EXPECT_EQ(core_decode_flops(shape, 1).exact("flops"), 16 * (2 * (512 + 64) + 2 * 512));
  EXPECT_EQ(core_prefill_flops(shape, 1).exact("flops"), 16 * (2 * (128 + 64) + 2 * 128));
  EXPECT_EQ(cached_elements(shape, 1).exact("elements"), 576);
}

TEST(MixerShapeTest, StateSizesAreThoseOfTheRecurrences) {
  const auto state = [](const MixerShape& shape) { return state_elements(shape).exact("state"); };
  EXPECT_EQ(state(mixer_shape(gdn(8, 8, 256, 256), 2048)), 524'288);
  EXPECT_EQ(state(mixer_shape(spec::Hgrn{.width = 2048}, 2048)), 2048);
  EXPECT_EQ(state(mixer_shape(spec::MomentumDeltaNet{}, 2048)), 2 * 8 * 256 * 256);
  EXPECT_EQ(state(mixer_shape(spec::MLstm{.heads = 4, .key_head_dim = 32, .value_head_dim = 64}, 256)),
            4 * (32 * 64 + 32 + 1));
  EXPECT_EQ(state(mixer_shape(spec::FullAttention{}, 2048, false)), 0);
}

}  // namespace
}  // namespace plait::costmodel
