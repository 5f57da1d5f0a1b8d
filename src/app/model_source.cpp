#include "src/app/model_source.h"

#include <fmt/format.h>

#include <filesystem>

#include "src/app/presets.h"
#include "src/interchange/importer.h"
#include "src/spec/model_json.h"

namespace plait::app {
namespace {

NamedModel read_file(const std::string& file) {
  interchange::ImportResult result = interchange::import_model(spec::read_json_file(file), "");
  return {.model = std::move(result.model), .notation = {}, .notes = std::move(result.notes)};
}

/// A notation on the dimensions and symbols of a model file. A study file will do: its "model" is taken.
NamedModel read_notation(const std::string& text, const std::string& base_file) {
  spec::Json base = spec::read_json_file(base_file);
  if (base.is_object() && base.contains("model")) base = base["model"];
  spec::Problems problems;
  spec::ObjectReader object(base, base_file, problems);
  NamedModel named;
  named.model = spec::model_header_from_json(object);
  const spec::Palette palette = spec::palette_from_json(object, named.model.d_model);
  problems.throw_if_any();
  named.model.layout = spec::parse_layout(text, palette);
  spec::validate(named.model, "", problems);
  problems.throw_if_any();
  return named;
}

}  // namespace

costmodel::HardwareProfile read_hardware(const std::string& what) {
  if (!what.ends_with(".json")) return costmodel::find_hardware(what);
  spec::Problems problems;
  costmodel::HardwareProfile profile = costmodel::hardware_from_json(spec::read_json_file(what), what, problems);
  problems.throw_if_any();
  return profile;
}

spec::OrderedJson hardware_json(const std::string& what) {
  return what.ends_with(".json") ? spec::OrderedJson(spec::read_json_file(what)) : costmodel::hardware_json(what);
}

NamedModel read_model(const std::string& what, const std::string& base_file) {
  NamedModel named;
  if (std::filesystem::is_regular_file(what)) {
    named = read_file(what);
  } else if (std::optional<Preset> preset = find_preset(what)) {
    named.model = std::move(preset->model);
  } else if (what.ends_with(".json") || what.find('/') != std::string::npos) {
    throw spec::SpecError(what, "there is no such file");
  } else if (base_file.empty()) {
    throw spec::SpecError(
        what, "is no file and no preset (plait presets); a layout notation needs --model FILE for its dimensions");
  } else {
    named = read_notation(what, base_file);
  }
  named.notation = notation_of(named.model.layout);
  return named;
}

std::string notation_of(const spec::Layout& layout) {
  try {
    return spec::print_layout(layout, spec::palette_for(layout));
  } catch (const spec::SpecError&) {
    return spec::letters(layout);
  }
}

}  // namespace plait::app
