#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/proxy/adamw.h"
#include "src/proxy/training.h"

/// A training on disk, in one file: a line with the format's name, the length of a JSON header (64 bits,
/// little-endian), the header (plan, members, results so far, and where the members stand), the raw fp32 tensors that
/// it lists, and the XXH3 64-bit hash of all that.
namespace plait::proxy {

/// Members that train side by side.
struct Cohort {
  std::int64_t step = 0;             ///< steps done
  std::vector<std::size_t> members;  ///< that still train
  std::vector<MemberState> states;   ///< beside `members`; empty before the first step
};

struct Checkpoint {
  std::vector<MemberRun> runs;  ///< of all members
  std::vector<std::string> notes;
  std::vector<Cohort> cohorts;  ///< the first one trains, the others wait (after a population was halved)
  double elapsed_s = 0;         ///< by all processes so far
};

/// Nothing when there is no such file. Throws spec::SpecError at "checkpoint" for a file that is none of ours, is
/// damaged or belongs to another plan or other members (it says what differs), std::system_error when it cannot be
/// read.
std::optional<Checkpoint> read_checkpoint(const std::filesystem::path& file, std::span<const Member> members,
                                          const TrainingPlan& plan);

/// Replaces the file at once: a reader, or a crash, finds the old one or the new one. Throws std::system_error.
void write_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint, std::span<const Member> members,
                      const TrainingPlan& plan);

}  // namespace plait::proxy
