#pragma once

#include "src/interchange/importer.h"

/// The importer's row for config.json of flash-linear-attention: see importer_table().
namespace plait::interchange::fla {

/// True for every `model_type` of fla, also for those whose mixer plait does not have: `read` says so.
bool recognises(const spec::Json& value);

ImportResult read(const spec::Json& value, const std::string& path, spec::Problems& problems);

}  // namespace plait::interchange::fla
