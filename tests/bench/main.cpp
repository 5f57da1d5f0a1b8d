#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

/// Prints the quickest of the repetitions only: other work on the machine can make a run slower, never quicker.
class MinimumReporter : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<Run> single;
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Iteration) single.push_back(run);
    }
    if (single.empty()) return;
    const bool failed = std::ranges::any_of(single, [](const Run& run) { return run.iterations == 0; });
    const auto seconds = [](const Run& run) {
      const bool real = run.benchmark_name().find("real_time") != std::string::npos;
      return real ? run.GetAdjustedRealTime() : run.GetAdjustedCPUTime();
    };
    ConsoleReporter::ReportRuns({failed ? single.front() : *std::ranges::min_element(single, {}, seconds)});
  }
};

int main(int argc, char** argv) {
  // Defaults that the command line overrides.
  std::string repetitions = "--benchmark_repetitions=5";
  std::string min_time = "--benchmark_min_time=0.1";
  std::vector<char*> arguments{argv[0], repetitions.data(), min_time.data()};
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  MinimumReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  return 0;
}
