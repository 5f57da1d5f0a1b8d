#include "gui/trial_exports.h"

#include <algorithm>
#include <cctype>

#include "src/app/output.h"
#include "src/app/trial_table.h"

namespace plait::gui {
namespace {

/// A name that means one folder on every system.
std::string folder_name(std::string name) {
  std::ranges::replace_if(
      name, [](unsigned char c) { return std::isalnum(c) == 0 && c != '-' && c != '_' && c != '.' && c < 128; }, '-');
  if (name.starts_with('.')) name.front() = '-';
  return name;
}

app::ExportSource source_of(const app::StudyResults& results, std::size_t row) {
  return app::export_source(results, app::trial_at(results, row));
}

}  // namespace

std::vector<TrialExport> trial_exports(const app::StudyResults& results, std::span<const std::size_t> rows,
                                       const interchange::Exporter& target) {
  std::vector<TrialExport> out;
  for (const std::size_t row : rows) {
    const spec::ModelSpec model = source_of(results, row).model;
    out.push_back({.row = row, .folder = folder_name(model.name), .support = target.supports(model), .written = {}});
  }
  return out;
}

std::size_t write_trial_exports(const app::StudyResults& results, const interchange::Exporter& target,
                                const std::filesystem::path& parent, std::span<TrialExport> exports) {
  std::size_t count = 0;
  for (TrialExport& each : exports) {
    each.problem.clear();
    each.written.clear();
    if (!each.support.ok) continue;
    try {
      app::ExportSource source = source_of(results, each.row);
      source.provenance.plait_version = PLAIT_VERSION;
      const interchange::ExportBundle bundle = target.write(source.model, source.provenance);
      app::require_new(bundle, parent / each.folder, kThereAlready);
      app::write_bundle(bundle, parent / each.folder);
      each.written = parent / each.folder;
      ++count;
    } catch (const std::exception& error) {
      each.problem = error.what();
    }
  }
  return count;
}

}  // namespace plait::gui
