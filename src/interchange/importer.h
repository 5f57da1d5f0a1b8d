#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/spec/json_reader.h"
#include "src/spec/model_spec.h"

/// Other tools' configs, in. One row per format; the format is told by the content, never by the file's name.
namespace plait::interchange {

struct ImportResult {
  spec::ModelSpec model;
  std::vector<std::string> notes;  ///< what the file says that the model does not: ignored keys, assumed values
};

struct Importer {
  std::string_view name;
  std::string_view summary;  ///< what of the format is readable
  bool (*recognises)(const spec::Json&);
  /// Adds what is wrong to `problems`, located below `path`; the result is meaningful only when nothing was added.
  ImportResult (*read)(const spec::Json&, const std::string& path, spec::Problems& problems);
};

std::span<const Importer> importer_table();

/// Reads a model of ours or of any importer. Throws SpecError: everything wrong with a recognised file, or what is
/// readable when nothing recognises it.
ImportResult import_model(const spec::Json& value, const std::string& path);

}  // namespace plait::interchange
