#include "src/nn/checkpoint.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "src/nn/safetensors.h"
#include "src/spec/error.h"

namespace plait::nn {
namespace {

constexpr std::string_view kLayers = "model.layers.";
constexpr std::string_view kHead = "lm_head.weight";
constexpr std::string_view kEmbeddings = "model.embeddings.weight";

bool is_mamba2_model(const spec::ModelSpec& model) {
  return std::ranges::all_of(model.layout.layers, [](const spec::LayerSpec& layer) {
    return std::holds_alternative<spec::Mamba2>(layer.mixer) && std::holds_alternative<spec::None>(layer.channel_mixer);
  });
}

const spec::ModelSpec& model_of(const Population& population, std::int64_t member) {
  return population.members().at(static_cast<std::size_t>(member));
}

}  // namespace

std::string library_name(const spec::ModelSpec& model, const std::string& name) {
  if (!is_mamba2_model(model) || !name.starts_with("model.")) return name;
  if (name.starts_with("model.norm.")) return "backbone.norm_f." + name.substr(11);
  if (!name.starts_with(kLayers)) return "backbone." + name.substr(6);
  // model.layers.<i>.attn_norm.x and model.layers.<i>.attn.x
  const std::size_t part = name.find('.', kLayers.size()) + 1;
  const std::size_t rest = name.find('.', part);
  const std::string_view own = std::string_view(name).substr(part, rest - part);
  return "backbone.layers." + name.substr(kLayers.size(), part - kLayers.size()) +
         (own == "attn_norm" ? "norm" : "mixer") + name.substr(rest);
}

void save_checkpoint(const Population& population, std::int64_t member, const std::string& file) {
  std::map<std::string, at::Tensor> named;
  for (const auto& [name, value] : population.weights(member)) {
    named.emplace(library_name(model_of(population, member), name), value);
  }
  write_safetensors(file, named);
}

void load_checkpoint(Population& population, std::int64_t member, const std::string& file) {
  const spec::ModelSpec& model = model_of(population, member);
  std::map<std::string, at::Tensor> given = read_safetensors(file);
  if (const auto head = given.find(std::string(kHead)); model.tied_embeddings && head != given.end()) {
    const auto embeddings = given.find(library_name(model, std::string(kEmbeddings)));
    if (embeddings != given.end() && !at::equal(head->second, embeddings->second)) {
      throw spec::SpecError(std::string(kHead), "differs from the embeddings, to which the model ties it");
    }
    given.erase(head);
  }
  // Names of the file to ours: what is left over keeps its name, for the message.
  std::map<std::string, at::Tensor> own;
  for (const auto& [name, value] : population.weights(member)) {
    if (auto found = given.extract(library_name(model, name))) own.emplace(name, found.mapped());
  }
  own.merge(given);
  try {
    population.set_weights(member, own);
  } catch (const spec::SpecError& error) {
    spec::Problems in_file;
    for (const spec::Problem& problem : error.problems()) in_file.add(file + ": " + problem.path, problem.message);
    in_file.throw_if_any();
  }
}

}  // namespace plait::nn
