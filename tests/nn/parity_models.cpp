#include "tests/nn/parity_models.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <utility>

namespace plait::testing {
namespace {

using spec::Mixer;

constexpr spec::Dim kWidth = 32;

spec::ModelSpec model_of(const std::vector<Mixer>& mixers, const spec::ChannelMixer& channel = spec::SwiGlu{48}) {
  spec::ModelSpec model;
  model.d_model = kWidth;
  model.vocab_size = 16;
  model.max_position = 128;
  for (const Mixer& mixer : mixers) model.layout.layers.push_back({mixer, channel, {}, {}});
  return model;
}

spec::ModelSpec pure(const Mixer& mixer) { return model_of({mixer, mixer}); }

spec::ModelSpec mamba2(const spec::Mamba2& mixer) {
  spec::ModelSpec model = model_of({mixer, mixer}, spec::None{});
  model.norm_eps = 1e-5;
  model.max_position = spec::ModelSpec{}.max_position;  // a mamba2 config has none
  return model;
}

spec::ModelSpec tied(spec::ModelSpec model) {
  model.tied_embeddings = true;
  return model;
}

/// FNV-1a.
std::uint64_t hash(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h;
}

/// Number `index` of the stream `seed`, in [0, 1) (SplitMix64).
double uniform_at(std::uint64_t seed, std::int64_t index) {
  std::uint64_t z = seed + (static_cast<std::uint64_t>(index) + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  z ^= z >> 31;
  return std::ldexp(static_cast<double>(z >> 11), -53);
}

/// Centre and width of the range of a weight. The ranges keep decays slow enough that a state carries over many tokens.
std::pair<double, double> range_of(std::string_view name, at::IntArrayRef shape) {
  const auto ends = [&](std::string_view suffix) { return name.ends_with(suffix); };
  constexpr std::array gates{"A_log", "dt_bias", "Mu_log", "mu_bias", "D_log", "log_factor"};
  if (ends("lower_bounds")) return {0, 3};
  if (ends("embeddings.weight")) return {0, 2};
  if (shape.size() > 1) {
    double fan_in = 1;
    for (const std::int64_t size : shape.slice(1)) fan_in *= static_cast<double>(size);
    return {0, 3 / std::sqrt(fan_in)};
  }
  for (const std::string_view gate : gates) {
    if (ends(gate)) return {-1, 1};
  }
  return {1, 0.6};  // norms, biases, Mamba-2's D
}

}  // namespace

std::vector<NamedModel> parity_models() {
  const spec::FullAttention full{{.heads = 4, .kv_heads = 4, .head_dim = 8}};
  const spec::FullAttention grouped{{.heads = 4, .kv_heads = 2, .head_dim = 8, .qkv_bias = true}};
  spec::FullAttention normed = grouped;
  normed.qk_norm = spec::QkNorm::per_head;
  normed.qkv_bias = false;
  const spec::SlidingWindowAttention window{{.heads = 4, .kv_heads = 2, .head_dim = 8, .rope_theta = 500.0}, 13};
  const spec::MultiHeadLatentAttention latent{
      .heads = 2, .q_lora_rank = 0, .kv_lora_rank = 12, .nope_dim = 8, .rope_dim = 4, .value_dim = 6};
  spec::MultiHeadLatentAttention low_rank = latent;
  low_rank.q_lora_rank = 10;
  const spec::RetNet retnet{.heads = 2, .kv_heads = 2, .key_head_dim = 16, .value_head_dim = 32};
  const spec::RetNet retnet_grouped{
      .heads = 4, .kv_heads = 2, .key_head_dim = 8, .value_head_dim = 8, .output_gate = false};
  const spec::Gla gla{.heads = 2, .kv_heads = 2, .key_head_dim = 8, .value_head_dim = 16};
  const spec::Gla gla_grouped{
      .heads = 4, .kv_heads = 2, .key_head_dim = 8, .value_head_dim = 8, .conv_width = 4, .output_gate = false};
  const spec::Hgrn hgrn{.width = 48};
  const spec::Hgrn hgrn_conv{.width = 32, .conv_width = 3, .lower_bound = false};
  const spec::Hgrn2 hgrn2{.heads = 4, .key_head_dim = 8, .value_head_dim = 8};
  const spec::Hgrn2 hgrn2_conv{.heads = 2, .key_head_dim = 16, .value_head_dim = 16, .conv_width = 4};
  const spec::DeltaNet delta{.heads = 2, .key_head_dim = 16, .value_head_dim = 16};
  const spec::DeltaNet delta_gated{.heads = 4,
                                   .key_head_dim = 8,
                                   .value_head_dim = 16,
                                   .conv_width = 0,
                                   .output_gate = true,
                                   .negative_eigenvalues = true};
  const spec::GatedDeltaNet gdn{.heads = 2, .value_heads = 2, .key_head_dim = 12, .value_head_dim = 24};
  const spec::GatedDeltaNet gdn_grouped{.heads = 2,
                                        .value_heads = 4,
                                        .key_head_dim = 16,
                                        .value_head_dim = 8,
                                        .conv_width = 0,
                                        .output_gate = false,
                                        .negative_eigenvalues = true};
  const spec::KimiDeltaAttention kda{.heads = 2, .value_heads = 2, .key_head_dim = 16, .value_head_dim = 16};
  const spec::KimiDeltaAttention kda_bounded{.heads = 2,
                                             .value_heads = 4,
                                             .key_head_dim = 8,
                                             .value_head_dim = 16,
                                             .conv_width = 3,
                                             .negative_eigenvalues = true,
                                             .gate_lower_bound = -1.5};
  const spec::Mamba2 mamba{.heads = 4, .head_dim = 16, .state_dim = 8};
  const spec::Mamba2 mamba_grouped{
      .heads = 4, .head_dim = 8, .state_dim = 6, .groups = 2, .conv_width = 3, .conv_bias = false};
  const spec::MLstm mlstm{.heads = 2, .key_head_dim = 8, .value_head_dim = 16};
  const spec::MomentumDeltaNet momentum{.heads = 2, .key_head_dim = 8, .value_head_dim = 16};
  const spec::MomentumDeltaNet momentum_plain{
      .heads = 2, .key_head_dim = 16, .value_head_dim = 16, .conv_width = 0, .output_gate = false};
  return {
      {"transformer", pure(full)},
      {"transformer_qk_norm", pure(normed)},
      {"transformer_window", pure(window)},
      {"mla", pure(latent)},
      {"mla_query_low_rank", tied(pure(low_rank))},
      {"retnet", pure(retnet)},
      {"retnet_grouped", pure(retnet_grouped)},
      {"gla", pure(gla)},
      {"gla_grouped_conv", pure(gla_grouped)},
      {"hgrn", model_of({hgrn, hgrn, hgrn})},
      {"hgrn_conv", pure(hgrn_conv)},
      {"hgrn2", pure(hgrn2)},
      {"hgrn2_conv", pure(hgrn2_conv)},
      {"delta_net", pure(delta)},
      {"delta_net_gated", pure(delta_gated)},
      {"gated_deltanet", pure(gdn)},
      {"gated_deltanet_grouped", pure(gdn_grouped)},
      {"kda", pure(kda)},
      {"kda_bounded", pure(kda_bounded)},
      {"mamba2", mamba2(mamba)},
      {"mamba2_groups", mamba2(mamba_grouped)},
      {"hybrid_gated_deltanet", tied(model_of({gdn, window, grouped}))},
      {"hybrid_hgrn2", model_of({full, hgrn2, hgrn2})},
      {"hybrid_kda", model_of({kda, kda, full})},
      {"mlstm", pure(mlstm)},
      {"momentum_deltanet", pure(momentum)},
      {"momentum_deltanet_plain", pure(momentum_plain)},
      {"parallel_sum", model_of({gdn, spec::ParallelMixer{{full, mamba}, spec::Fusion::sum}})},
      {"parallel_normed", pure(spec::ParallelMixer{{grouped, mamba, gdn}, spec::Fusion::normed_mean})},
  };
}

at::Tensor parity_tokens(std::int64_t vocabulary) {
  std::vector<std::int64_t> tokens;
  for (std::int64_t t = 0; t < kParityTokens; ++t) {
    tokens.push_back(static_cast<std::int64_t>(uniform_at(hash("tokens"), t) * static_cast<double>(vocabulary)));
  }
  return at::tensor(tokens, at::kLong).view({1, 1, kParityTokens});
}

at::Tensor parity_weight(const std::string& name, at::IntArrayRef shape) {
  const auto [centre, width] = range_of(name, shape);
  const std::uint64_t seed = hash(name);
  std::vector<double> values(static_cast<std::size_t>(c10::multiply_integers(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = centre + width * (uniform_at(seed, static_cast<std::int64_t>(i)) - 0.5);
  }
  return at::tensor(values, at::kDouble).view(shape);
}

}  // namespace plait::testing
