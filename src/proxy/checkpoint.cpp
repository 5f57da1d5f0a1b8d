#include "src/proxy/checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>

#include <array>
#include <bit>
#include <cerrno>
#include <fstream>
#include <memory>
#include <system_error>

#include "src/spec/error.h"
#include "src/spec/model_json.h"

namespace plait::proxy {
namespace {

using spec::Json;
using spec::OrderedJson;

static_assert(std::endian::native == std::endian::little, "tensors are written as they stand in memory");

constexpr std::string_view kKind = "plait-training/";
constexpr std::string_view kFormat = "plait-training/1\n";
constexpr std::uint64_t kLargestHeader = std::uint64_t{1} << 32;

class Hash {
 public:
  Hash() { XXH3_64bits_reset(state_.get()); }
  void add(const void* data, std::size_t size) { XXH3_64bits_update(state_.get(), data, size); }
  std::uint64_t value() const { return XXH3_64bits_digest(state_.get()); }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_{XXH3_createState()};
};

[[noreturn]] void throw_errno(std::string_view what, const std::filesystem::path& file) {
  throw std::system_error(errno != 0 ? errno : EIO, std::generic_category(), fmt::format("{} {}", what, file.string()));
}

[[noreturn]] void refuse(const std::filesystem::path& file, std::string_view why) {
  throw spec::SpecError("checkpoint", fmt::format("{} {}", file.string(), why));
}

/// What a checkpoint belongs to: all that the numbers depend on.
Json identity(std::span<const Member> members, const TrainingPlan& plan) {
  Json out;
  out["plan"] = {{"task", plan.task},
                 {"tier", static_cast<int>(plan.tier)},
                 {"text", plan.text},
                 {"curriculum", plan.curriculum},
                 {"device", plan.device},
                 {"steps", plan.steps},
                 {"batch", plan.batch},
                 {"test_batch", plan.test_batch},
                 {"report_every", plan.report_every},
                 {"warmup", plan.warmup},
                 {"decay", plan.decay},
                 {"weight_decay", plan.weight_decay},
                 {"clip", plan.clip},
                 {"solved", plan.solved}};
  out["members"] = Json::array();
  for (const Member& member : members) {
    out["members"].push_back({{"model", Json::parse(spec::to_json(member.model).dump())},
                              {"learning_rate", member.learning_rate},
                              {"seed", member.seed}});
  }
  return out;
}

/// The first thing that differs, in words; empty when nothing does.
std::string difference(const Json& stored, const Json& asked, const std::string& path) {
  if (stored == asked) return {};
  if (stored.is_object() && asked.is_object()) {
    for (const auto& [key, value] : asked.items()) {
      const std::string below = spec::join_path(path, key);
      if (!stored.contains(key)) return fmt::format("it has no {}", below);
      if (std::string found = difference(stored[key], value, below); !found.empty()) return found;
    }
  }
  if (stored.is_array() && asked.is_array()) {
    if (stored.size() != asked.size()) return fmt::format("it has {} {}, not {}", stored.size(), path, asked.size());
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (std::string found = difference(stored[i], asked[i], spec::index_path(path, i)); !found.empty()) return found;
    }
  }
  return fmt::format("{} is {} there and {} here", path, stored.dump(), asked.dump());
}

Json to_json(const MemberRun& run) {
  Json curve = Json::array(), tests = Json::array();
  for (const CurvePoint& point : run.curve) curve.push_back({point.step, point.loss, point.accuracy});
  for (const TestScore& test : run.tests)
    tests.push_back({test.pairs, test.length, test.candidates, test.cross_entropy, test.accuracy});
  return {
      {"curve", curve}, {"tests", tests}, {"steps", run.steps}, {"failure", run.failure}, {"diverged", run.diverged}};
}

MemberRun run_from_json(const Json& json) {
  MemberRun run;
  for (const Json& point : json.at("curve")) run.curve.push_back({point.at(0), point.at(1), point.at(2)});
  for (const Json& test : json.at("tests"))
    run.tests.push_back({test.at(0), test.at(1), test.at(2), test.at(3), test.at(4)});
  run.steps = json.at("steps");
  run.failure = json.at("failure");
  run.diverged = json.at("diverged");
  return run;
}

std::string header_of(const Checkpoint& checkpoint, std::span<const Member> members, const TrainingPlan& plan) {
  Json header = identity(members, plan);
  header["notes"] = checkpoint.notes;
  header["elapsed_s"] = checkpoint.elapsed_s;
  header["runs"] = Json::array();
  for (const MemberRun& run : checkpoint.runs) header["runs"].push_back(to_json(run));
  header["cohorts"] = Json::array();
  for (const Cohort& cohort : checkpoint.cohorts) {
    Json states = Json::array();
    for (const MemberState& state : cohort.states) {
      Json shapes = Json::object();
      for (const auto& [name, weight] : state.weights) shapes[name] = weight.value.sizes().vec();
      states.push_back(std::move(shapes));
    }
    header["cohorts"].push_back({{"step", cohort.step}, {"members", cohort.members}, {"states", std::move(states)}});
  }
  // Names of folders may hold any bytes.
  return header.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// A file descriptor that is closed, and a file that is removed unless kept.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::filesystem::path file) : file_(std::move(file)) {
    descriptor_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor_ < 0) throw_errno("cannot write", file_);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!kept_) ::unlink(file_.c_str());
  }

  void write(const void* data, std::size_t size) {
    hash_.add(data, size);
    put(data, size);
  }
  void keep_as(const std::filesystem::path& target) {
    const std::uint64_t sum = hash_.value();
    put(&sum, sizeof sum);
    if (::fsync(descriptor_) != 0) throw_errno("cannot write", file_);
    if (::rename(file_.c_str(), target.c_str()) != 0) throw_errno("cannot replace", target);
    kept_ = true;
  }

 private:
  void put(const void* data, std::size_t size) {
    const char* bytes = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t written = ::write(descriptor_, bytes, size);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) throw_errno("cannot write", file_);
      bytes += written;
      size -= static_cast<std::size_t>(written);
    }
  }

  std::filesystem::path file_;
  int descriptor_ = -1;
  bool kept_ = false;
  Hash hash_;
};

