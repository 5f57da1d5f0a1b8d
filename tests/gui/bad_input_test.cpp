#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "gui/commands.h"
#include "gui/study_form.h"
#include "tests/gui/headless.h"
#include "tests/search/temp_dir.h"
#include "tests/support/fake_backend.h"

/// What is wrong with files, disks and searches is read on the screen, and the app goes on.
namespace plait::gui {
namespace {

namespace fs = std::filesystem;
using search::bytes_of;
using search::TempDir;
using search::write_bytes;

/// While it lives, no file of this process grows beyond so many bytes: a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  FullDisk(const FullDisk&) = delete;
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

class BadInputTest : public ::testing::Test {
 protected:
  void open_sample() { ASSERT_TRUE(app.open_sample()); }
  bool reaches(app::Phase phase) {
    return app.until([&] { return app.state.snapshot.phase == phase; });
  }
  /// A search that is stored in `folder`, shown.
  void search_into(const fs::path& folder) {
    StudyForm form;
    spec::Problems problems;
    app.state.start(*form.study(problems), folder, false);
    ASSERT_TRUE(reaches(app::Phase::finished));
    app.frame(2);
  }
  void answer(const char* command, const fs::path& file) {
    run_command(*find_command(command), app.state);
    ASSERT_TRUE(app.state.question);
    app.state.question->answer(file);
    app.state.question.reset();
  }
  /// The study is there, and its layouts can still be edited.
  void expect_goes_on() {
    EXPECT_TRUE(app.state.has_rows());
    std::string problem;
    EXPECT_TRUE(app.state.paste_notation("(GG*)x8", problem)) << problem;
    app.frame(3);
    EXPECT_EQ(app.state.answer()->notation, "(GG*)x8");
  }

  plait::testing::FakeBackend backend;  // outlives the app, whose thread trains on it
  Headless app;
};

TEST_F(BadInputTest, FilesThatCannotBeOpened) {
  open_sample();
  app.state.open("/nothing/there.json");
  EXPECT_TRUE(app.says("/nothing/there.json"));
  const TempDir temp;
  write_bytes(temp / "half.json", R"({"format": "plait-study/1", "space": )");
  app.state.open(temp / "half.json");
  EXPECT_TRUE(app.says("half.json"));
  app.state.open(std::string(PLAIT_SOURCE_DIR) + "/tests/cli/data/twenty_mistakes.json");
  EXPECT_TRUE(app.says("objectives"));
  expect_goes_on();
}

TEST_F(BadInputTest, AFolderWithoutOrWithABrokenJournal) {
  open_sample();
  const TempDir temp;
  app.state.open(temp / "");
  ASSERT_TRUE(reaches(app::Phase::failed));
  EXPECT_TRUE(app.says("cannot read " + (temp / "journal.jsonl").string()));
  write_bytes(temp / "journal.jsonl", "not a journal\n");
  app.state.open(temp / "");
  ASSERT_TRUE(app.until([&] { return app.says("is not a journal of plait"); }));
  // It is read there as long as it is so.
  app.state.messages.clear();
  app.state.focus_panel = "Run";
  app.frame(4);
  EXPECT_TRUE(app.says("is not a journal of plait"));
  expect_goes_on();
}

TEST_F(BadInputTest, AJournalThatShrinksIsDamagedAndComesBackUnderTheApp) {
  const TempDir temp;
  search_into(temp / "run");
  const fs::path journal = temp / "run" / "journal.jsonl";
  const std::string whole = bytes_of(journal);
  app.state.open(temp / "run");
  ASSERT_TRUE(reaches(app::Phase::following));
  const std::size_t all = app.state.table()->trials;

  write_bytes(journal, whole.substr(0, whole.find('\n', whole.size() / 2) + 1));
  ASSERT_TRUE(app.until([&] { return app.says("was replaced by a shorter one"); }));
  ASSERT_TRUE(app.until([&] { return app.state.table()->trials < all; }));
  const std::size_t fewer = app.state.table()->trials;

  std::string damaged = whole;
  damaged[whole.size() * 3 / 4] ^= 1;
  write_bytes(journal, damaged);
  ASSERT_TRUE(app.until([&] { return app.says("is damaged"); }));
  EXPECT_EQ(app.state.table()->trials, fewer);

  fs::remove(journal);
  ASSERT_TRUE(app.until([&] { return app.says("cannot read " + journal.string()); }));
  expect_goes_on();

  write_bytes(journal, whole);
  EXPECT_TRUE(app.until([&] { return app.state.table()->trials == all; }));
}

TEST_F(BadInputTest, ABrokenSessionOrBrokenCurvesAreSaidAndTheStudyOpensWithoutThem) {
  const TempDir temp;
  search_into(temp / "run");
  run_command(*find_command("file.close"), app.state);
  ASSERT_TRUE(app.until([&] { return !app.state.has_rows(); }));
  app.state.document = {};
  write_bytes(temp / "run.plait-session.json", R"({"format": "plait-session/1", "view": 7})");
  write_bytes(temp / "run" / "learning_curves.json", R"({"format": "plait-learning-curves/1", "curves": [7]})");
  app.state.open(temp / "run");
  ASSERT_TRUE(app.until([&] { return app.state.has_rows(); }));
  EXPECT_TRUE(app.says("run.plait-session.json.view"));
  EXPECT_TRUE(app.says("learning_curves.json"));
  EXPECT_FALSE(app.state.document.layout.layers.empty());
  EXPECT_TRUE(app.state.results()->curves.empty());
  expect_goes_on();
}

TEST_F(BadInputTest, CurvesOfTrialsThatTheJournalHasNot) {
  const TempDir temp;
  search_into(temp / "run");
  write_bytes(temp / "run" / "learning_curves.json", R"({"format": "plait-learning-curves/1", "curves": [
      {"trials": ["0"], "task": "mqar", "rung": 0, "learning_rate": 0.01, "seed": 0, "points": [[50, 2, 0.1], [100, 1, 0.5]]},
      {"trials": ["999"], "task": "mqar", "rung": 0, "learning_rate": 0.01, "seed": 0, "points": [[50, 2, 0.1]]}]})");
  app.state.open(temp / "run");
  ASSERT_TRUE(app.until([&] { return app.says("1 of the curves beside"); }));
  app.state.focus_panel = "Learning";
  app.frame(4);
  EXPECT_EQ(app.state.learning_chart().lines.size(), 1u);
  expect_goes_on();
}

