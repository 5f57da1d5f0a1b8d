#include "search/journal.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include <system_error>

#include "src/app/study_spec.h"
#include "tests/fuzz/target.h"

namespace plait::fuzz {
namespace {

/// A file in memory, reachable by a path.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view text) : fd_(::memfd_create("journal", MFD_CLOEXEC)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "memfd_create");
    while (!text.empty()) {
      const ssize_t n = ::write(fd_, text.data(), text.size());
      if (n < 0) throw std::system_error(errno, std::generic_category(), "write");
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(fd_); }
  std::string path() const { return fmt::format("/proc/self/fd/{}", fd_); }

 private:
  int fd_;
};

/// Whatever the lines hold, their checksums are right: what is behind the checksum is to be tried, too.
std::string sealed(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == text.npos) return out.append(text);
    std::string line(text.substr(0, end));
    text.remove_prefix(end + 1);
    const std::string sum = fmt::format("{:016x}", XXH3_64bits(line.data(), line.size()));
    if (!line.empty()) line.pop_back();
    out += fmt::format("{},\"sum\":\"{}\"}}\n", line, sum);
  }
  return out;
}

void read(std::string_view text) {
  const MemoryFile file(text);
  search::Journal::Contents contents;
  try {
    search::Journal::started(file.path());
    contents = search::Journal::read(file.path());
  } catch (const search::JournalError&) {
    return;
  }
  require(contents.valid_bytes + contents.torn_bytes == text.size(), "every byte is valid or torn");
  for (const search::Trial& trial : contents.trials) {
    const search::Trial again = search::trial_from_json(nlohmann::json(search::to_json(trial)));
    require(search::to_json(again) == search::to_json(trial), "a written trial reads back as itself");
  }
  search::study_difference(contents.study, {{"name", "another"}});
  spec::Problems problems;
  app::study_from_json(contents.study, "", problems);
}

}  // namespace

void journal(std::string_view input) {
  read(input);
  read(sealed(input));
}

}  // namespace plait::fuzz
