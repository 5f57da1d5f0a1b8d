#include "tests/interchange/fla_models.h"

#include <algorithm>
#include <random>

namespace plait::interchange::test {
namespace {

using spec::Dim;
using spec::FullAttention;
using spec::LayerSpec;
using spec::Mixer;
using spec::SlidingWindowAttention;
using spec::SoftmaxAttention;

/// Draws that do not depend on the standard library's distributions.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : engine_(seed) {}

  Dim in(Dim low, Dim high) { return low + static_cast<Dim>(engine_() % static_cast<std::uint64_t>(high - low + 1)); }
  bool coin() { return in(0, 1) == 1; }
  template <class T>
  T one_of(std::vector<T> values) {
    return values[static_cast<std::size_t>(in(0, static_cast<Dim>(values.size()) - 1))];
  }
  Dim divisor_of(Dim value) {
    std::vector<Dim> divisors;
    for (Dim d = 1; d <= value; ++d) {
      if (value % d == 0) divisors.push_back(d);
    }
    return one_of(divisors);
  }
  Dim conv() { return coin() ? 0 : in(2, 5); }

 private:
  std::mt19937_64 engine_;
};

SoftmaxAttention attention(Draw& draw, Dim d_model) {
  SoftmaxAttention result;
  result.head_dim = draw.one_of<Dim>({8, 16, 32});
  result.heads = d_model / result.head_dim;
  result.kv_heads = draw.divisor_of(result.heads);
  result.qkv_bias = draw.coin();
  result.rope_theta = draw.one_of<double>({10000.0, 500000.0, 12345.678});
  return result;
}

Mixer full_or_window(Draw& draw, const SoftmaxAttention& shape) {
  if (draw.coin()) return FullAttention{shape};
  return SlidingWindowAttention{shape, draw.in(1, 4096)};
}

Mixer native(Draw& draw, Dim d_model, Dim kind) {
  const Dim heads = draw.in(1, 4);
  const Dim key = draw.in(1, 40);
  const Dim value = draw.in(1, 40);
  const Dim conv = draw.conv();
  switch (kind) {
    case 0: return spec::Gla{heads, draw.divisor_of(heads), key, value, 16, conv, draw.coin()};
    case 1: return spec::RetNet{heads, draw.divisor_of(heads), 2 * key, value, 0, draw.coin()};
    case 2: return spec::DeltaNet{heads, key, value, conv, draw.coin(), draw.coin()};
    case 3: return spec::GatedDeltaNet{heads, heads * draw.in(1, 3), key, value, conv, draw.coin(), draw.coin()};
    case 4: {
      const double bound = draw.one_of<double>({0.0, -5.0, -1.3});
      return spec::KimiDeltaAttention{heads, heads * draw.in(1, 3), key, value, conv, draw.coin(), bound};
    }
    case 5: return spec::Hgrn{draw.in(1, 300), conv, draw.coin()};
    case 6: {
      const Dim count = draw.divisor_of(d_model);
      return spec::Hgrn2{count, d_model / count, d_model / count, conv, draw.coin()};
    }
    case 7: {
      const Dim groups = draw.divisor_of(heads);
      return spec::Mamba2{heads, key, value, groups, draw.in(1, 5), draw.coin()};
    }
    default: {
      const Dim nope = draw.in(1, 40);
      const Dim rope = 2 * draw.in(1, 20);
      return spec::MultiHeadLatentAttention{heads, draw.coin() ? 0 : key,  draw.in(1, 60), nope,
                                            rope,  draw.in(1, nope + rope)};
    }
  }
}

spec::ModelSpec small(std::vector<LayerSpec> layers) {
  spec::ModelSpec model;
  model.d_model = 64;
  model.vocab_size = 256;
  model.max_position = 2048;
  model.layout.layers = std::move(layers);
  return model;
}

std::vector<LayerSpec> repeat(const Mixer& native, const std::vector<std::pair<std::size_t, Mixer>>& others,
                              std::size_t depth = 4) {
  std::vector<LayerSpec> layers(depth, LayerSpec{native, spec::SwiGlu{256}, {}, {}});
  for (const auto& [layer, mixer] : others) layers[layer].mixer = mixer;
  return layers;
}

}  // namespace

