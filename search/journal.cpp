#include "search/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "src/spec/json_reader.h"

namespace plait::search {
namespace {

constexpr std::string_view kFormat = "plait-journal/";
constexpr std::string_view kVersion = "1";
constexpr std::string_view kHeaderStart = R"({"event":"study","format":"plait-journal/)";
constexpr std::string_view kSumKey = R"(,"sum":")";
constexpr std::size_t kSumLength = kSumKey.size() + 16 + 2;  // ,"sum":"0123456789abcdef"}

std::string sum_of(std::string_view object) {
  return fmt::format("{:016x}", XXH3_64bits(object.data(), object.size()));
}

/// `line` is an object.
std::string with_sum(std::string line) {
  const std::string sum = sum_of(line);
  line.pop_back();
  return line.append(kSumKey).append(sum).append("\"}\n");
}

std::string header_line(const nlohmann::json& study) {
  nlohmann::ordered_json event;
  event["event"] = "study";
  event["format"] = fmt::format("{}{}", kFormat, kVersion);
  event["study"] = study;
  return with_sum(event.dump());
}

std::string trial_line(const Trial& trial) {
  return with_sum(to_json(trial).dump().replace(0, 1, R"({"event":"trial",)"));
}

/// What is wrong with the checksum of a line (without its newline), or an empty string.
std::string_view checksum_problem(std::string_view line) {
  if (line.size() < kSumLength) return "it has no checksum";
  const std::string_view tail = line.substr(line.size() - kSumLength);
  if (!tail.starts_with(kSumKey) || !tail.ends_with("\"}")) return "it has no checksum";
  std::string object(line.substr(0, line.size() - kSumLength));
  object += '}';
  return sum_of(object) == tail.substr(kSumKey.size(), 16) ? "" : "its checksum does not match";
}

std::string shown(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  constexpr std::size_t kLongest = 48;
  if (text.size() > kLongest) text.replace(kLongest - 3, std::string::npos, "...");
  return text;
}

std::string_view advice(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT: return "free some disk space and resume";
    case EFBIG: return "raise the limit on file sizes (ulimit -f) and resume";
    case EROFS:
    case EACCES:
    case EPERM: return "choose a folder that can be written";
    case ENOENT:
    case ENOTDIR: return "create the folder first";
    default: return "check the disk, then resume";
  }
}

