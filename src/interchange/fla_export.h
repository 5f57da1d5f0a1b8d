#pragma once

#include "src/interchange/exporter.h"

/// The exporters' rows for flash-linear-attention and its trainer flame: see exporter_table().
namespace plait::interchange::fla {

/// One linear mixer with equal dimensions in all its layers, beside any full and sliding-window attention; attention
/// alone; Mamba-2 alone; MLA alone. SwiGLU of one width everywhere (Mamba-2: none), RMSNorm.
Support supports(const spec::ModelSpec& model);

/// config.json, expected.json, verify.py, README.md, provenance.json.
ExportBundle write(const spec::ModelSpec& model, const Provenance& provenance);

Support supports_flame(const spec::ModelSpec& model);

/// The same and launch.sh.
ExportBundle write_flame(const spec::ModelSpec& model, const Provenance& provenance);

}  // namespace plait::interchange::fla
