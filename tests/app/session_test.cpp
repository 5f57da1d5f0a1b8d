#include "src/app/session.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "tests/search/temp_dir.h"
#include "tests/support/fake_backend.h"

namespace plait::app {
namespace {

using namespace std::chrono_literals;
using search::TempDir;

StudySpec quickstart() { return read_study(std::string(PLAIT_SOURCE_DIR) + "/examples/quickstart.json", {}); }

/// A search of many batches: pauses and stops fall into it.
StudySpec long_study() {
  spec::Json json = quickstart().source;
  json["strategy"] = "random";
  json["budget"] = 200'000;
  json["batch"] = 16;
  spec::Problems problems;
  StudySpec study = study_from_json(json, "", problems);
  problems.throw_if_any();
  return study;
}

/// Waits for what a thread will do; a test that never sees it fails.
template <class Predicate>
bool eventually(Predicate&& holds) {
  for (int i = 0; i < 6000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

bool reaches(const Session& session, Phase phase) {
  return eventually([&] { return session.snapshot().phase == phase; });
}

TEST(SessionTest, ASearchEndsWithTheResultsOfTheSameStudyRunDirectly) {
  std::atomic<int> changes = 0;
  Session session([&] { ++changes; });
  session.run(quickstart(), {}, false);
  ASSERT_TRUE(reaches(session, Phase::finished));
  const auto built = build_study(quickstart());
  const StudyResults direct = run_study(*built, {}, false, {}, {}, {});
  const Snapshot seen = session.snapshot();
  EXPECT_EQ(seen.results->trials, direct.trials);
  EXPECT_EQ(seen.results->front, direct.front);
  EXPECT_EQ(seen.table->trials, direct.trials.size());
  EXPECT_EQ(seen.table->size(), direct.trials.size() + direct.baselines.size());
  EXPECT_GE(changes, 2);
}

TEST(SessionTest, AFinishedSearchIsSeenWholeWhileItsProxiesTrain) {
  plait::testing::FakeBackend backend;
  std::atomic<bool> held = true;
  backend.at_step = [&](std::int64_t) {
    while (held) std::this_thread::sleep_for(1ms);
  };
  Session session;
  session.run(quickstart(), {}, false, ProxyChoice{.backend = &backend, .ladder = {}});
  EXPECT_TRUE(session.snapshot().will_train);
  const auto built = build_study(quickstart());
  const StudyResults direct = run_study(*built, {}, false, {}, {}, {});
  EXPECT_TRUE(eventually([&] {
    const Snapshot seen = session.snapshot();
    return seen.results && seen.results->trials.size() == direct.trials.size();
  }));
  EXPECT_EQ(session.snapshot().phase, Phase::running);
  EXPECT_TRUE(session.snapshot().training.empty());
  held = false;
  ASSERT_TRUE(reaches(session, Phase::finished));
  const Snapshot seen = session.snapshot();
  EXPECT_FALSE(seen.training.empty());
  EXPECT_FALSE(seen.results->measurements.empty());
  EXPECT_FALSE(seen.results->curves.empty());
}

TEST(SessionTest, APausedSearchStandsStillAndGoesOn) {
  Session session;
  session.run(long_study(), {}, false);
  ASSERT_TRUE(eventually([&] { return session.snapshot().progress.done > 0; }));
  session.pause();
  ASSERT_EQ(session.snapshot().phase, Phase::paused);
  std::this_thread::sleep_for(50ms);  // the batch in hand is finished
  const std::size_t paused_at = session.snapshot().progress.done;
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(session.snapshot().progress.done, paused_at);
  session.resume();
  EXPECT_TRUE(eventually([&] { return session.snapshot().progress.done > paused_at; }));
  session.pause();
  session.stop();  // also out of a pause
  EXPECT_TRUE(reaches(session, Phase::stopped));
}

TEST(SessionTest, AStoppedSearchContinuesFromItsJournal) {
  const TempDir temp;
  Session session;
  session.run(long_study(), temp / "run", false);
  ASSERT_TRUE(eventually([&] { return session.snapshot().progress.done > 100; }));
  session.stop();
  ASSERT_TRUE(reaches(session, Phase::stopped));
  const std::vector<search::Trial> before = session.snapshot().results->trials;
  session.run(long_study(), temp / "run", true);
  ASSERT_TRUE(eventually([&] { return session.snapshot().progress.done > before.size(); }));
  session.stop();
  ASSERT_TRUE(reaches(session, Phase::stopped));
  const std::vector<search::Trial>& after = session.snapshot().results->trials;
  ASSERT_GT(after.size(), before.size());
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
}

TEST(SessionTest, WhatIsAppendedToAnOpenJournalIsSeen) {
  const TempDir temp;
  {
    const auto built = build_study(quickstart());
    run_study(*built, temp / "run", false, {}, {}, {});
  }
  const std::filesystem::path journal = temp / "run" / "journal.jsonl";
  const std::string whole = search::bytes_of(journal);
  const std::size_t half = whole.find('\n', whole.size() / 2) + 1;
  std::filesystem::remove(temp / "run" / "results.json");
  search::write_bytes(journal, whole.substr(0, half));

  Session session;
  session.open(temp / "run");
  ASSERT_TRUE(reaches(session, Phase::following));
  const std::size_t first = session.snapshot().results->trials.size();
  std::ofstream(journal, std::ios::app | std::ios::binary) << whole.substr(half);
  EXPECT_TRUE(eventually([&] { return session.snapshot().results->trials.size() > first; }));

  // Replaced by a shorter one: shown as it is, and said.
  search::write_bytes(journal, whole.substr(0, half));
  EXPECT_TRUE(eventually([&] { return session.snapshot().results->trials.size() == first; }));
  EXPECT_NE(session.snapshot().message.find("replaced"), std::string::npos) << session.snapshot().message;

  // Damaged: the last good results stay, with the reason.
  search::write_bytes(journal, "not a journal\n" + whole);
  EXPECT_TRUE(eventually([&] {
    return session.snapshot().message.find("journal") != std::string::npos &&
           session.snapshot().message.find("replaced") == std::string::npos;
  }));
  EXPECT_EQ(session.snapshot().results->trials.size(), first);
}

TEST(SessionTest, WhatReplacesAStudyIsAskedForAtOnceAndBeginsWhenItHasEnded) {
  const TempDir temp;
  {
    const auto built = build_study(quickstart());
    run_study(*built, temp / "run", false, {}, {}, {});
  }
  plait::testing::FakeBackend backend;
  std::atomic<bool> held = true, at_work = false;
  backend.at_step = [&](std::int64_t) {
    at_work = true;
    while (held) std::this_thread::sleep_for(1ms);
  };
  Session session;
  session.run(quickstart(), {}, false, ProxyChoice{.backend = &backend, .ladder = {}});
  ASSERT_TRUE(eventually([&] { return at_work.load(); }));
  session.run(long_study(), temp / "never", false);
  session.open(temp / "run");
  EXPECT_EQ(session.snapshot().phase, Phase::loading);
  EXPECT_EQ(session.snapshot().folder, temp / "run");
  held = false;
  ASSERT_TRUE(reaches(session, Phase::following));
  EXPECT_EQ(session.snapshot().share_read, 0) << "the journal is short";
  EXPECT_TRUE(session.snapshot().training.empty()) << "news of what was replaced are not wanted";
  EXPECT_FALSE(std::filesystem::exists(temp / "never"));

  held = true, at_work = false;
  session.run(quickstart(), {}, false, ProxyChoice{.backend = &backend, .ladder = {}});
  ASSERT_TRUE(eventually([&] { return at_work.load(); }));
  session.close();
  EXPECT_EQ(session.snapshot().phase, Phase::empty);
  held = false;
  session.run(quickstart(), {}, false);
  EXPECT_TRUE(reaches(session, Phase::finished));
}

TEST(SessionTest, WhatCannotBeOpenedOrRunIsSaid) {
  const TempDir temp;
  Session session;
  session.open(temp / "nothing");
  ASSERT_TRUE(reaches(session, Phase::failed));
  EXPECT_NE(session.snapshot().message.find("nothing"), std::string::npos);

  session.run(quickstart(), "/proc/no-folder-can-be-made-here", false);
  ASSERT_TRUE(reaches(session, Phase::failed));
  EXPECT_FALSE(session.snapshot().message.empty());

  session.close();
  EXPECT_EQ(session.snapshot().phase, Phase::empty);
}

}  // namespace
}  // namespace plait::app