[[noreturn]] void throw_errno(int error, std::string_view what, const std::filesystem::path& file) {
  throw std::system_error(error, std::generic_category(),
                          fmt::format("{} {} ({})", what, file.string(), advice(error)));
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor(const std::filesystem::path& file, int flags) : fd_(::open(file.c_str(), flags | O_CLOEXEC, 0666)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

struct stat status(const Descriptor& fd, const std::filesystem::path& file) {
  struct stat result {};
  if (::fstat(fd.get(), &result) != 0) throw_errno(errno, "cannot look at", file);
  if (!S_ISREG(result.st_mode)) throw JournalError(fmt::format("{} is not a regular file", file.string()));
  return result;
}

/// At most `size` bytes from `offset` on.
std::string read_part(const Descriptor& fd, const std::filesystem::path& file, std::uintmax_t offset,
                      std::uintmax_t size) {
  std::string text(static_cast<std::size_t>(size), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::pread(fd.get(), text.data() + done, text.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno(errno, "cannot read", file);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  text.resize(done);
  return text;
}

std::string read_all(const Descriptor& fd, const std::filesystem::path& file) {
  return read_part(fd, file, 0, static_cast<std::uintmax_t>(status(fd, file).st_size));
}

/// Makes a new name durable: a file may be on disk while its directory entry is not.
void sync_directory_of(const std::filesystem::path& file) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  const Descriptor fd(folder, O_RDONLY | O_DIRECTORY);
  if (!fd || ::fsync(fd.get()) != 0) throw_errno(errno, "cannot make durable", folder);
}

/// Takes the lines of a journal one after the other. `text` begins at byte `offset` of the file, behind `lines` lines.
class LineReader {
 public:
  LineReader(const std::filesystem::path& file, std::string_view text, std::uintmax_t offset, std::size_t lines)
      : file_(file), text_(text), line_(lines), offset_(offset), next_(offset), begin_(offset) {}

  /// The event of the next whole line; nothing at the end or before a torn line.
  std::optional<nlohmann::json> next() {
    offset_ = next_;
    const std::size_t from = static_cast<std::size_t>(offset_ - begin_);
    const std::size_t end = text_.find('\n', from);
    if (end == std::string_view::npos) return std::nullopt;
    ++line_;
    const std::string_view line = text_.substr(from, end - from);
    last_ = line;
    next_ = begin_ + end + 1;
    if (const std::string_view problem = checksum_problem(line); !problem.empty()) damaged(problem);
    bool too_deep = false;  // functions that walk a value may recurse
    const auto watch = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
      too_deep = too_deep || depth > spec::kMaxJsonDepth;
      return !too_deep;
    };
    auto event = nlohmann::json::parse(line, watch, false);
    if (too_deep) damaged(fmt::format("it is nested more than {} deep", spec::kMaxJsonDepth));
    if (!event.is_object()) damaged("it is not a JSON object");
    return event;
  }

  [[noreturn]] void damaged(std::string_view why) const {
    throw JournalError(
        fmt::format("{}: line {} (at byte {}) is damaged: {}. Nothing was changed; the lines before it are intact, and "
                    "`head -c {} {}` copies them out",
                    file_.string(), line_, offset_, why, offset_, file_.string()));
  }

  std::uintmax_t offset() const { return offset_; }
  std::size_t lines() const { return line_; }
  std::string_view last() const { return last_; }  ///< line, without its newline

 private:
  const std::filesystem::path& file_;
  std::string_view text_, last_;
  std::size_t line_;
  std::uintmax_t offset_;  // of the line last returned, or that would have been
  std::uintmax_t next_;
  std::uintmax_t begin_;
};

void check_is_journal(const std::filesystem::path& file, std::string_view text) {
  const std::string_view start = text.substr(0, kHeaderStart.size());
  if (!kHeaderStart.starts_with(start)) {
    throw JournalError(fmt::format("{} is not a journal of plait: it begins with {} instead of {}", file.string(),
                                   shown(text.substr(0, std::min(text.find('\n'), kHeaderStart.size()))),
                                   kHeaderStart));
  }
  const std::size_t newline = text.find('\n');
  if (newline == std::string_view::npos) {
    throw JournalError(
        fmt::format("{} {}: its study was cut off before the first trial, so nothing is lost; start it anew",
                    file.string(), text.empty() ? "is empty" : "ends inside its first line"));
  }
  const std::string_view rest = text.substr(kHeaderStart.size(), newline - kHeaderStart.size());
  const std::string_view version = rest.substr(0, rest.find('"'));
  if (version != kVersion) {
    throw JournalError(
        fmt::format("{} has format {}{}, this version of plait reads {}{}; use the version that wrote it",
                    file.string(), kFormat, version, kFormat, kVersion));
  }
}

}  // namespace

/// The open, locked file. Its size is known at all times, so that a failed write can be undone and a stranger's
/// noticed.
class Journal::File {
 public:
  File(std::filesystem::path file, int flags) : path_(std::move(file)), fd_(path_, O_RDWR | O_APPEND | flags) {
    if (!fd_) throw_errno(errno, "cannot open", path_);
    size_ = status(fd_, path_).st_size;
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) throw_errno(errno, "cannot lock", path_);
      throw JournalError(fmt::format("{} is in use: another process runs this study", path_.string()));
    }
    size_ = status(fd_, path_).st_size;
  }

  const std::filesystem::path& path() const { return path_; }
  std::uintmax_t size() const { return static_cast<std::uintmax_t>(size_); }
  std::string text() const { return read_all(fd_, path_); }

  void append(std::string_view bytes) {
    const struct stat now = status(fd_, path_);
    if (now.st_nlink == 0) throw JournalError(fmt::format("{} was deleted while its study ran", path_.string()));
    if (now.st_size != size_) throw JournalError(fmt::format("{} was changed while its study ran", path_.string()));
    std::string_view rest = bytes;
    while (!rest.empty()) {
      const ssize_t n = ::write(fd_.get(), rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) undo(errno);
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::fdatasync(fd_.get()) != 0) undo(errno);
    size_ += static_cast<off_t>(bytes.size());
  }

  void cut(std::uintmax_t size) {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0 || ::fdatasync(fd_.get()) != 0) {
      throw_errno(errno, "cannot cut the torn end of", path_);
    }
    size_ = static_cast<off_t>(size);
  }

 private:
  /// What stays behind when even cutting fails is whole lines and a torn one, which the next reader knows.
  [[noreturn]] void undo(int error) {
    const bool undone = ::ftruncate(fd_.get(), size_) == 0;
    if (undone) ::fdatasync(fd_.get());
    throw_errno(error, undone ? "nothing more can be written, all finished trials are kept in" : "cannot write", path_);
  }

  std::filesystem::path path_;
  Descriptor fd_;
  off_t size_ = 0;
};

