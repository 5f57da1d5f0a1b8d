#include "src/nn/population.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "costmodel/cost_report.h"
#include "kernels/attention/attention.h"
#include "kernels/sequence/sequence.h"
#include "tests/nn/tiny_model.h"
#include "tests/support/expect_problems.h"

namespace plait::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

spec::Mixer tiny(std::string_view name) { return tiny_mixers().at(*spec::find_mixer(name)); }

/// Three members that share a layer here and there; every mixer and channel mixer occurs.
std::vector<spec::ModelSpec> mixed_models() {
  const std::vector<spec::Mixer> mixers = tiny_mixers();
  const spec::MoE moe{.experts = 3, .active = 2, .expert_width = 5, .shared_width = 4};
  std::vector<spec::LayerSpec> a, b, c;
  for (std::size_t i = 0; i < mixers.size(); ++i) {
    a.push_back({mixers[i], spec::SwiGlu{12}});
    b.push_back({mixers[mixers.size() - 1 - i], i % 2 == 0 ? spec::ChannelMixer(moe) : spec::None{}});
    c.push_back(
        {i % 3 == 0 ? mixers[i] : mixers[0], i % 4 == 0 ? spec::ChannelMixer(spec::Mlp{20}) : spec::SwiGlu{12}});
  }
  return {tiny_model(a), tiny_model(b), tiny_model(c)};
}

/// The member alone, with the weights that it has in `population`.
nn::Population alone(const nn::Population& population, std::int64_t member) {
  nn::Population single({population.members()[static_cast<std::size_t>(member)]}, {99}, {.compute = at::kDouble});
  single.set_weights(0, population.weights(member));
  return single;
}

/// Weights that fp32 holds exactly, so that `weights` loses nothing of them.
nn::Population rounded_population(const std::vector<spec::ModelSpec>& models) {
  nn::Population population = strong_population(models);
  for (nn::Parameter& parameter : population.parameters()) {
    parameter.value.detach().copy_(parameter.value.detach().to(at::kFloat));
  }
  return population;
}

at::Tensor weight_of(nn::Population& population, const std::string& name) {
  return population.weights(0).at(name).to(at::kDouble);
}

std::vector<std::string> names_of(const nn::Population& population, std::int64_t member = 0) {
  std::vector<std::string> names;
  for (const auto& [name, weight] : population.weights(member)) names.push_back(name);
  return names;
}

TEST(Population, OfDifferentLayoutsEqualsItsMembersAlone) {
  nn::Population population = rounded_population(mixed_models());
  const at::Tensor tokens = random_tokens(3, 2, 9);
  const at::Tensor hidden = population.forward(tokens);
  const at::Tensor logits = population.logits(hidden.flatten(1, 2)).detach();
  for (std::int64_t member = 0; member < 3; ++member) {
    nn::Population single = alone(population, member);
    const at::Tensor own = single.forward(tokens.narrow(0, member, 1));
    EXPECT_LT(relative_error(own.detach(), hidden.detach().narrow(0, member, 1)), 1e-11);
    EXPECT_LT(relative_error(single.logits(own.flatten(1, 2)).detach(), logits.narrow(0, member, 1)), 1e-11);
  }
}

TEST(Population, OfDifferentLayoutsDecodesTokenByTokenWhatForwardComputes) {
  nn::Population population = strong_population(mixed_models());
  const at::Tensor tokens = random_tokens(3, 2, 9);
  const at::Tensor hidden = population.forward(tokens).detach();
  const auto state = population.start_decode(2);
  for (std::int64_t t = 0; t < tokens.size(2); ++t) {
    EXPECT_LT(relative_error(population.decode(tokens.select(2, t), *state), hidden.select(2, t)), 1e-8) << t;
  }
}

TEST(Population, KeepsTheGradientsOfItsMembersApart) {
  nn::Population population = strong_population(mixed_models());
  const at::Tensor hidden = population.forward(random_tokens(3, 2, 9));
  population.logits(hidden.flatten(1, 2))[0].square().sum().backward();
  for (const nn::Parameter& parameter : population.parameters()) {
    const at::Tensor gradient = parameter.value.grad();
    for (std::size_t row = 0; row < parameter.members.size(); ++row) {
      const bool own = parameter.members[row] == 0;
      const double largest =
          gradient.defined() ? gradient[static_cast<std::int64_t>(row)].abs().max().item<double>() : 0.0;
      EXPECT_EQ(largest > 0, own) << parameter.name << " of member " << parameter.members[row];
    }
  }
}

