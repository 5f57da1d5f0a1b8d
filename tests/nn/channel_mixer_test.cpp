#include "src/nn/channel_mixer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "costmodel/cost_report.h"
#include "tests/nn/tiny_model.h"

namespace plait::testing {
namespace {

constexpr std::int64_t kWidth = 6;

/// A channel mixer of two members in fp64, its weights by name and an input.
struct Built {
  explicit Built(const spec::ChannelMixer& mixer) {
    layer = nn::make_channel_mixer(mixer, nn::WeightFactory(parameters, "", {0, 1}, seeds, {.compute = at::kDouble}),
                                   kWidth);
    at::Generator generator = at::detail::createCPUGenerator(3);
    for (const nn::Parameter& parameter : parameters) parameter.value.detach().normal_(0, 1, generator);
    x = at::empty({2, 3, 4, kWidth}, at::kDouble).normal_(0, 1, generator);
  }

  at::Tensor weight(const std::string& name, std::int64_t member) const {
    for (const nn::Parameter& parameter : parameters) {
      if (parameter.name == name) return parameter.value.detach()[member];
    }
    ADD_FAILURE() << "no weight " << name;
    return {};
  }

  std::vector<std::uint64_t> seeds{1, 2};
  std::vector<nn::Parameter> parameters;
  nn::ChannelLayer layer;
  at::Tensor x;
};

/// `one_token(member, x [d])` for every token of every member.
template <class OneToken>
at::Tensor token_by_token(const Built& built, const OneToken& one_token) {
  at::Tensor y = at::empty_like(built.x);
  for (std::int64_t member = 0; member < 2; ++member) {
    for (std::int64_t b = 0; b < built.x.size(1); ++b) {
      for (std::int64_t t = 0; t < built.x.size(2); ++t) y[member][b][t] = one_token(member, built.x[member][b][t]);
    }
  }
  return y;
}

at::Tensor swiglu(const at::Tensor& x, const at::Tensor& gate, const at::Tensor& up, const at::Tensor& down) {
  return at::mv(down, at::silu(at::mv(gate, x)) * at::mv(up, x));
}

at::Tensor squared_relu_mlp(const at::Tensor& x, const at::Tensor& up, const at::Tensor& down) {
  return at::mv(down, at::mv(up, x).clamp_min(0).pow(2));
}

TEST(ChannelMixer, SwiGluGatesTheUpProjection) {
  const Built built(spec::SwiGlu{5});
  const at::Tensor expected = token_by_token(built, [&](std::int64_t member, const at::Tensor& x) {
    return swiglu(x, built.weight("gate_proj.weight", member), built.weight("up_proj.weight", member),
                  built.weight("down_proj.weight", member));
  });
  EXPECT_LT(relative_error(built.layer(built.x), expected), 1e-13);
}

TEST(ChannelMixer, MlpSquaresTheRectifiedProjection) {
  const Built built(spec::Mlp{5});
  const at::Tensor expected = token_by_token(built, [&](std::int64_t member, const at::Tensor& x) {
    return squared_relu_mlp(x, built.weight("up_proj.weight", member), built.weight("down_proj.weight", member));
  });
  EXPECT_LT(relative_error(built.layer(built.x), expected), 1e-13);
}

TEST(ChannelMixer, NoneIsNoLayer) { EXPECT_FALSE(Built(spec::None{}).layer); }

at::Tensor mixture(const Built& built, const spec::MoE& moe, std::int64_t member, const at::Tensor& x) {
  const auto mlp = [&](const std::string& name, std::int64_t expert) {
    const auto weight = [&](const std::string& which) {
      const at::Tensor w = built.weight(name + "." + which + "_proj.weight", member);
      return expert < 0 ? w : w[expert];
    };
    return moe.gated ? swiglu(x, weight("gate"), weight("up"), weight("down"))
                     : squared_relu_mlp(x, weight("up"), weight("down"));
  };
  const at::Tensor scores = at::mv(built.weight("gate.weight", member), x).exp();
  const auto [chosen_scores, chosen] = scores.topk(moe.active);
  const at::Tensor shares = chosen_scores / (moe.active > 1 ? chosen_scores : scores).sum();
  at::Tensor y = at::zeros_like(x);
  for (std::int64_t i = 0; i < moe.active; ++i) y += shares[i] * mlp("experts", chosen[i].item<std::int64_t>());
  if (moe.shared_width == 0) return y;
  const at::Tensor shared = mlp("shared_expert", -1);
  return y +
         (moe.shared_gate ? shared * at::mv(built.weight("shared_expert_gate.weight", member), x).sigmoid() : shared);
}

TEST(ChannelMixer, MixtureSumsTheChosenExpertsOfEachToken) {
  for (const spec::MoE& moe : {spec::MoE{.experts = 5, .active = 2, .expert_width = 3},
                               spec::MoE{.experts = 5, .active = 1, .expert_width = 3},
                               spec::MoE{.experts = 4, .active = 4, .expert_width = 3, .gated = false},
                               spec::MoE{.experts = 4, .active = 3, .expert_width = 2, .shared_width = 5},
                               spec::MoE{4, 2, 3, 5, true, true}, spec::MoE{4, 2, 3, 5, false, true}}) {
    const Built built(moe);
    const at::Tensor expected =
        token_by_token(built, [&](std::int64_t member, const at::Tensor& x) { return mixture(built, moe, member, x); });
    EXPECT_LT(relative_error(built.layer(built.x), expected), 1e-13);
  }
}

TEST(ChannelMixer, AMixtureTrainsItsRouter) {
  for (const std::int64_t active : {1, 2}) {
    const Built built(spec::MoE{.experts = 5, .active = active, .expert_width = 3});
    built.layer(built.x).square().sum().backward();
    for (const nn::Parameter& parameter : built.parameters) {
      ASSERT_TRUE(parameter.value.grad().defined()) << parameter.name;
      EXPECT_GT(parameter.value.grad().abs().max().item<double>(), 1e-6) << parameter.name;
    }
  }
}

TEST(ChannelMixer, HasTheParametersThatTheCostModelCounts) {
  for (const spec::ChannelMixer& mixer :
       {spec::ChannelMixer(spec::SwiGlu{24}), spec::ChannelMixer(spec::Mlp{24}), spec::ChannelMixer(spec::None{}),
        spec::ChannelMixer(spec::MoE{.experts = 3, .active = 2, .expert_width = 5}),
        spec::ChannelMixer(spec::MoE{3, 2, 5, 7, false, true}),
        spec::ChannelMixer(spec::MoE{3, 2, 5, 7, true, false})}) {
    const spec::ModelSpec model = tiny_model(tiny_mixers().front(), mixer);
    std::int64_t count = 0;
    for (const auto& [name, weight] : nn::Population({model}, {1}).weights(0)) count += weight.numel();
    EXPECT_EQ(count, costmodel::cost_report(model, {}, costmodel::find_hardware("h100_sxm")).parameters.total);
  }
}

}  // namespace
}  // namespace plait::testing