struct JournalFollower::Stamp {
  ino_t inode = 0;
  off_t size = 0;
  timespec changed{};

  bool operator==(const Stamp& other) const {
    return inode == other.inode && size == other.size && changed.tv_sec == other.changed.tv_sec &&
           changed.tv_nsec == other.changed.tv_nsec;
  }
};

JournalFollower::JournalFollower(std::filesystem::path file) : file_(std::move(file)) {}
JournalFollower::~JournalFollower() = default;

JournalFollower::Change JournalFollower::update(const std::function<void(double share)>& observe) {
  constexpr std::size_t kLinesObserved = 4096;
  const Descriptor fd(file_, O_RDONLY);
  if (!fd) throw std::system_error(errno, std::generic_category(), fmt::format("cannot read {}", file_.string()));
  const struct stat now = status(fd, file_);
  const Stamp stamp{now.st_ino, now.st_size, now.st_mtim};
  if (seen_ && *seen_ == stamp) return Change::none;  // also when it could not be read

  const auto stands = [&](const std::string& line, std::uintmax_t at) {
    return read_part(fd, file_, at, line.size()) == line;
  };
  const std::uintmax_t known = contents_.valid_bytes;
  const bool grown = whole_ && static_cast<std::uintmax_t>(now.st_size) >= known && stands(header_, 0) &&
                     stands(last_line_, known - last_line_.size());
  const bool replaced = seen_ && !grown;
  seen_ = std::make_unique<Stamp>(stamp);
  whole_ = false;
  if (!grown) {
    contents_ = {};
    lines_ = baselines_ = 0;
  }
  const std::uintmax_t from = contents_.valid_bytes;
  const std::string text = read_part(fd, file_, from, static_cast<std::uintmax_t>(now.st_size) - from);
  if (from == 0) check_is_journal(file_, text);
  LineReader lines(file_, text, from, lines_);
  const std::size_t before = contents_.trials.size() + contents_.measurements.size();
  if (from == 0) {
    contents_.study = lines.next()->value("study", nlohmann::json());
    header_ = fmt::format("{}\n", lines.last());
    last_line_ = header_;
  }
  while (const auto event = lines.next()) {
    if (observe && lines.lines() % kLinesObserved == 0) {
      observe(static_cast<double>(lines.offset()) / static_cast<double>(now.st_size));
    }
    const nlohmann::json kind = event->value("event", nlohmann::json());
    if (kind != "trial") lines.damaged(fmt::format("{} is no event of format {}{}", shown(kind), kFormat, kVersion));
    Trial trial;
    try {
      trial = trial_from_json(*event);
    } catch (const spec::SpecError& error) {
      lines.damaged(error.what());
    }
    if (is_measurement(trial)) {
      const auto of = std::ranges::find(contents_.trials, std::string_view(trial.id).substr(1), &Trial::id);
      if (of == contents_.trials.end() || of->layout != trial.layout) {
        lines.damaged(fmt::format("{} measures no trial that stands before it", trial.id));
      }
      if (std::ranges::find(contents_.measurements, trial.id, &Trial::id) != contents_.measurements.end()) {
        lines.damaged(fmt::format("{} is there twice", trial.id));
      }
      contents_.measurements.push_back(std::move(trial));
      continue;
    }
    const bool in_baselines = baselines_ == contents_.trials.size();
    if (in_baselines && trial.id == fmt::format("b{}", baselines_)) {
      ++baselines_;
    } else if (const std::string next = std::to_string(contents_.trials.size() - baselines_); trial.id != next) {
      lines.damaged(fmt::format("trial {} stands where trial {} belongs", trial.id, next));
    }
    contents_.trials.push_back(std::move(trial));
  }
  if (!lines.last().empty()) last_line_ = fmt::format("{}\n", lines.last());
  lines_ = lines.lines();
  contents_.valid_bytes = lines.offset();
  contents_.torn_bytes = from + text.size() - lines.offset();
  whole_ = true;
  const bool more = from == 0 || contents_.trials.size() + contents_.measurements.size() > before;
  return replaced ? Change::replaced : more ? Change::appended : Change::none;
}

