#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <string_view>

#include "search/study.h"
#include "src/app/output.h"
#include "src/evaluate/proxy_evaluator.h"

namespace plait::cli {

/// The command asked for something that does not go together; exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// stdout for results, stderr for progress and warnings; plain text unless they are terminals.
class Console {
 public:
  Console();

  /// Results. Throws std::system_error when stdout cannot be written (a full disk, a closed pipe).
  void print(std::string_view text);
  void warn(std::string_view text);
  void progress(const search::Progress& progress);
  void progress(const evaluate::ProxyProgress& progress);
  void progress(const std::string& text, double elapsed_s);
  /// Ends the line of a progress display.
  void end_progress();

  bool colour() const { return colour_; }
  std::size_t columns() const { return columns_; }

 private:
  /// Short work stays silent, long work speaks at a readable pace.
  bool is_time_for_progress(double elapsed_s);
  void show_progress(const std::string& text);

  bool colour_ = false;
  bool live_ = false;  ///< stderr is a terminal: progress redraws one line
  bool line_open_ = false;
  std::size_t columns_ = 100;
  std::chrono::steady_clock::time_point last_progress_{};
};

/// Exit code of work that Ctrl-C or SIGTERM ended.
constexpr int kInterrupted = 130;

/// What every command gets.
struct Context {
  Console console;
  std::stop_token stop;  ///< requested by Ctrl-C and SIGTERM
  int exit_code = 0;
};

using app::write_file;

/// For what is written at the end of a long work: throws std::system_error, as `write_file` then would, when the file's
/// folder is not there.
void require_folder(const std::string& file);

/// A table with padded columns; the first row is the header. Columns in `right` are right-aligned.
std::string format_table(const std::vector<std::vector<std::string>>& rows, const std::vector<std::size_t>& right = {});

}  // namespace plait::cli
