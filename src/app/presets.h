#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/spec/model_spec.h"

/// Published hybrids as model files (examples/presets/*.json), compiled into the program.
namespace plait::app {

struct Preset {
  std::string id;      ///< file name without extension: "qwen3_5_9b"
  std::string source;  ///< where the dimensions are from
  spec::ModelSpec model;
};

/// Sorted by id.
std::vector<std::string> preset_ids();

/// Nothing when there is no such preset.
std::optional<Preset> find_preset(std::string_view id);

}  // namespace plait::app