TEST(Population, DrawsTheSameWeightsWhateverElseIsTrained) {
  const std::vector<spec::ModelSpec> models = mixed_models();
  const nn::Population together(models, {5, 6, 7});
  for (std::int64_t member = 0; member < 3; ++member) {
    const auto index = static_cast<std::size_t>(member);
    const auto expected = nn::Population({models[index]}, {5 + index}).weights(0);
    const auto given = together.weights(member);
    ASSERT_EQ(given.size(), expected.size());
    for (const auto& [name, weight] : expected) EXPECT_TRUE(at::equal(weight, given.at(name))) << name;
  }
}

TEST(Population, GivesMembersOfOneSeedTheSameRandomNumbers) {
  const std::vector<spec::ModelSpec> models{tiny_model(tiny("gated_delta_net")), tiny_model(tiny("delta_net")),
                                            tiny_model(tiny("gated_delta_net"))};
  const nn::Population population(models, {5, 5, 6});
  const auto gated = population.weights(0), plain = population.weights(1), other = population.weights(2);
  for (const char* name : {"model.embeddings.weight", "model.layers.1.mlp.up_proj.weight",
                           "model.layers.0.attn.q_proj.weight", "lm_head.weight"}) {
    EXPECT_TRUE(at::equal(gated.at(name), plain.at(name))) << name;
    EXPECT_FALSE(at::equal(gated.at(name), other.at(name))) << name;
  }
  EXPECT_FALSE(at::equal(gated.at("model.layers.0.mlp.up_proj.weight"), gated.at("model.layers.1.mlp.up_proj.weight")));
}

TEST(Population, IsDeterministic) {
  const auto run = [] {
    nn::Population population(mixed_models(), {1, 2, 3});
    const at::Tensor hidden = population.forward(random_tokens(3, 2, 9));
    population.logits(hidden.flatten(1, 2)).square().sum().backward();
    std::vector<at::Tensor> results{hidden.detach()};
    for (const nn::Parameter& parameter : population.parameters()) results.push_back(parameter.value.grad());
    return results;
  };
  const auto first = run(), second = run();
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(at::equal(first[i], second[i])) << i;
}

TEST(Population, InitialisesAsTheLibraryDoes) {
  spec::ModelSpec model = tiny_model(spec::default_mixer(*spec::find_mixer("gated_delta_net"), 256));
  model.d_model = 256;
  const auto weights = nn::Population({model}, {1}).weights(0);
  const at::Tensor q = weights.at("model.layers.0.attn.q_proj.weight");
  EXPECT_NEAR(q.mean().item<double>(), 0.0, 5e-4);
  EXPECT_NEAR(q.std().item<double>(), 0.02, 5e-4);
  EXPECT_NEAR(weights.at("model.layers.0.attn.q_conv1d.weight").std().item<double>(), 0.02, 2e-3);
  EXPECT_TRUE(at::equal(weights.at("model.norm.weight"), at::ones({256})));

  model.layout.layers.assign(1, {spec::KimiDeltaAttention{.heads = 32, .value_heads = 32, .key_head_dim = 8}});
  const auto kimi = nn::Population({model}, {1}).weights(0);
  const at::Tensor rate = kimi.at("model.layers.0.attn.A_log").exp();
  EXPECT_GE(rate.min().item<double>(), 1.0);
  EXPECT_LE(rate.max().item<double>(), 16.0);
  EXPECT_GT(rate.std().item<double>(), 2.0);
  const at::Tensor step = at::softplus(kimi.at("model.layers.0.attn.dt_bias"));
  EXPECT_GE(step.min().item<double>(), 0.999e-3);
  EXPECT_LE(step.max().item<double>(), 0.1001);
  EXPECT_NEAR(step.log().mean().item<double>(), 0.5 * (std::log(1e-3) + std::log(0.1)), 0.3);
}

