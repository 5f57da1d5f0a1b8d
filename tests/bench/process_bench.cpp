#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

// The whole program as a person starts it, from the repository's root, output to /dev/null. The mean wall time follows
// what else runs on the machine; `quickest_ms` is the quickest single start, `child_cpu_ms` its least CPU time.

namespace {

void start(const std::vector<char*>& argv) {
  const int null = open("/dev/null", O_RDWR);
  dup2(null, 0), dup2(null, 1), dup2(null, 2);
  if (chdir(PLAIT_SOURCE_DIR) == 0) execv(argv[0], argv.data());
  _exit(127);
}

/// Peak memory of one run, read at its end while its memory still exists: `ru_maxrss` would start at what this program
/// holds when it forks. 0 where tracing is not allowed.
double peak_mib(const std::vector<char*>& argv) {
  const pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(127);
    start(argv);
  }
  double peak = 0;
  int status = 0;
  while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
    const bool ends = status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8);
    const bool started = !ends && WSTOPSIG(status) == SIGTRAP;
    if (started) ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACEEXIT);
    if (ends) {
      std::ifstream in("/proc/" + std::to_string(child) + "/status");
      for (std::string word; in >> word;) {
        if (word == "VmHWM:") in >> peak;  // KiB
      }
    }
    ptrace(PTRACE_CONT, child, nullptr, started || ends ? 0 : WSTOPSIG(status));
  }
  return peak / 1024;
}

void run(benchmark::State& state, std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  double cpu_s = std::numeric_limits<double>::infinity();
  double wall_s = cpu_s;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    const pid_t child = fork();
    if (child == 0) start(argv);
    int status = 0;
    rusage usage{};
    if (child < 0 || wait4(child, &status, 0, &usage) != child || status != 0) {
      state.SkipWithError("the program failed");
      break;
    }
    wall_s = std::min(wall_s, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    cpu_s = std::min(cpu_s, seconds(usage.ru_utime) + seconds(usage.ru_stime));
  }
  state.counters["child_cpu_ms"] = 1e3 * cpu_s;
  state.counters["quickest_ms"] = 1e3 * wall_s;
  state.counters["peak_MiB"] = peak_mib(argv);
}

void process_floor(benchmark::State& state) { run(state, {"/bin/true"}); }
void process_version(benchmark::State& state) { run(state, {PLAIT_PROGRAM, "--version"}); }
void process_mixers(benchmark::State& state) { run(state, {PLAIT_PROGRAM, "mixers"}); }
void process_quickstart(benchmark::State& state) {
  run(state, {PLAIT_PROGRAM, "search", "examples/quickstart.json", "--json"});
}

#ifdef PLAIT_GUI_PROGRAM
/// The app as on its first start, to some frames of the sample study and its end. Needs a screen: xvfb-run.
void process_app(benchmark::State& state) {
  if (std::getenv("DISPLAY") == nullptr) return state.SkipWithError("no screen; run it behind xvfb-run");
  run(state, {PLAIT_GUI_PROGRAM, "--fresh", "--do", "file.quit"});
}
BENCHMARK(process_app)->UseRealTime()->Unit(benchmark::kMillisecond);
#endif

BENCHMARK(process_floor)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(process_version)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(process_mixers)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(process_quickstart)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
