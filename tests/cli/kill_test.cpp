#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tests/cli/program.h"

namespace plait::testing {
namespace {

/// A search that takes a while: many small durable batches of NSGA-II.
nlohmann::json slow_study() {
  nlohmann::json study = nlohmann::json::parse(read_file(PLAIT_SOURCE_DIR "/examples/phone.json"));
  study["budget"] = 1500;
  study["batch"] = 5;
  return study;
}

/// Starts the search, sends `signal` after `delay` and returns the wait status.
int interrupt(const std::string& study, const std::string& folder, std::chrono::milliseconds delay, int signal) {
  const pid_t child = fork();
  if (child == 0) {
    const int null = open("/dev/null", O_WRONLY);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execl(PLAIT_PROGRAM, "plait", "search", study.c_str(), "--out", folder.c_str(), "--resume", nullptr);
    _exit(127);
  }
  std::this_thread::sleep_for(delay);
  kill(child, signal);
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

class KillTest : public ::testing::TestWithParam<int> {};

TEST_P(KillTest, AnInterruptedSearchResumesToTheSameBytes) {
  const ScratchFolder scratch;
  const std::string study = (scratch / "study.json").string();
  std::ofstream(study) << slow_study();
  const std::string whole = (scratch / "whole").string();
  const std::string broken = (scratch / "broken").string();
  ASSERT_EQ(run_plait("search " + study + " --out " + whole).exit_code, 0);

  int interruptions = 0;
  for (int delay = 20; delay < 120; delay += 10) {
    const int status = interrupt(study, broken, std::chrono::milliseconds(delay), GetParam());
    interruptions += WIFSIGNALED(status) || WEXITSTATUS(status) == 130;
  }
  EXPECT_GT(interruptions, 0) << "every run finished before its signal: the study is too short for this test";
  const Result resumed = run_plait("search " + study + " --resume --out " + broken);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  for (const char* file : {"journal.jsonl", "results.json"}) {
    EXPECT_EQ(read_file(scratch / "broken" / file), read_file(scratch / "whole" / file)) << file;
  }
}

INSTANTIATE_TEST_SUITE_P(Signals, KillTest, ::testing::Values(SIGKILL, SIGINT),
                         [](const auto& signal) { return signal.param == SIGKILL ? "Kill" : "Interrupt"; });

}  // namespace
}  // namespace plait::testing
