#include "src/proxy/tasks/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unordered_set>

#include "src/spec/error.h"

namespace plait::proxy::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 3> kFolders = {"/usr/share/common-licenses", "/usr/share/doc", "/usr/share/perl"};

constexpr std::size_t kNgram = 8;
constexpr std::size_t kDistance = 64;

/// Empty for a file that cannot be read or is not text.
std::string read_file(const fs::path& path, std::size_t most) {
  std::ifstream file(path, std::ios::binary);
  std::string text(most, '\0');
  file.read(text.data(), static_cast<std::streamsize>(most));
  text.resize(static_cast<std::size_t>(file.gcount()));
  const bool binary = std::string_view(text).substr(0, 4096).find('\0') != std::string_view::npos;
  return binary ? std::string{} : text;
}

void append_folder(std::string& text, const fs::path& folder, std::size_t most) {
  std::error_code ignored;
  std::vector<std::pair<fs::path, std::size_t>> files;
  for (fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, ignored), end;
       it != end; it.increment(ignored)) {
    if (it->is_symlink(ignored) || !it->is_regular_file(ignored)) continue;
    const auto size = it->file_size(ignored);
    if (!ignored) files.emplace_back(it->path(), size);
  }
  std::ranges::sort(files);
  for (const auto& [file, size] : files) {
    if (text.size() >= most) return;
    text += read_file(file, std::min(size, most - text.size()));
  }
}

}  // namespace

std::string read_text(const std::string& path, std::size_t most) {
  std::string text;
  if (path.empty()) {
    for (const char* folder : kFolders) append_folder(text, folder, most);
    if (text.empty()) throw spec::SpecError("text", "no text found on this machine: give a file or folder");
    return text;
  }
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) {
    append_folder(text, path, most);
  } else if (fs::is_regular_file(status)) {
    const auto size = fs::file_size(path, error);
    if (!error) text = read_file(path, std::min<std::size_t>(size, most));
  } else {
    throw spec::SpecError("text", fmt::format("\"{}\" is no file or folder", path));
  }
  if (text.empty()) throw spec::SpecError("text", fmt::format("no text can be read in \"{}\"", path));
  return text;
}

std::vector<std::int64_t> recall_positions(std::string_view window) {
  std::vector<std::int64_t> positions;
  std::unordered_set<std::string_view> seen;  // n-grams with the byte after them, up to kDistance back
  seen.reserve(window.size());
  for (std::size_t t = kNgram - 1; t + 1 < window.size(); ++t) {
    const auto gram_at = [&](std::size_t last) { return window.substr(last + 1 - kNgram, kNgram + 1); };
    if (t >= kDistance + kNgram - 1) seen.insert(gram_at(t - kDistance));
    if (seen.contains(gram_at(t))) positions.push_back(static_cast<std::int64_t>(t));
  }
  return positions;
}

}  // namespace plait::proxy::tasks