TEST(Population, NamesWeightsAsTheLibraryDoes) {
  EXPECT_THAT(names_of(nn::Population({tiny_model(tiny("gated_delta_net"), spec::SwiGlu{8}, 1)}, {1})),
              UnorderedElementsAre("model.embeddings.weight", "model.layers.0.attn_norm.weight",
                                   "model.layers.0.attn.q_proj.weight", "model.layers.0.attn.k_proj.weight",
                                   "model.layers.0.attn.v_proj.weight", "model.layers.0.attn.a_proj.weight",
                                   "model.layers.0.attn.b_proj.weight", "model.layers.0.attn.g_proj.weight",
                                   "model.layers.0.attn.o_proj.weight", "model.layers.0.attn.A_log",
                                   "model.layers.0.attn.dt_bias", "model.layers.0.attn.q_conv1d.weight",
                                   "model.layers.0.attn.k_conv1d.weight", "model.layers.0.attn.v_conv1d.weight",
                                   "model.layers.0.attn.o_norm.weight", "model.layers.0.mlp_norm.weight",
                                   "model.layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.up_proj.weight",
                                   "model.layers.0.mlp.down_proj.weight", "model.norm.weight", "lm_head.weight"));
  const auto weights = nn::Population({tiny_model(tiny("gated_delta_net"))}, {1}).weights(0);
  EXPECT_THAT(weights.at("model.layers.0.attn.q_conv1d.weight").sizes().vec(), ElementsAre(8, 1, 4));
  const nn::Population latent({tiny_model(tiny("multi_head_latent_attention"), spec::None{}, 1)}, {1});
  EXPECT_THAT(names_of(latent),
              UnorderedElementsAre("model.embeddings.weight", "model.layers.0.attn_norm.weight",
                                   "model.layers.0.attn.q_proj.0.weight", "model.layers.0.attn.q_proj.1.weight",
                                   "model.layers.0.attn.q_proj.2.weight", "model.layers.0.attn.k_rope.weight",
                                   "model.layers.0.attn.kv_proj.0.weight", "model.layers.0.attn.kv_proj.1.weight",
                                   "model.layers.0.attn.kv_proj.2.weight", "model.layers.0.attn.o_proj.weight",
                                   "model.norm.weight", "lm_head.weight"));
}

TEST(Population, DecaysMatricesAlone) {
  nn::Population population(mixed_models(), {1, 2, 3});
  for (const nn::Parameter& parameter : population.parameters()) {
    const bool table = parameter.name == "model.embeddings.weight" || parameter.name == "model.lower_bounds";
    EXPECT_EQ(parameter.weight_decay, parameter.value.dim() > 2 && !table) << parameter.name;
  }
}

TEST(Population, WeightsOfOneMemberFitAnother) {
  const std::vector<spec::ModelSpec> models(2, tiny_model(tiny("kimi_delta_attention")));
  nn::Population population(models, {1, 2});
  const auto first = population.weights(0);
  population.set_weights(1, first);
  for (const auto& [name, weight] : population.weights(1)) {
    EXPECT_TRUE(at::equal(weight, first.at(name))) << name;
    EXPECT_TRUE(weight.is_contiguous() && weight.scalar_type() == at::kFloat) << name;
  }
  const at::Tensor tokens = random_tokens(1, 2, 9).expand({2, 2, 9}).contiguous();
  const at::Tensor hidden = population.forward(tokens);
  EXPECT_LT(relative_error(hidden[1].detach(), hidden[0].detach()), 1e-6);
}

TEST(Population, ListsWhatIsWrongWithGivenWeights) {
  nn::Population population({tiny_model(tiny("delta_net"))}, {1});
  auto weights = population.weights(0);
  const auto before = population.weights(0);
  for (auto& [name, weight] : weights) weight = weight + 1;
  weights.erase("model.norm.weight");
  weights["lm_head.weight"] = at::zeros({2, 3});
  weights["model.extra"] = at::zeros({1});
  EXPECT_THAT(problems_of([&] { population.set_weights(0, weights); }),
              UnorderedElementsAre(problem("model.norm.weight", "missing"), problem("lm_head.weight", "[13, 16]"),
                                   problem("model.extra", "not a weight")));
  for (const auto& [name, weight] : population.weights(0)) EXPECT_TRUE(at::equal(weight, before.at(name))) << name;
}

TEST(Population, ReadsTheHeadFromTheEmbeddingsWhenTied) {
  spec::ModelSpec model = tiny_model(tiny("retnet"));
  for (const bool tied : {false, true}) {
    model.tied_embeddings = tied;
    nn::Population population = rounded_population({model});
    EXPECT_EQ(population.weights(0).contains("lm_head.weight"), !tied);
    const at::Tensor hidden = population.forward(random_tokens(1, 2, 9)).flatten(1, 2).detach();
    const at::Tensor head = weight_of(population, tied ? "model.embeddings.weight" : "lm_head.weight");
    EXPECT_LT(relative_error(population.logits(hidden).detach()[0], at::matmul(hidden[0], head.t())), 1e-13);
    std::int64_t count = 0;
    for (const auto& [name, weight] : population.weights(0)) count += weight.numel();
    EXPECT_EQ(count, costmodel::cost_report(model, {}, costmodel::find_hardware("h100_sxm")).parameters.total);
  }
}

