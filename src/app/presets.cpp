#include "src/app/presets.h"

#include <algorithm>
#include <span>

#include "src/spec/embedded_file.h"
#include "src/spec/model_json.h"

namespace plait::embedded {
std::span<const spec::EmbeddedFile> preset_files();
}  // namespace plait::embedded

namespace plait::app {
namespace {
std::string_view id_of(const spec::EmbeddedFile& file) { return file.name.substr(0, file.name.rfind('.')); }
}  // namespace

std::vector<std::string> preset_ids() {
  std::vector<std::string> ids;
  for (const spec::EmbeddedFile& file : embedded::preset_files()) ids.emplace_back(id_of(file));
  std::ranges::sort(ids);
  return ids;
}

std::optional<Preset> find_preset(std::string_view id) {
  const auto files = embedded::preset_files();
  const auto file = std::ranges::find(files, id, id_of);
  if (file == files.end()) return std::nullopt;
  const spec::Json json = spec::Json::parse(file->content);
  spec::Problems problems;
  Preset preset{.id = std::string(id), .source = json.value("_source", ""), .model = {}};
  preset.model = spec::model_from_json(json, std::string(file->name), problems);
  problems.throw_if_any();
  return preset;
}

}  // namespace plait::app