std::vector<NamedModel> golden_models() {
  const FullAttention full{{.heads = 4, .kv_heads = 4, .head_dim = 16}};
  const FullAttention grouped{{.heads = 4, .kv_heads = 2, .head_dim = 16, .qkv_bias = true}};
  const SlidingWindowAttention window{{.heads = 8, .kv_heads = 2, .head_dim = 8, .rope_theta = 500000.0}, 512};
  spec::ModelSpec mamba2 = small(repeat(spec::Mamba2{8, 16, 16}, {}));
  for (LayerSpec& layer : mamba2.layout.layers) layer.channel_mixer = spec::None{};
  mamba2.norm_eps = 1e-5;
  mamba2.max_position = spec::ModelSpec{}.max_position;  // a mamba2 config has none
  spec::ModelSpec tied = small(repeat(spec::KimiDeltaAttention{2, 4, 32, 32, 4, true, -5.0}, {{3, full}}));
  tied.tied_embeddings = true;
  FullAttention normed = grouped;
  normed.qk_norm = spec::QkNorm::per_head;
  return {
      {"gla_hybrid", small(repeat(spec::Gla{2, 2, 16, 32}, {{3, full}}))},
      {"delta_net_hybrid", small(repeat(spec::DeltaNet{2, 32, 32}, {{1, grouped}, {3, grouped}}))},
      {"gated_deltanet_list", small(repeat(spec::GatedDeltaNet{2, 2, 32, 64}, {{1, window}, {3, full}}))},
      {"kda_tied", tied},
      {"retnet_pure", small(repeat(spec::RetNet{2, 2, 32, 64}, {}))},
      {"hgrn_pure", small(repeat(spec::Hgrn{64}, {}))},
      {"hgrn2_hybrid", small(repeat(spec::Hgrn2{2, 32, 32}, {{3, full}}))},
      {"mamba2_pure", mamba2},
      {"transformer_qk_norm", small(repeat(normed, {}))},
      {"attention_mix", small(repeat(full, {{0, window}, {2, window}}))},
      {"mla_pure", small(repeat(spec::MultiHeadLatentAttention{4, 24, 32, 16, 8, 16}, {}))},
  };
}

spec::ModelSpec random_model(std::uint64_t seed) {
  Draw draw(seed);
  spec::ModelSpec model;
  model.d_model = draw.one_of<Dim>({64, 96, 160, 192});
  model.vocab_size = draw.in(32, 1000);
  model.tied_embeddings = draw.coin();
  model.norm_eps = draw.one_of<double>({1e-5, 1e-6, 3.7e-6});
  const Dim kind = draw.in(0, 9);  // 9: attention alone
  const bool takes_attention = kind <= 6;
  const Mixer body =
      kind == 9 ? full_or_window(draw, attention(draw, model.d_model)) : native(draw, model.d_model, kind);
  const spec::ChannelMixer channel = kind == 7 ? spec::ChannelMixer(spec::None{}) : spec::SwiGlu{draw.in(1, 600)};
  if (kind != 7) model.max_position = draw.in(1, 1 << 20);

  std::vector<Mixer> others;
  for (Dim i = draw.in(0, takes_attention || kind == 9 ? 3 : 0); i > 0; --i) {
    others.push_back(full_or_window(draw, attention(draw, model.d_model)));
  }
  for (Dim i = draw.in(1, 8); i > 0; --i) {
    const auto pick = static_cast<std::size_t>(draw.in(0, static_cast<Dim>(others.size())));
    model.layout.layers.push_back({pick == others.size() ? body : others[pick], channel, {}, {}});
  }
  return model;
}

}  // namespace plait::interchange::test
