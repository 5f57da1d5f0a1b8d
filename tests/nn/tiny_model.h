#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "src/nn/population.h"
#include "src/spec/mixer.h"

/// Small models for the tests of populations.
namespace plait::testing {

/// One of every mixer for d_model 16, with heads that are grouped where they can be.
inline std::vector<spec::Mixer> tiny_mixers() {
  const spec::SoftmaxAttention attention{.heads = 4, .kv_heads = 2, .head_dim = 4};
  const spec::GatedDeltaNet gated_delta{.heads = 2, .value_heads = 4, .key_head_dim = 4, .value_head_dim = 6};
  const spec::Mamba2 mamba{.heads = 4, .head_dim = 8, .state_dim = 4, .groups = 2};
  return {
      spec::FullAttention{attention},
      spec::SlidingWindowAttention{attention, 3},
      spec::MultiHeadLatentAttention{
          .heads = 2, .q_lora_rank = 6, .kv_lora_rank = 8, .nope_dim = 4, .rope_dim = 2, .value_dim = 8},
      spec::RetNet{.heads = 4, .kv_heads = 2, .key_head_dim = 4, .value_head_dim = 8},
      spec::Gla{.heads = 4, .kv_heads = 2, .key_head_dim = 2, .value_head_dim = 4, .gate_rank = 3},
      spec::Hgrn{.width = 16},
      spec::Hgrn2{.heads = 2, .key_head_dim = 8, .value_head_dim = 8},
      spec::DeltaNet{.heads = 2, .key_head_dim = 4, .value_head_dim = 8},
      gated_delta,
      spec::KimiDeltaAttention{.heads = 2, .value_heads = 4, .key_head_dim = 4, .value_head_dim = 6},
      mamba,
      spec::MLstm{.heads = 2, .key_head_dim = 4, .value_head_dim = 8},
      spec::MomentumDeltaNet{.heads = 2, .key_head_dim = 4, .value_head_dim = 8},
      spec::ParallelMixer{{spec::FullAttention{attention}, gated_delta, mamba}, spec::Fusion::normed_mean},
  };
}

inline spec::ModelSpec tiny_model(std::vector<spec::LayerSpec> layers) {
  spec::ModelSpec model;
  model.d_model = 16;
  model.vocab_size = 13;
  model.layout.layers = std::move(layers);
  return model;
}

/// `depth` equal layers.
inline spec::ModelSpec tiny_model(const spec::Mixer& mixer, const spec::ChannelMixer& channel = spec::SwiGlu{24},
                                  std::size_t depth = 2) {
  return tiny_model(std::vector<spec::LayerSpec>(depth, spec::LayerSpec{mixer, channel}));
}

/// Seeds 1, 2, ...
inline std::vector<std::uint64_t> seeds_for(std::size_t members) {
  std::vector<std::uint64_t> seeds(members);
  for (std::size_t i = 0; i < members; ++i) seeds[i] = i + 1;
  return seeds;
}

/// A population in fp64 whose weights lie far from their small initial values, so that a wrong term shows.
inline nn::Population strong_population(const std::vector<spec::ModelSpec>& members) {
  nn::Population population(members, seeds_for(members.size()), {.compute = at::kDouble});
  const at::NoGradGuard no_gradients;
  for (nn::Parameter& parameter : population.parameters()) {
    at::Generator generator = at::detail::createCPUGenerator(parameter.name.size() * 1000 + parameter.members.size());
    parameter.value.add_(at::empty_like(parameter.value).normal_(0, 0.2, generator));
  }
  return population;
}

inline at::Tensor random_tokens(std::int64_t members, std::int64_t batch, std::int64_t length,
                                std::int64_t vocabulary = 13) {
  at::Generator generator = at::detail::createCPUGenerator(7);
  return at::randint(0, vocabulary, {members, batch, length}, generator, at::TensorOptions().dtype(at::kLong));
}

/// Largest difference relative to the largest entry; infinite if anything is not finite.
inline double relative_error(const at::Tensor& given, const at::Tensor& expected) {
  if (given.sizes() != expected.sizes() || !at::isfinite(given).all().item<bool>()) {
    return std::numeric_limits<double>::infinity();
  }
  const at::Tensor exact = expected.to(at::kDouble);
  return ((given.to(at::kDouble) - exact).abs().max() / exact.abs().max()).item<double>();
}

}  // namespace plait::testing
