#include "src/app/output.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#include "src/spec/json_reader.h"

namespace plait::app {

namespace fs = std::filesystem;

std::string setting(const StudySpec& spec) {
  return fmt::format("{}, context {}, batch {}", spec.hardware.label, spec::format_size(spec.workload().context),
                     spec.workload().batch);
}

report::Figure frontier_figure(const StudyResults& results, const std::string& x, const std::string& y) {
  report::Figure figure = report::make_figure(result_table(results), x, y);
  report::mark_front(figure);
  figure.title = fmt::format("{}: {} against {}", results.spec.name, figure.y.label, figure.x.label);
  figure.subtitle = fmt::format("{} layers, d_model {}, {}", results.spec.space.size(), results.spec.model.d_model,
                                setting(results.spec));
  return figure;
}

ExportSource export_source(const StudyResults& results, const search::Trial& trial) {
  ExportSource source{.model = model_of(results, trial), .provenance = {}};
  source.model.name = fmt::format("{}-{}", results.spec.name, trial.id);
  source.provenance.study = results.spec.name;
  source.provenance.trial = trial.id;
  source.provenance.layout = trial.layout;
  if (const auto* scores = std::get_if<search::Scores>(&trial.outcome)) {
    for (const auto& [metric, value] : *scores) source.provenance.metrics[metric] = value.value;
  }
  return source;
}

void write_file(const fs::path& file, std::string_view content) {
  std::ofstream out(file, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (!out) throw std::system_error(errno, std::generic_category(), fmt::format("cannot write {}", file.string()));
}

void replace_file(const fs::path& file, std::string_view content) {
  fs::path part = file;
  part += ".part";
  try {
    write_file(part, content);
    fs::rename(part, file);
  } catch (...) {
    std::error_code ignored;
    fs::remove(part, ignored);
    throw;
  }
}

void require_new(const interchange::ExportBundle& bundle, const fs::path& folder, const std::string& words) {
  for (const interchange::File& file : bundle.files) {
    if (fs::exists(folder / file.name)) throw spec::SpecError((folder / file.name).string(), words);
  }
}

void write_bundle(const interchange::ExportBundle& bundle, const fs::path& folder) {
  fs::create_directories(folder);
  for (const interchange::File& file : bundle.files) {
    write_file(folder / file.name, file.content);
    if (file.executable) fs::permissions(folder / file.name, fs::perms::owner_exec, fs::perm_options::add);
  }
}

}  // namespace plait::app