TEST_F(BadInputTest, WhatCannotBeSaved) {
  open_sample();
  run_command(*find_command("file.save_session"), app.state);
  EXPECT_TRUE(app.says("stored nowhere"));
  answer("file.csv", "/proc/nothing.csv");
  EXPECT_TRUE(app.says("/proc/nothing.csv"));
  for (const char* id : {"file.svg", "file.png", "file.csv", "file.trials"}) {
    app.state.messages.clear();
    answer(id, "/dev/full");
    EXPECT_TRUE(app.says("/dev/full")) << id;
  }
  expect_goes_on();
}

TEST_F(BadInputTest, AFullDiskLosesNeitherTheOldSessionNorTheApp) {
  const TempDir temp;
  search_into(temp / "run");
  run_command(*find_command("file.save_session"), app.state);
  const std::string before = bytes_of(temp / "run.plait-session.json");
  ASSERT_FALSE(before.empty());
  app.state.pin();
  {
    const FullDisk full(10);
    app.state.messages.clear();
    run_command(*find_command("file.save_session"), app.state);
  }
  EXPECT_TRUE(app.says("run.plait-session.json"));
  EXPECT_TRUE(app.state.messages.back().bad);
  EXPECT_EQ(bytes_of(temp / "run.plait-session.json"), before);
  expect_goes_on();
}

TEST_F(BadInputTest, ASearchThatCannotBeStored) {
  open_sample();
  app.state.form->folder = "/proc/no-folder-can-be-made-here";
  run_command(*find_command("study.start"), app.state);
  ASSERT_TRUE(reaches(app::Phase::failed));
  EXPECT_TRUE(app.says("/proc/no-folder-can-be-made-here"));
  expect_goes_on();

  // The disk is full after the first trials.
  const TempDir temp;
  app.state.form->folder = (temp / "run").string();
  app.state.messages.clear();
  {
    const FullDisk full(20'000);
    run_command(*find_command("study.start"), app.state);
    ASSERT_TRUE(reaches(app::Phase::failed));
  }
  EXPECT_TRUE(app.says((temp / "run" / "journal.jsonl").string()));
  app.state.focus_panel = "Run";
  app.frame(4);
  EXPECT_TRUE(app.says("failed"));
  expect_goes_on();
}

TEST_F(BadInputTest, ATrainingThatFails) {
  backend.at_step = [](std::int64_t) { throw std::runtime_error("the GPU has fallen off the bus"); };
  app.state.proxy_backend = &backend;
  open_sample();
  app.state.train();
  ASSERT_TRUE(reaches(app::Phase::failed));
  EXPECT_TRUE(app.says("the GPU has fallen off the bus"));
  expect_goes_on();
}

}  // namespace
}  // namespace plait::gui
