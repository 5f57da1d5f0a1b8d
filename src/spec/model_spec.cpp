#include "src/spec/model_spec.h"

#include <fmt/format.h>

#include <cmath>

#include "src/spec/notation.h"

namespace plait::spec {

void validate(const ModelSpec& model, const std::string& path, Problems& problems) {
  const auto in_range = [&](std::string_view key, Dim value, Dim low, Dim high) {
    if (value < low || value > high) {
      problems.add(join_path(path, key), fmt::format("{} is out of range; allowed are {} to {}", value, low, high));
    }
  };
  in_range("d_model", model.d_model, 1, kMaxDim);
  in_range("vocab_size", model.vocab_size, 1, kMaxDim);
  in_range("max_position", model.max_position, 1, Dim{1} << 40);
  if (!(model.norm_eps > 0.0 && model.norm_eps < 1.0)) {
    problems.add(join_path(path, "norm_eps"),
                 fmt::format("{} is out of range; allowed is 0 < norm_eps < 1", model.norm_eps));
  }
  if (model.layout.size() == 0) problems.add(join_path(path, "layout"), "a model needs at least one layer");
  if (model.layout.size() > kMaxLayers) {
    problems.add(join_path(path, "layout"),
                 fmt::format("{} layers; at most {} are allowed", model.layout.size(), kMaxLayers));
  }
  validate(model.layout, model.d_model, join_path(path, "layers"), problems);
}

}  // namespace plait::spec