Journal::Contents Journal::read(const std::filesystem::path& file) {
  JournalFollower follower(file);
  follower.update();
  return std::move(follower).take();
}

bool Journal::started(const std::filesystem::path& file) {
  const Descriptor fd(file, O_RDONLY);
  if (!fd && errno == ENOENT) return false;
  if (!fd) throw std::system_error(errno, std::generic_category(), fmt::format("cannot read {}", file.string()));
  const std::string text = read_all(fd, file);
  const std::string_view start = std::string_view(text).substr(0, kHeaderStart.size());
  return text.find('\n') != std::string::npos || !kHeaderStart.starts_with(start);
}

Journal Journal::create(const std::filesystem::path& file, const nlohmann::json& study) {
  auto opened = std::make_unique<File>(file, O_CREAT);
  const std::string header = header_line(study);
  const std::string present = opened->text();
  if (!header.starts_with(present) || present == header) {
    throw JournalError(
        fmt::format("{} exists and is not overwritten: resume its study or choose another folder", file.string()));
  }
  opened->append(std::string_view(header).substr(present.size()));
  sync_directory_of(file);
  return Journal(std::move(opened));
}

Journal Journal::resume(const std::filesystem::path& file, const Contents& contents) {
  auto opened = std::make_unique<File>(file, 0);
  if (opened->size() != contents.valid_bytes + contents.torn_bytes) {
    throw JournalError(fmt::format("{} was changed since it was read; try again", file.string()));
  }
  if (contents.torn_bytes > 0) opened->cut(contents.valid_bytes);
  return Journal(std::move(opened));
}

Journal::Journal(std::unique_ptr<File> file) : file_(std::move(file)) {}
Journal::Journal(Journal&&) noexcept = default;
Journal& Journal::operator=(Journal&&) noexcept = default;
Journal::~Journal() = default;

void Journal::append(std::span<const Trial> trials) {
  std::string lines;
  for (const Trial& trial : trials) lines += trial_line(trial);
  if (!lines.empty()) file_->append(lines);
}

std::string study_difference(const nlohmann::json& recorded, const nlohmann::json& wanted) {
  constexpr std::size_t kShown = 3;
  const nlohmann::json changes = nlohmann::json::diff(recorded, wanted);
  std::string out;
  for (std::size_t i = 0; i < std::min(changes.size(), kShown); ++i) {
    const nlohmann::json& change = changes[i];
    const std::string pointer = change.at("path");
    std::string name = pointer.empty() ? "the whole study" : pointer.substr(1);
    std::ranges::replace(name, '/', '.');
    const bool added = change.at("op") == "add";
    const bool removed = change.at("op") == "remove";
    if (!out.empty()) out += "; ";
    out += fmt::format("{} is {} in the journal, {} now", name,
                       added ? "absent" : shown(recorded.at(nlohmann::json::json_pointer(pointer))),
                       removed ? "absent" : shown(change.at("value")));
  }
  if (changes.size() > kShown) out += fmt::format("; and {} more", changes.size() - kShown);
  return out;
}

}  // namespace plait::search
