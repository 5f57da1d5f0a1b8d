#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "costmodel/cost_report.h"
#include "tests/nn/tiny_model.h"

/// What every mixer must hold to, whatever it computes.
namespace plait::testing {
namespace {

std::int64_t parameter_count(const nn::Population& population, std::int64_t member = 0) {
  std::int64_t count = 0;
  for (const auto& [name, weight] : population.weights(member)) count += weight.numel();
  return count;
}

std::int64_t costed_parameters(const spec::ModelSpec& model) {
  return costmodel::cost_report(model, {}, costmodel::find_hardware("h100_sxm")).parameters.total;
}

template <class M>
void add_variants(const M& mixer, std::vector<spec::Mixer>& variants) {
  spec::for_each_field<M>([&](const auto& field) {
    using T = std::remove_cvref_t<decltype(mixer.*(field.member))>;
    M changed = mixer;
    if constexpr (std::is_same_v<T, bool>) {
      changed.*(field.member) = !(mixer.*(field.member));
      variants.push_back(changed);
    } else if constexpr (std::is_enum_v<T>) {
      for (const auto& [value, name] : enum_names(T{})) {
        changed.*(field.member) = value;
        if (changed != mixer) variants.push_back(changed);
      }
    } else if constexpr (std::is_same_v<T, spec::Dim>) {
      if (field.low > 0 && field.key != "conv_width") return;  // an option: 0 switches it off
      changed.*(field.member) = mixer.*(field.member) > field.low ? field.low : spec::Dim{4};
      variants.push_back(changed);
    } else {  // a rotary base or share of 0, a bound of the gates
      changed.*(field.member) = field.low;
      variants.push_back(changed);
    }
  });
}

void add_variants(const spec::ParallelMixer& mixer, std::vector<spec::Mixer>& variants) {
  variants.push_back(spec::ParallelMixer{mixer.branches, spec::Fusion::sum});
}

/// The mixer, and once more with every option in turn set otherwise.
std::vector<spec::Mixer> variants_of(const spec::Mixer& mixer) {
  std::vector<spec::Mixer> variants{mixer};
  std::visit([&](const auto& alternative) { add_variants(alternative, variants); }, mixer);
  return variants;
}

class EveryMixer : public ::testing::TestWithParam<std::size_t> {
 protected:
  spec::Mixer mixer() const { return tiny_mixers().at(GetParam()); }
  std::vector<spec::Mixer> variants() const { return variants_of(mixer()); }
};

INSTANTIATE_TEST_SUITE_P(Table, EveryMixer, ::testing::Range<std::size_t>(0, spec::mixer_table().size()),
                         [](const auto& row) { return std::string(spec::mixer_table()[row.param].name); });

TEST_P(EveryMixer, HasTheTableRowItIsTestedUnder) { EXPECT_EQ(mixer().index(), GetParam()); }

TEST_P(EveryMixer, HasTheParametersThatTheCostModelCounts) {
  for (const spec::Mixer& variant : variants()) {
    const spec::ModelSpec model = tiny_model(variant);
    EXPECT_EQ(parameter_count(nn::Population({model}, {1})), costed_parameters(model));
  }
  for (const spec::Dim d_model : {64, 192}) {
    spec::ModelSpec model = tiny_model(spec::default_mixer(GetParam(), d_model));
    model.d_model = d_model;
    EXPECT_EQ(parameter_count(nn::Population({model}, {1})), costed_parameters(model));
  }
}

TEST_P(EveryMixer, DecodesTokenByTokenWhatForwardComputes) {
  const at::Tensor tokens = random_tokens(2, 2, 9);
  for (const spec::Mixer& variant : variants()) {
    nn::Population population = strong_population({tiny_model(variant), tiny_model(variant)});
    const at::Tensor hidden = population.forward(tokens).detach();
    const auto state = population.start_decode(2);
    std::vector<at::Tensor> steps;
    for (std::int64_t t = 0; t < tokens.size(2); ++t) steps.push_back(population.decode(tokens.select(2, t), *state));
    EXPECT_LT(relative_error(at::stack(steps, 2), hidden), 1e-9);
  }
}

TEST_P(EveryMixer, SeesNoTokenThatComesLater) {
  const at::Tensor tokens = random_tokens(1, 2, 70);
  at::Tensor changed = tokens.clone();
  changed.narrow(2, 66, 4) = (changed.narrow(2, 66, 4) + 1) % 13;
  for (const spec::Mixer& variant : variants()) {
    nn::Population population = strong_population({tiny_model(variant)});
    const at::Tensor a = population.forward(tokens).detach(), b = population.forward(changed).detach();
    EXPECT_LT(relative_error(b.narrow(2, 0, 66), a.narrow(2, 0, 66)), 1e-9);
    EXPECT_GT(relative_error(b.narrow(2, 66, 4), a.narrow(2, 66, 4)), 1e-3);
  }
}

TEST_P(EveryMixer, LetsAGradientReachEveryWeightOfEveryMember) {
  const at::Tensor tokens = random_tokens(2, 2, 9);
  for (const spec::Mixer& variant : variants()) {
    nn::Population population = strong_population({tiny_model(variant), tiny_model(variant)});
    population.logits(population.forward(tokens).flatten(1, 2)).log_softmax(-1).select(-1, 3).sum().backward();
    for (const nn::Parameter& parameter : population.parameters()) {
      const at::Tensor gradient = parameter.value.grad();
      ASSERT_TRUE(gradient.defined()) << parameter.name;
      EXPECT_TRUE(at::isfinite(gradient).all().item<bool>()) << parameter.name;
      // A bias on keys that are not rotated moves all scores of a query alike: its gradient is rounding.
      if (parameter.name.ends_with("k_proj.bias")) continue;
      EXPECT_TRUE((gradient.abs().flatten(1).amax(1) > 0).all().item<bool>()) << parameter.name;
    }
  }
}

TEST_P(EveryMixer, ComputesAMemberOfAPopulationAsThatMemberAlone) {
  const at::Tensor tokens = random_tokens(3, 2, 9);
  for (const spec::Mixer& variant : variants()) {
    const spec::ModelSpec model = tiny_model(variant);
    nn::Population population = strong_population({model, model, model});
    const at::Tensor hidden = population.forward(tokens).detach();
    for (std::int64_t member = 0; member < 3; ++member) {
      nn::Population alone({model}, {99}, {.compute = at::kDouble});
      for (nn::Parameter& parameter : alone.parameters()) {
        for (const nn::Parameter& of_all : population.parameters()) {
          if (of_all.name == parameter.name) parameter.value.detach()[0].copy_(of_all.value.detach()[member]);
        }
      }
      EXPECT_LT(relative_error(alone.forward(tokens.narrow(0, member, 1)).detach(), hidden.narrow(0, member, 1)),
                1e-12);
    }
  }
}

TEST_P(EveryMixer, TrainsOnAnyShapeOfBatch) {
  for (const spec::Mixer& variant : variants()) {
    for (const std::int64_t members : {1, 2}) {
      nn::Population population = strong_population(std::vector<spec::ModelSpec>(members, tiny_model(variant)));
      const at::Tensor wide = population.forward(random_tokens(members, 3, 70)).detach();
      for (const auto& [batch, length] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {1, 32}, {3, 1}, {1, 65}}) {
        const at::Tensor tokens = random_tokens(members, 3, 70).narrow(1, 0, batch).narrow(2, 0, length).contiguous();
        const at::Tensor hidden = population.forward(tokens);
        EXPECT_LT(relative_error(hidden.detach(), wide.narrow(1, 0, batch).narrow(2, 0, length)), 1e-9);
        population.logits(hidden.flatten(1, 2)).square().sum().backward();
      }
    }
  }
}

TEST_P(EveryMixer, RunsInBfloat16) {
  const at::Tensor tokens = random_tokens(1, 2, 9);
  for (const spec::Mixer& variant : variants()) {
    const spec::ModelSpec model = tiny_model(variant);
    nn::Population exact({model}, {1}), rounded({model}, {1}, {.compute = at::kBFloat16});
    const at::Tensor hidden = rounded.forward(tokens);
    EXPECT_EQ(hidden.scalar_type(), at::kBFloat16);
    // Frobenius, 1e-2 per layer: single rows are ill-conditioned where q k is near 0.
    const at::Tensor expected = exact.forward(tokens).detach();
    EXPECT_LT(((hidden.detach() - expected).norm() / expected.norm()).item<double>(), 0.02);
    const at::Tensor logits = rounded.logits(hidden.flatten(1, 2));
    EXPECT_EQ(logits.scalar_type(), at::kFloat);
    logits.sum().backward();
    EXPECT_EQ(rounded.parameters().front().value.grad().scalar_type(), at::kFloat);
  }
}

}  // namespace
}  // namespace plait::testing
