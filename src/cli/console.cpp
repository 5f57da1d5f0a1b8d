#include "src/cli/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace plait::cli {
namespace {

std::string duration(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<long>(seconds);
  if (seconds < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h", whole / 3600, whole / 60 % 60);
}

}  // namespace

Console::Console() {
  const bool plain = std::getenv("NO_COLOR") != nullptr;
  colour_ = !plain && isatty(STDOUT_FILENO) != 0;
  live_ = !plain && isatty(STDERR_FILENO) != 0;
  winsize size{};
  if (isatty(STDOUT_FILENO) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    columns_ = std::clamp<std::size_t>(size.ws_col, 60, 160);
  }
}

void Console::print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot write to standard output");
  }
}

void Console::warn(std::string_view text) {
  end_progress();
  fmt::print(stderr, "{}\n", text);
}

bool Console::is_time_for_progress(double elapsed_s) {
  using std::chrono::steady_clock;
  const auto now = steady_clock::now();
  const auto pause = live_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10);
  if (elapsed_s < 0.5 || now - last_progress_ < pause) return false;
  last_progress_ = now;
  return true;
}

void Console::show_progress(const std::string& text) {
  if (live_) {
    fmt::print(stderr, "\r{:<{}}", text, columns_ - 1);
    line_open_ = true;
  } else {
    fmt::print(stderr, "{}\n", text);
  }
}

void Console::progress(const search::Progress& progress) {
  if (!is_time_for_progress(progress.elapsed_s)) return;
  show_progress(fmt::format("{} of {} trials, {} on the front, {} failed, {}, {} left", progress.done, progress.total,
                            progress.front, progress.failed, duration(progress.elapsed_s), duration(progress.eta_s)));
}

void Console::progress(const evaluate::ProxyProgress& progress) {
  const proxy::TrainingProgress& now = progress.now;
  if (!is_time_for_progress(now.elapsed_s)) return;
  const std::string part =
      progress.trainings > 1 ? fmt::format("training {} of {}, ", progress.training, progress.trainings) : "";
  show_progress(fmt::format("{}{}: step {} of {}, {} of {} models train, best accuracy {:.2f}, {}, {} left", part,
                            progress.task, now.step, now.steps, now.training, progress.members, now.best_accuracy,
                            duration(now.elapsed_s), duration(now.eta_s)));
}

void Console::progress(const std::string& text, double elapsed_s) {
  if (is_time_for_progress(elapsed_s)) show_progress(text);
}

void Console::end_progress() {
  if (line_open_) fmt::print(stderr, "\n");
  line_open_ = false;
}

void require_folder(const std::string& file) {
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder))
    throw std::system_error(ENOENT, std::generic_category(), fmt::format("cannot write {}", file));
}

std::string format_table(const std::vector<std::vector<std::string>>& rows, const std::vector<std::size_t>& right) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool align_right = std::ranges::find(right, i) != right.end();
      line += align_right ? fmt::format("{:>{}}", row[i], widths[i]) : fmt::format("{:<{}}", row[i], widths[i]);
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace plait::cli
