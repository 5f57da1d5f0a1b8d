#include <gtest/gtest.h>

#include <algorithm>

#include "src/nn/checkpoint.h"
#include "src/nn/safetensors.h"
#include "tests/nn/parity_models.h"
#include "tests/nn/tiny_model.h"

/// Logits of the real flash-linear-attention 0.6.0, written by tests/nn/peers/fla_logits.py.
namespace plait::testing {
namespace {

class LogitsOfTheLibrary : public ::testing::TestWithParam<NamedModel> {
 protected:
  static at::Tensor golden() {
    const std::string file = PLAIT_SOURCE_DIR "/tests/golden/nn/" + GetParam().name + ".safetensors";
    return nn::read_safetensors(file).at("logits");
  }

  /// [positions, vocabulary] at the positions of the golden file.
  static at::Tensor logits(at::ScalarType compute) {
    const at::NoGradGuard no_gradients;
    const spec::ModelSpec& model = GetParam().model;
    nn::Population population({model}, {1}, {.compute = compute});
    std::map<std::string, at::Tensor> weights;
    for (const auto& [name, value] : population.weights(0)) {
      weights.emplace(name, parity_weight(nn::library_name(model, name), value.sizes()));
    }
    population.set_weights(0, weights);
    const at::Tensor hidden = population.forward(parity_tokens(model.vocab_size)).squeeze(1);
    return population.logits(hidden).squeeze(0).slice(0, kParityStride - 1, kParityTokens, kParityStride);
  }
};

INSTANTIATE_TEST_SUITE_P(Models, LogitsOfTheLibrary, ::testing::ValuesIn(parity_models()),
                         [](const auto& row) { return row.param.name; });

TEST_P(LogitsOfTheLibrary, AreComputedInDoublePrecision) {
  EXPECT_LT(relative_error(logits(at::kDouble), golden()), 1e-10);
}

TEST_P(LogitsOfTheLibrary, AreComputedInSinglePrecision) {
  EXPECT_LT(relative_error(logits(at::kFloat), golden()), 1e-4);
}

TEST(ParityModels, CoverEveryMixer) {
  std::vector<bool> covered(spec::mixer_table().size());
  for (const auto& [name, model] : parity_models()) {
    for (const spec::LayerSpec& layer : model.layout.layers) covered[layer.mixer.index()] = true;
  }
  EXPECT_TRUE(std::ranges::all_of(covered, [](bool c) { return c; }));
}

TEST(ParityModels, DrawWeightsInTheRangeOfTheirKind) {
  const at::Tensor projection = parity_weight("model.layers.0.attn.q_proj.weight", {32, 9});
  EXPECT_LE(projection.abs().max().item<double>(), 0.5);
  EXPECT_GT(projection.std().item<double>(), 0.25);
  const at::Tensor norm = parity_weight("model.norm.weight", {64});
  EXPECT_GE(norm.min().item<double>(), 0.7);
  EXPECT_LE(norm.max().item<double>(), 1.3);
  EXPECT_FALSE(at::equal(parity_weight("a.weight", {8}), parity_weight("b.weight", {8})));
}

}  // namespace
}  // namespace plait::testing
