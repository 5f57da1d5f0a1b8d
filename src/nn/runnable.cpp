#include "src/nn/runnable.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <type_traits>
#include <variant>

#include "src/spec/error.h"

namespace plait::nn {
namespace {

using spec::join_path;
using spec::Problems;

/// The largest value of `width(branch)`, a number per single mixer.
template <class Width>
std::int64_t widest(const spec::Mixer& mixer, const Width& width) {
  return std::visit(
      [&](const auto& alternative) -> std::int64_t {
        if constexpr (std::is_same_v<std::decay_t<decltype(alternative)>, spec::ParallelMixer>) {
          std::int64_t most = 0;
          for (const auto& branch : alternative.branches) most = std::max(most, std::visit(width, branch));
          return most;
        } else {
          return width(alternative);
        }
      },
      mixer);
}

void check_even(std::int64_t width, const std::string& path, const char* key, Problems& problems) {
  if (width % 2 != 0)
    problems.add(join_path(path, key), fmt::format("{}: rotary embedding needs an even width", width));
}

/// What the layers cannot run of one mixer.
struct MixerCheck {
  std::int64_t d_model;
  const std::string& path;
  Problems& problems;

  void operator()(const spec::MultiHeadLatentAttention& m) const { check_even(m.rope_dim, path, "rope_dim", problems); }
  void operator()(const spec::RetNet& m) const { check_even(m.key_head_dim, path, "key_head_dim", problems); }
  void operator()(const spec::Hgrn2& m) const {
    const std::int64_t keys = m.heads * m.key_head_dim;
    if (m.lower_bound && keys > d_model) {
      problems.add(
          join_path(path, "key_head_dim"),
          fmt::format("heads x key_head_dim is {}, but a row of lower bounds is d_model ({}) wide", keys, d_model));
    }
  }
  void operator()(const spec::ParallelMixer& m) const {
    for (std::size_t i = 0; i < m.branches.size(); ++i) {
      const std::string branch = spec::index_path(join_path(path, "branches"), i);
      std::visit(MixerCheck{d_model, branch, problems}, m.branches[i]);
    }
  }
  template <class M>
  void operator()(const M&) const {}
};

void check_layers(const spec::ModelSpec& model, const std::string& path, Problems& problems) {
  const auto& layers = model.layout.layers;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string where = spec::index_path(path, i);
    const std::string mixer = join_path(where, "mixer");
    std::visit(MixerCheck{model.d_model, mixer, problems}, layers[i].mixer);
    if (const auto* moe = std::get_if<spec::MoE>(&layers[i].channel_mixer); moe != nullptr && moe->latent_width > 0) {
      problems.add(join_path(join_path(where, "channel_mixer"), "latent_width"),
                   fmt::format("{}: experts at a width of their own cannot be run; 0 alone can", moe->latent_width));
    }
    if (layers[i].kv_from && std::holds_alternative<spec::MultiHeadLatentAttention>(layers[i].mixer)) {
      problems.add(join_path(where, "kv_from"),
                   "a shared latent cache cannot be run; softmax attention alone can share");
    }
    if (layers[i].weights_from &&
        layers[*layers[i].weights_from].kv_from.has_value() != layers[i].kv_from.has_value()) {
      problems.add(join_path(where, "weights_from"),
                   fmt::format("layer {} {} kv_from, so its weights do not fit a layer {} it", *layers[i].weights_from,
                               layers[i].kv_from ? "has no" : "has", layers[i].kv_from ? "with" : "without"));
    }
  }
}

void check_shape(const spec::ModelSpec& model, const spec::ModelSpec& first, const std::string& path,
                 Problems& problems) {
  const auto same = [&](const char* key, const auto& given, const auto& expected) {
    if (given == expected) return;
    problems.add(join_path(path, key),
                 fmt::format("is {}, but {} in members[0]; a population has one shape", given, expected));
  };
  const auto name = [](spec::NormKind kind) { return kind == spec::NormKind::rms ? "rms" : "layer"; };
  same("d_model", model.d_model, first.d_model);
  same("vocab_size", model.vocab_size, first.vocab_size);
  same("tied_embeddings", model.tied_embeddings, first.tied_embeddings);
  same("norm", std::string(name(model.norm)), std::string(name(first.norm)));
  same("norm_eps", model.norm_eps, first.norm_eps);
  same("layers", fmt::format("{} layers", model.layout.size()), fmt::format("{} layers", first.layout.size()));
}

}  // namespace

void check_runnable(const std::vector<spec::ModelSpec>& members) {
  Problems problems;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::string path = spec::index_path("members", i);
    const std::size_t before = problems.size();
    spec::validate(members[i], path, problems);
    check_shape(members[i], members.front(), path, problems);
    if (problems.size() == before) check_layers(members[i], join_path(path, "layers"), problems);
  }
  problems.throw_if_any();
}

std::int64_t bound_table_width(const spec::ModelSpec& model) {
  std::int64_t width = 0;
  for (const spec::LayerSpec& layer : model.layout.layers) {
    width = std::max(width, widest(layer.mixer, [&](const auto& mixer) -> std::int64_t {
                       using M = std::decay_t<decltype(mixer)>;
                       if constexpr (std::is_same_v<M, spec::Hgrn>) return mixer.lower_bound ? mixer.width : 0;
                       if constexpr (std::is_same_v<M, spec::Hgrn2>) return mixer.lower_bound ? model.d_model : 0;
                       return 0;
                     }));
  }
  return width;
}

std::int64_t read_bound_width(const spec::Mixer& mixer) {
  return widest(mixer, [](const auto& single) -> std::int64_t {
    using M = std::decay_t<decltype(single)>;
    if constexpr (std::is_same_v<M, spec::Hgrn>) return single.lower_bound ? single.width : 0;
    if constexpr (std::is_same_v<M, spec::Hgrn2>) return single.lower_bound ? single.heads * single.key_head_dim : 0;
    return 0;
  });
}

}  // namespace plait::nn
