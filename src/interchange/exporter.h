#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/spec/model_spec.h"

/// Other tools' configs, out. One row per target; `plait export --list` walks the table.
namespace plait::interchange {

/// Whether a target can take a model as it is.
struct Support {
  bool ok = true;
  std::vector<std::string> reasons;  ///< everything in the way, each naming its layers; empty when ok
  std::vector<std::string> notes;    ///< what the reader of an accepted export must know (versions, limits)
};

/// Where a model comes from; written into the bundle. All of it may be empty. Holds no time of its own, so the same
/// model and provenance give the same bytes.
struct Provenance {
  std::string study;
  std::string trial;
  std::string layout;  ///< notation; empty: the exporter prints its own
  std::map<std::string, double> metrics;
  std::string plait_version;
  std::optional<std::string> date;
};

struct File {
  std::string name;  ///< without folders
  std::string content;
  bool executable = false;

  bool operator==(const File&) const = default;
};

/// A target's files, in memory: writing them is the client's work.
struct ExportBundle {
  std::vector<File> files;

  /// The content of `name`, or nullptr.
  const std::string* find(std::string_view name) const;
};

struct Exporter {
  std::string_view name;
  std::string_view summary;
  Support (*supports)(const spec::ModelSpec&);
  /// Throws SpecError with the reasons when the model is not supported.
  ExportBundle (*write)(const spec::ModelSpec&, const Provenance&);
};

std::span<const Exporter> exporter_table();
/// nullptr when there is none of that name.
const Exporter* find_exporter(std::string_view name);

}  // namespace plait::interchange