/// The model of one attention layer without rotary embedding, written out from its weights.
TEST(Population, IsAPreNormResidualStream) {
  for (const spec::NormKind kind : {spec::NormKind::rms, spec::NormKind::layer}) {
    const spec::FullAttention attention{
        {.heads = 2, .kv_heads = 2, .head_dim = 8, .output_gate = true, .rope_theta = 0}};
    spec::ModelSpec model = tiny_model(attention, spec::SwiGlu{12}, 1);
    model.norm = kind;
    nn::Population population = rounded_population({model});
    const auto w = [&](const std::string& name) { return weight_of(population, name); };
    const auto norm = [&](const std::string& name, const at::Tensor& x) {
      if (kind == spec::NormKind::layer) {
        const at::Tensor centred = x - x.mean(-1, true);
        return centred / (centred.square().mean(-1, true) + 1e-6).sqrt() * w(name + ".weight") + w(name + ".bias");
      }
      return x / (x.square().mean(-1, true) + 1e-6).sqrt() * w(name + ".weight");
    };
    const std::string layer = "model.layers.0.";
    const auto apply = [&](const std::string& name, const at::Tensor& x) {
      return at::matmul(x, w(layer + name + "_proj.weight").t());
    };
    const at::Tensor tokens = random_tokens(1, 2, 9);
    at::Tensor x = at::embedding(w("model.embeddings.weight"), tokens[0]);
    const at::Tensor normed = norm(layer + "attn_norm", x);
    const auto heads = [&](const std::string& name) { return apply("attn." + name, normed).view({2, 9, 2, 8}); };
    const at::Tensor mixed = kernels::attention_reference(heads("q"), heads("k"), heads("v")).flatten(2);
    x = x + apply("attn.o", mixed * apply("attn.g", normed).sigmoid());
    const at::Tensor inner = norm(layer + "mlp_norm", x);
    x = x + apply("mlp.down", at::silu(apply("mlp.gate", inner)) * apply("mlp.up", inner));
    EXPECT_LT(relative_error(population.forward(tokens).detach()[0], norm("model.norm", x)), 1e-12);
  }
}

TEST(Population, ALayerWithWeightsFromComputesWithThoseOfTheEarlierOne) {
  for (const char* name : {"gated_delta_net", "sliding_window_attention", "hgrn"}) {
    spec::ModelSpec shared = tiny_model(tiny(name), spec::SwiGlu{12}, 3);
    const spec::ModelSpec plain = shared;
    shared.layout.layers[2].weights_from = 0;
    nn::Population population = rounded_population({plain, shared, plain, shared});
    auto weights = population.weights(1);
    const std::string source = "model.layers.0.", copy = "model.layers.2.";
    const auto original = weights;
    for (const auto& [key, weight] : original) {
      EXPECT_FALSE(key.starts_with(copy)) << key;
      if (key.starts_with(source)) weights[copy + key.substr(source.size())] = weight;
    }
    population.set_weights(2, weights);
    const at::Tensor tokens = random_tokens(1, 2, 9).expand({4, 2, 9}).contiguous();
    const at::Tensor hidden = population.forward(tokens).detach();
    EXPECT_LT(relative_error(hidden[1], hidden[2]), 1e-12) << name;
    EXPECT_GT(relative_error(hidden[1], hidden[0]), 1e-3) << name;
    const auto state = population.start_decode(2);
    for (std::int64_t t = 0; t < 9; ++t) {
      EXPECT_LT(relative_error(population.decode(tokens.select(2, t), *state), hidden.select(2, t)), 1e-9) << name;
    }
  }
}

