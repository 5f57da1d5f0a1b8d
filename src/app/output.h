#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "src/app/results.h"
#include "src/interchange/exporter.h"
#include "src/report/report.h"

/// What clients draw and write of a study.
namespace plait::app {

/// "NVIDIA H100 SXM 80 GB, context 32k, batch 1".
std::string setting(const StudySpec& spec);

/// The figure of two metrics that the study has, with the study in its title. The front is that of the two alone.
report::Figure frontier_figure(const StudyResults& results, const std::string& x, const std::string& y);

/// The model of a trial, named after its study, and where it comes from: what an exporter takes.
struct ExportSource {
  spec::ModelSpec model;
  interchange::Provenance provenance;
};
ExportSource export_source(const StudyResults& results, const search::Trial& trial);

/// Throws std::system_error that names the file.
void write_file(const std::filesystem::path& file, std::string_view content);

/// The same, written beside its place and renamed: a reader never sees half a file, and a full disk costs nothing.
void replace_file(const std::filesystem::path& file, std::string_view content);

/// Throws SpecError with `words` on the first of these files that is in the folder already.
void require_new(const interchange::ExportBundle& bundle, const std::filesystem::path& folder,
                 const std::string& words);

/// Makes the folder if need be, and replaces what is there. Throws std::system_error.
void write_bundle(const interchange::ExportBundle& bundle, const std::filesystem::path& folder);

}  // namespace plait::app
