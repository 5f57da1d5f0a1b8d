#include "src/interchange/importer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "src/interchange/fla_import.h"
#include "src/spec/model_json.h"

namespace plait::interchange {
namespace {

bool is_plait_model(const spec::Json& value) {
  if (!value.is_object() || !value.contains("format")) return false;
  const spec::Json& format = value["format"];
  return format.is_string() && format.get_ref<const std::string&>().starts_with("plait-model/");
}

ImportResult read_plait_model(const spec::Json& value, const std::string& path, spec::Problems& problems) {
  return {spec::model_from_json(value, path, problems), {}};
}

std::string what_it_looks_like(const spec::Json& value) {
  if (!value.is_object()) return fmt::format("a JSON {}", value.type_name());
  for (const char* key : {"format", "model_type"}) {
    if (value.contains(key)) return fmt::format("{} {}", key, value[key].dump());
  }
  return "an object with neither \"format\" nor \"model_type\"";
}

}  // namespace

std::span<const Importer> importer_table() {
  static constexpr std::array table{
      Importer{"plait", "a model file of ours: \"format\": \"plait-model/1\"", is_plait_model, read_plait_model},
      Importer{"fla",
               "config.json of flash-linear-attention: \"model_type\": transformer, mla, gla, retnet, delta_net, "
               "gated_deltanet, kda, hgrn, hgrn2 or mamba2",
               fla::recognises, fla::read},
  };
  return table;
}

ImportResult import_model(const spec::Json& value, const std::string& path) {
  const auto importer =
      std::ranges::find_if(importer_table(), [&](const Importer& row) { return row.recognises(value); });
  if (importer == importer_table().end()) {
    std::string message = fmt::format("no importer reads {}; readable:", what_it_looks_like(value));
    for (const Importer& row : importer_table()) message += fmt::format(" {} ({});", row.name, row.summary);
    message.pop_back();
    throw spec::SpecError(path, message);
  }
  spec::Problems problems;
  ImportResult result = importer->read(value, path, problems);
  problems.throw_if_any();
  return result;
}

}  // namespace plait::interchange
