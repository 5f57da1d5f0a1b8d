// Holds populations to the logits of the real flash-linear-attention, in two steps around fla_logits.py:
//   fla_logits write FOLDER      one folder per model: model.json, and config.json where the library has a class for it
//   fla_logits compare FOLDER    loads each model.safetensors and compares the logits
#include <filesystem>
#include <fstream>
#include <iostream>

#include "src/interchange/exporter.h"
#include "src/nn/checkpoint.h"
#include "src/nn/safetensors.h"
#include "src/spec/model_json.h"
#include "tests/nn/parity_models.h"

namespace {

using namespace plait;
namespace fs = std::filesystem;

// Relative to the largest logit.
constexpr double kDoubleTolerance = 1e-10;
constexpr double kFloatTolerance = 1e-4;

void write(const fs::path& folder, const spec::ModelSpec& model) {
  fs::create_directories(folder);
  spec::OrderedJson json{{"d_model", model.d_model}, {"vocab_size", model.vocab_size}, {"norm_eps", model.norm_eps}};
  for (const spec::LayerSpec& layer : model.layout.layers) {
    json["layers"].push_back({{"mixer", to_json(layer.mixer)}, {"channel_mixer", to_json(layer.channel_mixer)}});
  }
  std::ofstream(folder / "model.json") << json.dump(1);
  const interchange::Exporter* fla = interchange::find_exporter("fla");
  if (!fla->supports(model).ok) return;
  std::ofstream(folder / "config.json") << *fla->write(model, {}).find("config.json");
}

/// Relative error of the logits; NaN shows as a failure too.
double error(const fs::path& folder, const spec::ModelSpec& model, at::ScalarType compute) {
  const at::NoGradGuard no_gradients;
  nn::Population population({model}, {1}, {.compute = compute});
  nn::load_checkpoint(population, 0, folder / "model.safetensors");
  const at::Tensor hidden = population.forward(testing::parity_tokens(model.vocab_size)).squeeze(1);
  const at::Tensor expected = nn::read_safetensors(folder / "logits.safetensors").at("logits").unsqueeze(0);
  const at::Tensor given = population.logits(hidden).to(at::kDouble);
  if (given.sizes() != expected.sizes()) throw std::runtime_error(folder.string() + ": logits of another shape");
  return ((given - expected).abs().max() / expected.abs().max()).item<double>();
}

int compare(const fs::path& root) {
  int failures = 0;
  for (const auto& [name, model] : testing::parity_models()) {
    const double in_double = error(root / name, model, at::kDouble);
    const double in_float = error(root / name, model, at::kFloat);
    const bool good = in_double <= kDoubleTolerance && in_float <= kFloatTolerance;
    if (!good) ++failures;
    std::cout << (good ? "ok    " : "FAIL  ") << name << ": " << in_double << " in fp64, " << in_float << " in fp32\n";
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string command = argc == 3 ? argv[1] : "";
  if (command == "write") {
    for (const auto& [name, model] : testing::parity_models()) write(fs::path(argv[2]) / name, model);
    return 0;
  }
  if (command == "compare") return compare(argv[2]);
  throw std::runtime_error("usage: fla_logits write|compare FOLDER");
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