/// Two layers without rotary embedding: the second attends with its own queries to the keys and values of the first.
TEST(Population, ALayerWithKvFromReadsTheKeysAndValuesOfTheEarlierOne) {
  const spec::FullAttention attention{{.heads = 2, .kv_heads = 2, .head_dim = 8, .rope_theta = 0}};
  spec::ModelSpec model = tiny_model(attention, spec::None{}, 2);
  model.layout.layers[1].kv_from = 0;
  nn::Population population = rounded_population({model});
  EXPECT_FALSE(population.weights(0).contains("model.layers.1.attn.k_proj.weight"));
  const auto w = [&](const std::string& name) { return weight_of(population, name); };
  const auto norm = [&](const std::string& name, const at::Tensor& x) {
    return kernels::rms_norm(x.unsqueeze(0), w(name + ".weight").unsqueeze(0), 1e-6)[0];
  };
  const at::Tensor tokens = random_tokens(1, 2, 9);
  at::Tensor x = at::embedding(w("model.embeddings.weight"), tokens[0]), k, v;
  for (const std::string layer : {"model.layers.0.", "model.layers.1."}) {
    const at::Tensor normed = norm(layer + "attn_norm", x);
    const auto heads = [&](const std::string& name) {
      return at::matmul(normed, w(layer + "attn." + name + "_proj.weight").t()).view({2, 9, 2, 8});
    };
    if (!k.defined()) {
      k = heads("k");
      v = heads("v");
    }
    const at::Tensor mixed = kernels::attention_reference(heads("q"), k, v).flatten(2);
    x = x + at::matmul(mixed, w(layer + "attn.o_proj.weight").t());
  }
  EXPECT_LT(relative_error(population.forward(tokens).detach()[0], norm("model.norm", x)), 1e-12);
}

TEST(Population, LayersThatShareKeysDecodeAndCountAsTheyShould) {
  for (const char* name : {"full_attention", "sliding_window_attention"}) {
    std::vector<spec::LayerSpec> layers(3, {tiny(name), spec::SwiGlu{12}});
    std::visit(
        [](auto& mixer) {
          if constexpr (std::is_base_of_v<spec::SoftmaxAttention, std::decay_t<decltype(mixer)>>) {
            mixer.qkv_bias = true;
            mixer.qk_norm = spec::QkNorm::full_width;
          }
        },
        layers[0].mixer);
    layers[2] = layers[0];
    layers[2].kv_from = 0;
    if (auto* window = std::get_if<spec::SlidingWindowAttention>(&layers[2].mixer)) window->window = 5;
    const spec::ModelSpec model = tiny_model(layers);
    nn::Population population = strong_population({model, tiny_model(tiny(name), spec::SwiGlu{12}, 3), model});
    std::int64_t count = 0;
    for (const auto& [key, weight] : population.weights(0)) count += weight.numel();
    EXPECT_EQ(count, costmodel::cost_report(model, {}, costmodel::find_hardware("h100_sxm")).parameters.total);
    const at::Tensor tokens = random_tokens(3, 2, 9);
    const at::Tensor hidden = population.forward(tokens).detach();
    const auto state = population.start_decode(2);
    for (std::int64_t t = 0; t < 9; ++t) {
      EXPECT_LT(relative_error(population.decode(tokens.select(2, t), *state), hidden.select(2, t)), 1e-9) << t;
    }
  }
}

/// HGRN token by token: the forget gate of layer i > 0 is b_i + (1 - b_i) sigmoid(f), where b is the cumulative sum of
/// the softmax over layers without its first row.
TEST(Population, BoundsTheForgetGatesOfHgrnByDepth) {
  const spec::ModelSpec model = tiny_model(spec::Hgrn{.width = 16}, spec::None{}, 3);
  nn::Population population = rounded_population({tiny_model(tiny("hgrn2"), spec::None{}, 3), model});
  const auto weights = population.weights(1);
  const auto w = [&](const std::string& name) { return weights.at(name).to(at::kDouble); };
  const auto norm = [&](const at::Tensor& x, const at::Tensor& weight) {
    return x / (x.square().mean(-1, true) + 1e-6).sqrt() * weight;
  };
  const at::Tensor softmax = w("model.lower_bounds").softmax(0);
  const at::Tensor tokens = random_tokens(2, 2, 9);
  at::Tensor x = at::embedding(w("model.embeddings.weight"), tokens[1]);
  for (std::int64_t layer = 0; layer < 3; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".attn";
    const at::Tensor normed = norm(x, w(prefix + "_norm.weight"));
    const auto apply = [&](const char* name, const at::Tensor& y) {
      return at::matmul(y, w(prefix + "." + name + "_proj.weight").t());
    };
    at::Tensor bound = at::zeros({16}, at::kDouble);
    for (std::int64_t i = 1; i <= layer; ++i) bound = bound + softmax[i];
    const at::Tensor forget = bound + (1 - bound) * apply("f", normed).sigmoid();
    const at::Tensor in = (1 - forget) * at::silu(apply("i", normed));
    at::Tensor h = at::zeros({2, 16}, at::kDouble);
    std::vector<at::Tensor> states;
    for (std::int64_t t = 0; t < 9; ++t) states.push_back(h = forget.select(1, t) * h + in.select(1, t));
    const at::Tensor gated = norm(at::stack(states, 1), w(prefix + ".g_norm.weight")) * at::silu(apply("g", normed));
    x = x + apply("o", gated);
  }
  EXPECT_LT(relative_error(population.forward(tokens).detach()[1], norm(x, w("model.norm.weight"))), 1e-10);
}

