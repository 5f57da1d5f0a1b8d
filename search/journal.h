#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "search/trial.h"

namespace plait::search {

/// The journal on disk is not what it should be: foreign, of another study, damaged in the middle, in use, or of a
/// newer format. Nothing has been written. The message names the file and says what to do.
class JournalError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The append-only record of a study: JSON lines, one event each, with a checksum. The first line is the header and
/// holds the whole study, so that a journal explains itself. Baselines come first, then trials in ask order, then what
/// was measured on them. Nothing in it depends on time, host or thread count: two runs of one study write the same
/// bytes.
///
///     {"event":"study","format":"plait-journal/1","study":{...},"sum":"0123456789abcdef"}
///     {"event":"trial","id":"0","layout":"G*G*","path":[0,1,0,1],"scores":{...},"feasible":true,"sum":"..."}
///
/// `sum` is the XXH3 64-bit hash (16 lower-case digits) of the line's object without it: the bytes of the line up to
/// `,"sum":`, then `}`. See search/JOURNAL.md for the guarantees.
///
/// One writer at a time (an advisory lock on the file); any number of readers.
class Journal {
 public:
  /// What a file held. A torn last line (without a newline) is not an error: it was never acknowledged.
  struct Contents {
    nlohmann::json study;
    std::vector<Trial> trials;        ///< baselines ("b0", ...) first
    std::vector<Trial> measurements;  ///< "m9": of a trial that stands before it, at most one each
    std::uintmax_t valid_bytes = 0;
    std::uintmax_t torn_bytes = 0;
  };

  /// Throws JournalError (with the line), std::system_error.
  static Contents read(const std::filesystem::path& file);

  /// True when the file exists and its first line is complete: there is something to `read`. False also for what a
  /// start that was cut off leaves behind, an empty file or a piece of the header; `create` then completes it.
  static bool started(const std::filesystem::path& file);

  /// Starts a new journal, durably. The file may exist only when it holds nothing but a beginning of the header to be
  /// written. Throws JournalError when it holds anything else or another process writes to it, std::system_error when
  /// it cannot be written.
  static Journal create(const std::filesystem::path& file, const nlohmann::json& study);

  /// Opens for appending after `contents.valid_bytes`, cutting a torn tail. Throws JournalError when another process
  /// writes to it or did so since it was read, std::system_error.
  static Journal resume(const std::filesystem::path& file, const Contents& contents);

  Journal(Journal&&) noexcept;
  Journal& operator=(Journal&&) noexcept;
  ~Journal();

  /// Appends the trials and makes them durable (one fdatasync). On failure (disk full) the file is cut back to what it
  /// was, then std::system_error is thrown. Throws JournalError when somebody else changed or removed the file.
  void append(std::span<const Trial> trials);

 private:
  class File;
  explicit Journal(std::unique_ptr<File> file);
  std::unique_ptr<File> file_;
};

/// Reads a journal while another process writes it: every call takes what was appended since the one before.
class JournalFollower {
 public:
  explicit JournalFollower(std::filesystem::path file);
  JournalFollower(const JournalFollower&) = delete;
  ~JournalFollower();

  /// `replaced`: shorter than before, or with another header or another last line where that of before was; what
  /// `contents` held is gone. A file that was changed in the middle alone is not noticed.
  enum class Change { none, appended, replaced };
  /// The first call reads all and is `appended`. Throws as Journal::read, once for each state of the file; what comes
  /// then is read from the beginning. `observe` is told now and then which share is read; what it throws ends the call.
  Change update(const std::function<void(double share)>& observe = {});
  const Journal::Contents& contents() const { return contents_; }
  Journal::Contents take() && { return std::move(contents_); }

 private:
  struct Stamp;
  std::filesystem::path file_;
  std::unique_ptr<Stamp> seen_;  // of the file at the last call
  bool whole_ = false;           // it was read to its end
  Journal::Contents contents_;
  std::string header_, last_line_;  // as they stand in the file
  std::size_t lines_ = 0, baselines_ = 0;
};

/// Where the study of a journal differs from the one at hand, for a person: `seed is 3 in the journal, 4 now`. Empty:
/// it is the same study.
std::string study_difference(const nlohmann::json& recorded, const nlohmann::json& wanted);

}  // namespace plait::search
