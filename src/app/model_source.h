#pragma once

#include <string>
#include <vector>

#include "costmodel/hardware.h"
#include "src/spec/model_spec.h"
#include "src/spec/notation.h"

namespace plait::app {

/// A model that a person named on the command line.
struct NamedModel {
  spec::ModelSpec model;
  std::string notation;
  std::vector<std::string> notes;  ///< what the importer had to assume or ignore
};

/// WHAT of the command line: a model file of ours, another tool's config (told by its content), the id of a preset, or
/// a layout notation on the model of `base_file` (may be empty when WHAT is no notation). Throws SpecError,
/// std::system_error.
NamedModel read_model(const std::string& what, const std::string& base_file);

/// A built-in profile by name, or a file that ends in ".json". Throws SpecError, std::system_error.
costmodel::HardwareProfile read_hardware(const std::string& what);
/// The same as it is written.
spec::OrderedJson hardware_json(const std::string& what);

/// The notation of a layout, or its letters when the notation cannot express it.
std::string notation_of(const spec::Layout& layout);

}  // namespace plait::app