TEST(Population, SaysWhereAMemberDiffers) {
  const spec::ModelSpec first = tiny_model(tiny("gla"));
  spec::ModelSpec other = tiny_model(tiny("gla"), spec::SwiGlu{24}, 3);
  other.vocab_size = 14;
  other.norm = spec::NormKind::layer;
  other.norm_eps = 1e-5;
  other.tied_embeddings = true;
  EXPECT_THAT(
      problems_of([&] {
        nn::Population({first, first, other}, {1, 2, 3});
      }),
      UnorderedElementsAre(problem("members[2].vocab_size", "14"), problem("members[2].norm", "layer"),
                           problem("members[2].norm_eps", "1e-05"), problem("members[2].tied_embeddings", "true"),
                           problem("members[2].layers", "3 layers")));
  spec::ModelSpec wide = first;
  wide.d_model = 32;
  EXPECT_THAT(problems_of([&] {
                nn::Population({first, wide}, {1, 2});
              }),
              ElementsAre(problem("members[1].d_model", "32")));
}

TEST(Population, SaysWhatItCannotRun) {
  const spec::ModelSpec first = tiny_model(tiny("full_attention"));
  const auto refused = [&](const spec::ModelSpec& model) {
    return problems_of([&] { nn::Population({first, model}, {1, 2}); });
  };
  spec::ModelSpec latent = tiny_model(tiny("multi_head_latent_attention"));
  latent.layout.layers[1].kv_from = 0;
  EXPECT_THAT(refused(latent), ElementsAre(problem("members[1].layers[1].kv_from", "latent")));
  spec::ModelSpec both = first;
  both.layout.layers[1].kv_from = 0;
  both.layout.layers[1].weights_from = 0;
  EXPECT_THAT(refused(both), ElementsAre(problem("members[1].layers[1].weights_from", "kv_from")));
  EXPECT_THAT(refused(tiny_model(spec::MultiHeadLatentAttention{.heads = 2, .rope_dim = 3})),
              ElementsAre(problem("members[1].layers[0].mixer.rope_dim", "even"),
                          problem("members[1].layers[1].mixer.rope_dim", "even")));
  EXPECT_THAT(refused(tiny_model(spec::Hgrn2{.heads = 2, .key_head_dim = 16, .value_head_dim = 8}, spec::None{}, 2)),
              ElementsAre(problem("members[1].layers[0].mixer.key_head_dim", "32"),
                          problem("members[1].layers[1].mixer.key_head_dim", "32")));
  EXPECT_THAT(refused(tiny_model(tiny("full_attention"),
                                 spec::MoE{.experts = 2, .active = 1, .expert_width = 8, .latent_width = 4})),
              Contains(problem("members[1].layers[0].channel_mixer.latent_width", "cannot be run")));
  EXPECT_THAT(refused(tiny_model(spec::DeltaNet{.heads = 0})),
              ElementsAre(problem("members[1].layers[0].mixer.heads", "out of range")));
}

TEST(Population, RefusesTokensOfAnotherShape) {
  nn::Population population({tiny_model(tiny("delta_net"))}, {1});
  EXPECT_THROW(population.forward(random_tokens(2, 2, 4)), std::invalid_argument);
  EXPECT_THROW(population.forward(at::zeros({1, 4}, at::kLong)), std::invalid_argument);
  const auto state = population.start_decode(2);
  EXPECT_THROW(population.decode(at::zeros({1, 3}, at::kLong), *state), std::invalid_argument);
  EXPECT_THROW(nn::Population({}, {}), std::logic_error);
  EXPECT_THROW(nn::Population({tiny_model(tiny("delta_net"))}, {1, 2}), std::logic_error);
}

}  // namespace
}  // namespace plait::testing
