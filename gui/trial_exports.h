#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "src/app/results.h"
#include "src/interchange/exporter.h"

namespace plait::gui {

inline constexpr std::size_t kMostExports = 256;  ///< at once
inline constexpr const char* kThereAlready = "is there already, and files are not replaced; choose another folder";

/// A trial on its way to a trainer.
struct TrialExport {
  std::size_t row = 0;
  std::string folder;             ///< its own, inside the one that is chosen; no two trials share one
  interchange::Support support;   ///< by the target
  std::string problem{};          ///< why it was not written when that was tried last
  std::filesystem::path written;  ///< where it was written then; empty: not
};

/// What the target says to each of these rows.
std::vector<TrialExport> trial_exports(const app::StudyResults& results, std::span<const std::size_t> rows,
                                       const interchange::Exporter& target);

/// Writes each that the target takes into a folder of its own in `parent`. No file is replaced: what stands in the way
/// of one is its problem, and the others are written. Returns how many were.
std::size_t write_trial_exports(const app::StudyResults& results, const interchange::Exporter& target,
                                const std::filesystem::path& parent, std::span<TrialExport> exports);

}  // namespace plait::gui