class Reader {
 public:
  explicit Reader(const std::filesystem::path& file) : file_(file), in_(file, std::ios::binary) {
    if (!in_) throw_errno("cannot read", file);
  }

  void read(void* data, std::uint64_t size) {
    in_.read(static_cast<char*>(data), static_cast<std::streamsize>(size));
    if (!in_) refuse(file_, kDamaged);
    hash_.add(data, size);
  }
  void check_sum() {
    const std::uint64_t expected = hash_.value();
    std::uint64_t sum = 0;
    in_.read(reinterpret_cast<char*>(&sum), sizeof sum);
    if (!in_ || sum != expected || in_.peek() != std::ifstream::traits_type::eof()) refuse(file_, kDamaged);
  }

  static constexpr std::string_view kDamaged = "is a damaged or truncated checkpoint; remove it to train anew";

 private:
  std::filesystem::path file_;
  std::ifstream in_;
  Hash hash_;
};

constexpr auto kTensors = std::to_array(
    {&MemberState::Weight::value, &MemberState::Weight::first_moment, &MemberState::Weight::second_moment});

}  // namespace

std::optional<Checkpoint> read_checkpoint(const std::filesystem::path& file, std::span<const Member> members,
                                          const TrainingPlan& plan) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  if (!std::filesystem::is_regular_file(file)) refuse(file, "is no file");
  const std::uintmax_t file_size = std::filesystem::file_size(file);
  Reader in(file);
  std::string format(std::min<std::uintmax_t>(kFormat.size(), file_size), '\0');
  in.read(format.data(), format.size());
  if (format != kFormat) {
    if (!format.starts_with(kKind)) refuse(file, "is no checkpoint of a proxy training; name another file");
    refuse(file, "is a checkpoint of another version of plait; remove it to train anew");
  }
  std::uint64_t header_size = 0;
  in.read(&header_size, sizeof header_size);
  if (header_size > std::min<std::uintmax_t>(kLargestHeader, file_size)) refuse(file, Reader::kDamaged);
  std::string text(header_size, '\0');
  in.read(text.data(), text.size());

  Checkpoint out;
  Json header;
  try {
    header = Json::parse(text);
    for (const Json& run : header.at("runs")) out.runs.push_back(run_from_json(run));
    out.notes = header.at("notes");
    out.elapsed_s = header.value("elapsed_s", 0.0);
    for (const Json& stored : header.at("cohorts")) {
      Cohort& cohort = out.cohorts.emplace_back();
      cohort.step = stored.at("step");
      cohort.members = stored.at("members").get<std::vector<std::size_t>>();
      for (const Json& shapes : stored.at("states")) {
        MemberState& state = cohort.states.emplace_back();
        for (const auto& [name, shape] : shapes.items()) {
          std::uintmax_t left = file_size / sizeof(float);
          const auto sizes = shape.get<std::vector<std::int64_t>>();
          for (const std::int64_t size : sizes) {
            if (size < 1 || static_cast<std::uintmax_t>(size) > left) refuse(file, Reader::kDamaged);
            left /= static_cast<std::uintmax_t>(size);
          }
          for (const auto tensor : kTensors) {
            at::Tensor& value = state.weights[name].*tensor;
            value = at::empty(sizes, at::kFloat);
            in.read(value.data_ptr(), value.nbytes());
          }
        }
      }
    }
  } catch (const Json::exception&) {
    refuse(file, Reader::kDamaged);
  }
  in.check_sum();
  const Json asked = identity(members, plan);
  // As it was written, where bytes that are no text were replaced.
  const Json written = Json::parse(asked.dump(-1, ' ', false, Json::error_handler_t::replace));
  for (const char* const part : {"plan", "members"}) {
    if (const std::string found = difference(header.at(part), written.at(part), part); !found.empty())
      refuse(file, fmt::format("belongs to another training: {}", found));
  }
  return out;
}

void write_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint, std::span<const Member> members,
                      const TrainingPlan& plan) {
  std::filesystem::path temporary = file;
  temporary += ".tmp";
  TemporaryFile out(temporary);
  const std::string header = header_of(checkpoint, members, plan);
  const std::uint64_t header_size = header.size();
  out.write(kFormat.data(), kFormat.size());
  out.write(&header_size, sizeof header_size);
  out.write(header.data(), header.size());
  for (const Cohort& cohort : checkpoint.cohorts) {
    for (const MemberState& state : cohort.states) {
      for (const auto& [name, weight] : state.weights) {
        for (const auto tensor : kTensors) {
          const at::Tensor values = (weight.*tensor).to(at::kCPU, at::kFloat).contiguous();
          out.write(values.const_data_ptr(), values.nbytes());
        }
      }
    }
  }
  out.keep_as(file);
}

}  // namespace plait::proxy
