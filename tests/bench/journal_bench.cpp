#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <fstream>

#include "search/journal.h"
#include "tests/bench/instances.h"

namespace {

using namespace plait;
namespace fs = std::filesystem;

/// A folder of its own, removed at the end.
class Folder {
 public:
  explicit Folder(const char* parent) {
    std::string name = std::string(parent) + "/plait-bench-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::generic_category(), name);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  fs::path file() const { return path_ / "journal.jsonl"; }

 private:
  fs::path path_;
};

constexpr std::size_t kBatch = 256;          // the default of study files
constexpr const char* kMemory = "/dev/shm";  // where fdatasync has nothing to do

std::size_t journal_bytes(std::span<const search::Trial> trials) {
  const Folder folder(kMemory);
  search::Journal::create(folder.file(), spec::Json{{"name", "bench"}}).append(trials);
  return fs::file_size(folder.file());
}

void journal_append(benchmark::State& state, const char* parent) {
  const auto trials = bench::scored_trials(kBatch);
  for (auto _ : state) {
    state.PauseTiming();
    {
      const Folder folder(parent);
      search::Journal journal = search::Journal::create(folder.file(), spec::Json{{"name", "bench"}});
      state.ResumeTiming();
      journal.append(trials);
      state.PauseTiming();
    }
    state.ResumeTiming();
  }
  state.counters["bytes"] = static_cast<double>(journal_bytes(trials));
}
BENCHMARK_CAPTURE(journal_append, disk, PLAIT_SOURCE_DIR)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(journal_append, memory, kMemory)->UseRealTime()->Unit(benchmark::kMicrosecond);

/// One write and one fdatasync of as many bytes: the floor of the durable append.
void floor_durable_write(benchmark::State& state) {
  const std::string bytes(journal_bytes(bench::scored_trials(kBatch)), 'x');
  for (auto _ : state) {
    state.PauseTiming();
    {
      const Folder folder(PLAIT_SOURCE_DIR);
      const int file = open(folder.file().c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
      if (fsync(file) != 0) state.SkipWithError("no file");
      state.ResumeTiming();
      if (write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) || fdatasync(file) != 0) {
        state.SkipWithError("the write failed");
      }
      state.PauseTiming();
      close(file);
    }
    state.ResumeTiming();
  }
}
BENCHMARK(floor_durable_write)->UseRealTime()->Unit(benchmark::kMicrosecond);

void journal_replay(benchmark::State& state) {
  const Folder folder(kMemory);
  search::Journal::create(folder.file(), spec::Json{{"name", "bench"}})
      .append(bench::scored_trials(static_cast<std::size_t>(state.range(0))));
  for (auto _ : state) benchmark::DoNotOptimize(search::Journal::read(folder.file()));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(fs::file_size(folder.file())));
}
BENCHMARK(journal_replay)->Arg(10000)->Unit(benchmark::kMillisecond);

/// The JSON library alone on the same lines.
void floor_json_parse(benchmark::State& state) {
  const Folder folder(kMemory);
  search::Journal::create(folder.file(), spec::Json{{"name", "bench"}})
      .append(bench::scored_trials(static_cast<std::size_t>(state.range(0))));
  std::vector<std::string> lines;
  std::ifstream in(folder.file());
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  for (auto _ : state) {
    for (const std::string& line : lines) benchmark::DoNotOptimize(spec::Json::parse(line));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(fs::file_size(folder.file())));
}
BENCHMARK(floor_json_parse)->Arg(10000)->Unit(benchmark::kMillisecond);

}  // namespace
