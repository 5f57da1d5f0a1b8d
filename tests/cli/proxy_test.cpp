#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "tests/cli/program.h"

namespace plait::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::SizeIs;

bool has_library() { return fs::exists(fs::path(PLAIT_PROGRAM).parent_path() / "libplait_torch.so"); }

#define NEEDS_LIBRARY() \
  if (!has_library()) GTEST_SKIP() << "libplait_torch.so was not built: this build has no LibTorch"

/// `arguments` of a copy of the program that has no library beside it.
Result run_without_library(const std::string& arguments) {
  const ScratchFolder scratch;
  fs::copy_file(PLAIT_PROGRAM, scratch / "plait");
  const std::string command = "cd '" PLAIT_SOURCE_DIR "' && '" + (scratch / "plait").string() + "' " + arguments +
                              " >'" + (scratch / "out").string() + "' 2>'" + (scratch / "err").string() + "'";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(scratch / "out"), read_file(scratch / "err")};
}

/// Sends `signal` as soon as `folder` holds a state to go on from; gives the wait status.
int stop_once_there_is_a_state(std::vector<std::string> arguments, const fs::path& folder, int signal) {
  const pid_t child = fork();
  if (child == 0) {
    if (chdir(PLAIT_SOURCE_DIR) != 0) _exit(127);
    const int null = open("/dev/null", O_WRONLY);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    execv(PLAIT_PROGRAM, words.data());
    _exit(127);
  }
  const auto has_checkpoint = [&] {
    if (!fs::is_directory(folder)) return false;
    return std::ranges::any_of(fs::directory_iterator(folder),
                               [](const auto& entry) { return entry.path().extension() == ".checkpoint"; });
  };
  for (int i = 0; i < 3000 && !has_checkpoint(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  kill(child, signal);
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST(ProxyWithoutLibraryTest, EveryTrainingCommandSaysInOneLineWhatIsMissing) {
  const ScratchFolder scratch;
  const std::string out = (scratch / "run").string();
  for (const std::string& arguments :
       {std::string("proxy GGGG --model examples/model-1b.json"), std::string("reproduce attention_first"),
        "search examples/quickstart.json --proxy tiny --out " + out}) {
    const Result result = run_without_library(arguments);
    EXPECT_EQ(result.exit_code, 1) << arguments;
    EXPECT_THAT(result.err_lines(), SizeIs(1)) << result.err;
    EXPECT_THAT(result.err, HasSubstr("LibTorch")) << arguments;
    EXPECT_EQ(result.out, "");
  }
  EXPECT_FALSE(fs::exists(out)) << "it is said before the search starts";
}

TEST(MeasureTest, WritesATableThatFitsAProfileForCost) {
  NEEDS_LIBRARY();
  const ScratchFolder scratch;
  const std::string table = (scratch / "mine.csv").string();
  const std::string profile = (scratch / "mine.json").string();
  const Result measured =
      run_plait("measure --hardware laptop --quick --op rms_norm --op gated_delta_net_decode --out " + table);
  ASSERT_EQ(measured.exit_code, 0) << measured.err;
  const Result fitted = run_plait("calibrate " + table + " --hardware laptop --out " + profile + " --json");
  ASSERT_EQ(fitted.exit_code, 0) << fitted.err;
  EXPECT_EQ(fitted.json()["profile"]["op_classes"]["elementwise"]["source"].get<std::string>().substr(0, 15),
            "plait calibrate");
  EXPECT_EQ(run_plait("cost Gx4 --model examples/model-1b.json --hardware " + profile).exit_code, 0);
}

TEST(ProxyWithoutLibraryTest, TheRestWorksAndDoctorSaysWhy) {
  EXPECT_EQ(run_without_library("tasks").exit_code, 0);
  EXPECT_EQ(run_without_library("reproduce").exit_code, 0);
  EXPECT_EQ(run_without_library("search examples/quickstart.json --proxy none --json").exit_code, 0);
  const Result doctor = run_without_library("doctor --json");
  EXPECT_EQ(doctor.exit_code, 0);
  EXPECT_EQ(doctor.json()["LibTorch"]["state"], "off");
  EXPECT_THAT(doctor.json()["LibTorch"]["note"].get<std::string>(), HasSubstr("LibTorch"));
}

TEST(TasksTest, ListsNamesSummariesAndSources) {
  const nlohmann::json tasks = run_plait("tasks --json").json();
  ASSERT_GT(tasks.size(), 5u);
  bool mqar = false;
  for (const auto& task : tasks) {
    EXPECT_FALSE(task["summary"].get<std::string>().empty());
    EXPECT_FALSE(task["source"].get<std::string>().empty());
    mqar |= task["name"] == "mqar";
  }
  EXPECT_TRUE(mqar);
  EXPECT_THAT(run_plait("tasks").out, HasSubstr("mqar"));
}

TEST(ReproduceTest, ListsWhatThereIsWithItsCost) {
  const nlohmann::json list = run_plait("reproduce --json").json();
  ASSERT_FALSE(list.empty());
  EXPECT_EQ(list[0]["name"], "recall_memory");
  EXPECT_THAT(list[0]["cost"]["full"].get<std::string>(), HasSubstr("steps"));
  EXPECT_THAT(run_plait("reproduce").out, HasSubstr("arXiv 2510.04800"));
}

TEST(ProxyTest, ComparesLayoutsAndDrawsTheirCurves) {
  NEEDS_LIBRARY();
  const ScratchFolder scratch;
  const std::string svg = (scratch / "curves.svg").string(), png = (scratch / "curves.png").string();
  const Result result = run_plait(
      "proxy '(GGG*)x6' Gx24 --model examples/model-1b.json --steps 20 --seeds 1 "
      "--learning-rate 0.01 --json --svg " +
      svg + " --png " + png);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const nlohmann::json json = result.json();
  EXPECT_EQ(json["task"], "mqar");
  EXPECT_EQ(json["members"], 2);
  for (const auto& layout : json["layouts"]) {
    EXPECT_GE(layout["information"]["value"], 0);
    EXPECT_LE(layout["information"]["value"], 1);
    EXPECT_FALSE(layout["runs"][0]["curve"].empty());
  }
  EXPECT_THAT(read_file(svg), HasSubstr("accuracy"));
  EXPECT_EQ(read_file(png).substr(1, 3), "PNG");
}

TEST(WeightsTest, WhatIsExportedIsImportedByItsOwnModelAndNoOther) {
  NEEDS_LIBRARY();
  const ScratchFolder scratch;
  const auto model_file = [&](const char* name, const char* layout) {
    const std::string file = (scratch / name).string();
    std::ofstream(file) << R"({"format": "plait-model/1", "d_model": 64, "vocab_size": 100, "layout": ")" << layout
                        << "\"}";
    return file;
  };
  const std::string model = model_file("a.json", "GG*"), other = model_file("b.json", "G**");
  const std::string first = (scratch / "first.safetensors").string(),
                    second = (scratch / "second.safetensors").string();
  Result result = run_plait("export-weights " + model + " --seed 3 --out " + first + " --json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_GT(result.json()["parameters"], 2 * 100 * 64);
  result = run_plait("import-weights " + model + " " + first + " --out " + second);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(read_file(first), read_file(second));
  EXPECT_EQ(run_plait("import-weights " + other + " " + first).exit_code, 2);
  EXPECT_EQ(run_plait("export-weights " + model + " --seed 4 --out " + second).exit_code, 0);
  EXPECT_NE(read_file(first), read_file(second));
}

TEST(ProxyTest, WhatCannotBeWrittenAtTheEndIsSaidBeforeTheTraining) {
  for (const char* const line : {"proxy GGGG --model examples/model-1b.json --steps 1000000 --svg /nowhere/f.svg",
                                 "reproduce attention_first --out /nowhere/f.md"}) {
    const Result result = run_plait(line);
    EXPECT_EQ(result.exit_code, 1) << line;
    EXPECT_THAT(result.err, HasSubstr("cannot write /nowhere/f.")) << line;
  }
}

TEST(ProxyTest, TextForATaskThatReadsNoneIsRefused) {
  const Result result = run_plait("proxy GGGG --model examples/model-1b.json --text README.md");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("--text is read by the task bytes; this is the task mqar"));
}

TEST(ProxyTest, InputMistakesExitWithTwo) {
  NEEDS_LIBRARY();
  const Result result = run_plait("proxy GGGG --model examples/model-1b.json --task mqarr");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("did you mean \"mqar\"?"));
}

TEST(ProxyTest, AKilledTrainingGoesOnToTheSameNumbers) {
  NEEDS_LIBRARY();
  const ScratchFolder scratch;
  const std::string line =
      "proxy G*GG GGGG --model examples/model-1b.json --steps 60 --seeds 1 --learning-rate 0.01 --out ";
  ASSERT_EQ(run_plait(line + (scratch / "whole").string()).exit_code, 0);
  const std::string broken = (scratch / "broken").string();
  const int status =
      stop_once_there_is_a_state({"plait", "proxy", "G*GG", "GGGG", "--model", "examples/model-1b.json", "--steps",
                                  "60", "--seeds", "1", "--learning-rate", "0.01", "--out", broken},
                                 broken, SIGKILL);
  ASSERT_TRUE(WIFSIGNALED(status)) << "it ended before it was killed: more steps";
  ASSERT_FALSE(fs::exists(scratch / "broken" / "proxy.json")) << "it finished before it was killed: more steps";
  ASSERT_EQ(run_plait(line + broken).exit_code, 0);
  const auto layouts = [&](const char* folder) {
    return nlohmann::json::parse(read_file(scratch / folder / "proxy.json"))["layouts"];
  };
  EXPECT_EQ(layouts("broken"), layouts("whole"));
}

TEST(ReproduceTest, AnInterruptedTableGoesOnToTheSameNumbers) {
  NEEDS_LIBRARY();
  const ScratchFolder scratch;
  const std::string line = "reproduce learning_rate --row 'RetNet, 1e-2' --steps 40 --json --out ",
                    broken = (scratch / "broken.md").string();
  const auto without_time = [](nlohmann::json table) {
    table.erase("elapsed_s");
    return table;
  };
  const int status = stop_once_there_is_a_state(
      {"plait", "reproduce", "learning_rate", "--row", "RetNet, 1e-2", "--steps", "40", "--out", broken},
      broken + ".state", SIGINT);
  ASSERT_TRUE(WIFEXITED(status));
  ASSERT_EQ(WEXITSTATUS(status), 130);
  ASSERT_FALSE(fs::exists(broken));
  const Result resumed = run_plait(line + broken), whole = run_plait(line + (scratch / "whole.md").string());
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(without_time(resumed.json()), without_time(whole.json()));
  EXPECT_EQ(whole.json()["steps"], 40);
  EXPECT_TRUE(fs::exists(broken));
  EXPECT_FALSE(fs::exists(broken + ".state"));
}

}  // namespace
}  // namespace plait::testing
