#include "src/evaluate/matched_proxy.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "costmodel/cost_report.h"
#include "src/spec/notation.h"

namespace plait::evaluate {
namespace {

using proxy::Tier;

spec::ModelSpec proxy_of(const std::string& layout, Tier tier = Tier::tiny) {
  spec::ModelSpec model;
  model.layout = spec::parse_layout(layout, spec::Palette::defaults(2048));
  return matched_proxy(model, proxy::proxy_shape(tier), 64, 64);
}

spec::Dim width(const spec::LayerSpec& layer) { return std::get<spec::SwiGlu>(layer.channel_mixer).width; }

TEST(MatchedProxyTest, EveryLayerHoldsAsManyParametersAsOneOfFullAttention) {
  const costmodel::HardwareProfile hardware = costmodel::find_hardware("h100");
  for (const Tier tier : {Tier::tiny, Tier::small, Tier::full}) {
    const spec::Dim d_model = proxy::proxy_shape(tier).d_model;
    const auto parameters = [&](const spec::ModelSpec& model) {
      return costmodel::layer_cost(model.layout.layers[0], model, {}, hardware).parameters;
    };
    const std::int64_t wanted = parameters(proxy_of("*", tier));
    EXPECT_GT(wanted, 3 * d_model * 2 * d_model);
    for (const spec::MixerInfo& mixer : spec::mixer_table()) {
      if (mixer.name == "parallel") continue;
      const spec::ModelSpec model = proxy_of(std::string(1, mixer.letter), tier);
      EXPECT_LE(std::abs(parameters(model) - wanted), (3 * d_model + 1) / 2) << mixer.name << " of " << d_model;
    }
  }
}

TEST(MatchedProxyTest, TheMlpOfFullAttentionStaysAndWithoutOneNothingIsMatched) {
  EXPECT_EQ(width(proxy_of("*").layout.layers[0]), 64);
  EXPECT_GT(width(proxy_of("G").layout.layers[0]), 64);
  EXPECT_EQ(proxy_of("GGG*").layout.layers[2], proxy_of("GG**").layout.layers[1]) << "whatever stands beside it";
  EXPECT_TRUE(std::holds_alternative<spec::None>(proxy_of("G*-").layout.layers[0].channel_mixer));
}

}  // namespace
}  // namespace plait::evaluate
