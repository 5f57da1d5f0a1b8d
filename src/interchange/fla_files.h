#pragma once

#include "src/interchange/exporter.h"
#include "src/interchange/fla.h"

/// The files of an accepted export: what the fla and flame targets have in common.
namespace plait::interchange::fla {

struct ExportedModel {
  const spec::ModelSpec& model;
  const ModelType& type;
  spec::OrderedJson config;
  std::vector<std::string> notes;
  const Provenance& provenance;
};

ExportBundle fla_files(const ExportedModel& exported);
ExportBundle flame_files(const ExportedModel& exported);

/// What only flame's users must know.
void add_flame_notes(const spec::ModelSpec& model, std::vector<std::string>& notes);

}  // namespace plait::interchange::fla
