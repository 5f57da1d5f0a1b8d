#include "src/proxy/reduce.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "src/spec/notation.h"

namespace plait::proxy {
namespace {

spec::Layout layout(std::string_view text) { return spec::parse_layout(text, spec::Palette::defaults(1024)); }

std::string reduced(std::string_view text, std::size_t layers = 4) {
  return spec::letters(reduce_depth(layout(text), layers));
}

TEST(ReduceDepthTest, KeepsThePeriodOfAHybrid) {
  EXPECT_EQ(reduced("(GGG*)x6"), "GGG*");
  EXPECT_EQ(reduced("(GGG*)x6", 8), "GGG*GGG*");
  EXPECT_EQ(reduced("(GGG*)x6", 12), "GGG*GGG*GGG*");
  EXPECT_EQ(reduced("(G*)x12"), "G*G*");
  EXPECT_EQ(reduced("(*GGG)x6", 8), "*GGG*GGG");
}

TEST(ReduceDepthTest, PureLayoutsStayPure) {
  EXPECT_EQ(reduced("Gx24"), "GGGG");
  EXPECT_EQ(reduced("*x24"), "****");
  EXPECT_EQ(reduced("+x24"), "++++");
}

TEST(ReduceDepthTest, FewAttentionLayersLeaveOneThatIsNotFirst) {
  for (const char* const text : {"(Gx7*)x3", "Gx23*", "G*Gx22", "Gx3*Gx20", "Gx12*Gx11"}) {
    const std::string letters = reduced(text);
    EXPECT_EQ(std::ranges::count(letters, '*'), 1) << text << " -> " << letters;
    EXPECT_NE(letters.front(), '*') << text << " -> " << letters;
  }
}

TEST(ReduceDepthTest, AttentionFirstStaysFirst) {
  EXPECT_EQ(reduced("*Gx23"), "*GGG");
  EXPECT_EQ(reduced("*Gx22*"), "*GGG");
  EXPECT_EQ(reduced("(*GGG)x6"), "*GGG");
  EXPECT_EQ(reduced("*x12Gx12"), "**GG");
  EXPECT_EQ(reduced("Gx12*x12"), "GG**");
}

TEST(ReduceDepthTest, AttentionStaysAtItsRelativeDepth) {
  EXPECT_LT(reduced("Gx4*Gx25", 6).find('*'), reduced("Gx14*Gx15", 6).find('*'));
  EXPECT_LT(reduced("Gx14*Gx15", 6).find('*'), reduced("Gx27*GG", 6).find('*'));
}

TEST(ReduceDepthTest, OtherMixersShareTheRestInOrder) {
  EXPECT_EQ(reduced("(GS)x12"), "GSGS");
  EXPECT_EQ(reduced("Gx12Mx12"), "GGMM");
  EXPECT_EQ(reduced("(GGM*)x6", 8), "GGM*GGM*");
}

TEST(ReduceDepthTest, NeverMoreOrFewerLayersThanAsked) {
  for (std::size_t depth = 1; depth <= 20; ++depth) {
    for (std::size_t pattern = 0; pattern < (std::size_t{1} << std::min<std::size_t>(depth, 9)); ++pattern) {
      std::string text;
      for (std::size_t i = 0; i < depth; ++i) text += (pattern >> (i % 9)) & 1 ? '*' : 'G';
      for (std::size_t layers = 1; layers <= 8; ++layers) {
        const std::string letters = reduced(text, layers);
        ASSERT_EQ(letters.size(), std::min(layers, depth)) << text;
        if (layers < 2) continue;
        ASSERT_EQ(letters.find('*') == std::string::npos, text.find('*') == std::string::npos)
            << text << " " << letters;
        ASSERT_EQ(letters.find('G') == std::string::npos, text.find('G') == std::string::npos)
            << text << " " << letters;
        ASSERT_EQ(letters.front() == '*', text.front() == '*') << text << " -> " << letters;
        const double share = static_cast<double>(std::ranges::count(text, '*')) / static_cast<double>(depth);
        const double kept = static_cast<double>(std::ranges::count(letters, '*'));
        ASSERT_LE(std::abs(kept - share * static_cast<double>(letters.size())), 1.0) << text << " -> " << letters;
      }
    }
  }
}

TEST(ReduceDepthTest, DropsLinksEvenWhereTheDepthStays) {
  for (const std::size_t layers : {3, 8}) {
    for (const spec::LayerSpec& layer : reduce_depth(layout("G*=0*@1*@1GG"), layers).layers) {
      EXPECT_FALSE(layer.kv_from || layer.weights_from);
    }
  }
}

spec::ModelSpec model(std::string_view text) {
  spec::ModelSpec out;
  out.d_model = 1024;
  out.max_position = 4096;
  out.layout = layout(text);
  return out;
}

TEST(ProxyModelTest, EveryMixerBecomesAValidSmallOne) {
  for (const Tier tier : {Tier::tiny, Tier::small, Tier::full}) {
    for (std::size_t i = 0; i < spec::mixer_table().size(); ++i) {
      spec::ModelSpec big = model("GG");
      big.layout.layers[1].mixer = spec::default_mixer(i, 1024);
      const ProxyShape shape = proxy_shape(tier);
      const spec::ModelSpec small = proxy_model(big, shape, 64, 128);
      spec::Problems problems;
      spec::validate(small, "model", problems);
      EXPECT_NO_THROW(problems.throw_if_any()) << spec::mixer_table()[i].name;
      EXPECT_EQ(small.layout.layers[1].mixer.index(), i);
      EXPECT_EQ(small.d_model, shape.d_model);
      EXPECT_EQ(small.vocab_size, 64);
      EXPECT_EQ(small.max_position, 128);
      EXPECT_TRUE(small.tied_embeddings);
    }
  }
}

TEST(ProxyModelTest, StatesOfMixersWithAMatrixStateAreEquallySmall) {
  const spec::ModelSpec small = proxy_model(model("RLHdGKMXN"), {.layers = 9}, 64, 64);
  const auto state = [](const auto& mixer) -> spec::Dim {
    if constexpr (requires { mixer.state_dim; }) {
      return mixer.heads * mixer.head_dim * mixer.state_dim;
    } else if constexpr (requires { mixer.value_head_dim; }) {
      return mixer.heads * mixer.key_head_dim * mixer.value_head_dim;
    } else {
      return 0;
    }
  };
  for (const spec::LayerSpec& layer : small.layout.layers)
    EXPECT_EQ(std::visit(state, layer.mixer), 2 * 8 * 16) << spec::mixer_info(layer.mixer).name;
}

TEST(ProxyModelTest, WindowsKeepTheirShareOfTheContext) {
  spec::ModelSpec big = model("GS");
  auto& window = std::get<spec::SlidingWindowAttention>(big.layout.layers[1].mixer);
  for (const auto& [given, expected] : {std::pair{1024, 16}, {1, 2}, {8192, 64}}) {
    window.window = given;
    const spec::ModelSpec small = proxy_model(big, proxy_shape(Tier::tiny), 64, 64);
    EXPECT_EQ(std::get<spec::SlidingWindowAttention>(small.layout.layers[1].mixer).window, expected);
  }
}

TEST(ProxyModelTest, GatesConvolutionsAndPositionsStay) {
  spec::ModelSpec big = model("G*");
  auto& gated = std::get<spec::GatedDeltaNet>(big.layout.layers[0].mixer);
  gated.conv_width = 3;
  gated.output_gate = false;
  auto& attention = std::get<spec::FullAttention>(big.layout.layers[1].mixer);
  attention.rope_theta = 0;
  attention.heads = 16;
  attention.kv_heads = 2;
  const spec::ModelSpec small = proxy_model(big, proxy_shape(Tier::tiny), 64, 64);
  EXPECT_EQ(std::get<spec::GatedDeltaNet>(small.layout.layers[0].mixer).conv_width, 3);
  EXPECT_FALSE(std::get<spec::GatedDeltaNet>(small.layout.layers[0].mixer).output_gate);
  EXPECT_EQ(std::get<spec::FullAttention>(small.layout.layers[1].mixer).rope_theta, 0);
  EXPECT_EQ(std::get<spec::FullAttention>(small.layout.layers[1].mixer).kv_heads, 1);
  EXPECT_EQ(std::get<spec::FullAttention>(small.layout.layers[1].mixer).head_dim, 32);
}

TEST(ProxyModelTest, ALayerWithoutChannelMixerStaysWithout) {
  spec::ModelSpec big = model("GG");
  big.layout.layers[1].channel_mixer = spec::None{};
  const spec::ModelSpec small = proxy_model(big, proxy_shape(Tier::tiny), 64, 64);
  EXPECT_EQ(std::get<spec::SwiGlu>(small.layout.layers[0].channel_mixer).width, 64);
  EXPECT_TRUE(std::holds_alternative<spec::None>(small.layout.layers[1].channel_mixer));
}

}  // namespace
}  // namespace plait::proxy
