#include "search/journal.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <functional>
#include <limits>
#include <sstream>
#include <system_error>
#include <thread>

#include "src/spec/error.h"
#include "tests/search/temp_dir.h"

namespace plait::search {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

const json kStudy = {{"seed", 7}, {"space", {{"slots", 4}}}, {"objectives", {"kv", "recall"}}};

/// Trial n of a study with two baselines; every fifth one failed.
Trial trial(std::size_t n) {
  Trial t;
  if (n < 2) {
    t.id = "b" + std::to_string(n);
    t.name = n == 0 ? "uniform" : "\"odd\" \\ name \u00e4";
    t.layout = "(GGG*)x6";
  } else {
    t.id = std::to_string(n - 2);
    t.path = {0, 1, static_cast<std::uint16_t>(n), 65535};
    t.layout = "G*";
  }
  if (n % 5 == 3) {
    t.outcome = Failure{Failure::Kind::diverged, "loss is nan\nat step 40"};
    t.feasible = false;
  } else {
    t.outcome = Scores{{"kv", {1e9 / (static_cast<double>(n) + 3), {}, Source::exact}},
                       {"recall", {0.1 * static_cast<double>(n), 0.025, Source::prior}}};
  }
  return t;
}

std::vector<Trial> trials(std::size_t begin, std::size_t end) {
  std::vector<Trial> out;
  for (std::size_t n = begin; n < end; ++n) out.push_back(trial(n));
  return out;
}

std::string journal_error(const std::function<void()>& action) {
  try {
    action();
  } catch (const JournalError& error) {
    return error.what();
  }
  return "no JournalError was thrown";
}

class JournalFile : public testing::Test {
 protected:
  /// Header and `count` trials.
  std::string written(std::size_t count) {
    const auto other = folder / "written";
    std::filesystem::remove(other);
    Journal::create(other, kStudy).append(trials(0, count));
    return bytes_of(other);
  }

  TempDir folder;
  std::filesystem::path file = folder / "journal.jsonl";
};

rc::Gen<double> any_finite() {
  return rc::gen::map(rc::gen::arbitrary<std::uint64_t>(), [](std::uint64_t bits) {
    const double value = std::bit_cast<double>(bits);
    return std::isfinite(value) ? value : 0.0;
  });
}

RC_GTEST_PROP(TrialJson, ReturnsEveryFiniteNumberBitForBit, ()) {
  const double value = *any_finite();
  const double deviation = std::abs(*any_finite());
  Trial t = trial(2);
  t.outcome = Scores{{"m", {value, deviation, Source::measured}}};
  const Trial back = trial_from_json(json::parse(to_json(t).dump()));
  RC_ASSERT(back == t);
  RC_ASSERT(std::bit_cast<std::uint64_t>(score(back, "m")->value) == std::bit_cast<std::uint64_t>(value));
}

TEST(TrialJson, HasTheKeysOfTheContractInOrder) {
  EXPECT_EQ(to_json(trial(2)).dump(),
            R"({"id":"0","layout":"G*","path":[0,1,2,65535],"scores":{"kv":{"value":200000000.0,"deviation":null,)"
            R"("source":"exact"},"recall":{"value":0.2,"deviation":0.025,"source":"prior"}},"feasible":true})");
  EXPECT_EQ(to_json(trial(3)).dump(), R"({"id":"1","layout":"G*","path":[0,1,3,65535],"failure":{"kind":"diverged",)"
                                      R"("reason":"loss is nan\nat step 40"},"feasible":false})");
  EXPECT_EQ(to_json(trial(0)).dump().substr(0, 28), R"({"id":"b0","name":"uniform",)");
}

TEST(TrialJson, NamesEveryProblemWithItsPlace) {
  const json bad = json::parse(
      R"({"id":3,"path":[1,-1],"scores":{"kv":{"value":"x","deviation":-1,"source":"rumour"}},"feasible":true})");
  try {
    trial_from_json(bad, "front[2]");
    FAIL();
  } catch (const spec::SpecError& error) {
    std::vector<std::string> paths;
    for (const auto& problem : error.problems()) paths.push_back(problem.path);
    EXPECT_THAT(paths, testing::UnorderedElementsAre("front[2].id", "front[2].layout", "front[2].path",
                                                     "front[2].scores.kv.value", "front[2].scores.kv.deviation",
                                                     "front[2].scores.kv.source"));
  }
}

TEST(TrialJson, RefusesToWriteWhatIsNotFinite) {
  Trial t = trial(2);
  t.outcome = Scores{{"m", {std::numeric_limits<double>::quiet_NaN(), {}, Source::exact}}};
  EXPECT_THROW(to_json(t), std::logic_error);
}

TEST_F(JournalFile, GivesBackWhatWasAppended) {
  {
    Journal journal = Journal::create(file, kStudy);
    journal.append(trials(0, 3));
    journal.append({});
    journal.append(trials(3, 9));
  }
  const Journal::Contents contents = Journal::read(file);
  EXPECT_EQ(contents.study, kStudy);
  EXPECT_EQ(contents.trials, trials(0, 9));
  EXPECT_EQ(contents.valid_bytes, std::filesystem::file_size(file));
  EXPECT_EQ(contents.torn_bytes, 0u);
}

/// A measurement of trial n.
Trial measurement(std::size_t n) {
  Trial t = trial(n);
  t.id = measurement_id(t);
  t.name = "tiny on cpu: mqar";
  t.outcome = Scores{{"proxy_recall", {0.75, 0.1, Source::measured}}};
  t.feasible = true;
  return t;
}

TEST_F(JournalFile, KeepsMeasurementsApartFromTheTrials) {
  {
    Journal journal = Journal::create(file, kStudy);
    journal.append(trials(0, 4));
    journal.append(std::vector{measurement(2), measurement(0)});
    journal.append(trials(4, 6));
  }
  const Journal::Contents contents = Journal::read(file);
  EXPECT_EQ(contents.trials, trials(0, 6));
  EXPECT_EQ(contents.measurements, (std::vector{measurement(2), measurement(0)}));
  EXPECT_EQ(contents.measurements[0].id, "m0");
  EXPECT_EQ(contents.measurements[1].id, "mb0");
  EXPECT_EQ(contents.valid_bytes, std::filesystem::file_size(file));
}

TEST_F(JournalFile, AMeasurementOfNoTrialOrASecondOneIsDamage) {
  const auto error_after = [&](const std::vector<Trial>& more) {
    std::filesystem::remove(file);
    Journal journal = Journal::create(file, kStudy);
    journal.append(trials(0, 3));
    journal.append(more);
    return journal_error([&] { Journal::read(file); });
  };
  EXPECT_THAT(error_after({measurement(7)}), HasSubstr("m5 measures no trial that stands before it"));
  Trial other = measurement(2);
  other.layout = "**";
  EXPECT_THAT(error_after({other}), HasSubstr("m0 measures no trial"));
  EXPECT_THAT(error_after({measurement(2), measurement(2)}), HasSubstr("m0 is there twice"));
}

TEST(Measurement, AddsItsScoresAndChangesNone) {
  Trial t = trial(2);
  Trial m = measurement(2);
  std::get<Scores>(m.outcome)["recall"] = {0.99, {}, Source::measured};
  add_scores(m, t);
  EXPECT_EQ(score(t, "proxy_recall")->value, 0.75);
  EXPECT_EQ(*score(t, "recall"), *score(trial(2), "recall"));
  Trial failed = trial(3);
  add_scores(measurement(3), failed);
  EXPECT_EQ(failed, trial(3));
  m.outcome = Failure{Failure::Kind::diverged, "nan"};
  t = trial(2);
  add_scores(m, t);
  EXPECT_EQ(t, trial(2));
}

TEST_F(JournalFile, SumsEveryLineAsDocumented) {
  const std::string text = written(2);
  std::istringstream lines(text);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const std::string object = line.substr(0, line.size() - 26) + "}";
    EXPECT_TRUE(json::accept(object)) << object;
    char sum[17];
    std::snprintf(sum, sizeof sum, "%016llx",
                  static_cast<unsigned long long>(XXH3_64bits(object.data(), object.size())));
    EXPECT_EQ(json::parse(line).at("sum"), sum);
  }
  EXPECT_EQ(count, 3u);
  EXPECT_TRUE(text.starts_with(R"({"event":"study","format":"plait-journal/1","study":{)"));
}

TEST_F(JournalFile, ContinuesFromEveryPlaceWhereItMayBeCut) {
  const std::string whole = written(5);
  const std::size_t header = whole.find('\n') + 1;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    write_bytes(file, std::string_view(whole).substr(0, size));
    // Every place is read; writing waits for the disk, so it is tried at every 29th and around the ends of lines.
    const bool at_line_end = whole.substr(size > 0 ? size - 1 : 0, 3).find('\n') != std::string::npos;
    const bool write = size % 29 == 0 || at_line_end;
    if (size < header) {
      EXPECT_FALSE(Journal::started(file));
      EXPECT_THROW(Journal::read(file), JournalError);
      if (write) Journal::create(file, kStudy).append(trials(0, 5));
    } else {
      EXPECT_TRUE(Journal::started(file));
      const Journal::Contents contents = Journal::read(file);
      const auto lines =
          static_cast<std::size_t>(std::count(whole.begin(), whole.begin() + static_cast<long>(size), '\n')) - 1;
      ASSERT_EQ(contents.trials, trials(0, lines)) << size;
      EXPECT_EQ(contents.valid_bytes + contents.torn_bytes, size);
      if (write) Journal::resume(file, contents).append(trials(lines, 5));
    }
    if (write) {
      ASSERT_EQ(bytes_of(file), whole) << size;
    }
  }
}

TEST_F(JournalFile, NeverReadsAChangedByteAsARecord) {
  const std::string whole = written(4);
  const std::vector<Trial> all = trials(0, 4);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const char mask : {'\x01', '\x20', '\x80'}) {
      std::string changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ mask);
      write_bytes(file, changed);
      try {
        const Journal::Contents contents = Journal::read(file);
        EXPECT_GT(contents.torn_bytes, 0u) << "byte " << i;
        ASSERT_LE(contents.trials.size(), all.size());
        EXPECT_TRUE(std::equal(contents.trials.begin(), contents.trials.end(), all.begin())) << "byte " << i;
      } catch (const JournalError&) {
      }
      EXPECT_EQ(bytes_of(file), changed);
    }
  }
}

TEST_F(JournalFile, NoticesMissingRepeatedAndSwappedLines) {
  std::vector<std::string> lines;
  std::istringstream text(written(5));
  for (std::string line; std::getline(text, line);) lines.push_back(line + "\n");
  const auto with = [&](std::vector<std::size_t> order) {
    std::string bytes;
    for (const std::size_t i : order) bytes += lines[i];
    write_bytes(file, bytes);
    return journal_error([&] { Journal::read(file); });
  };
  EXPECT_THAT(with({0, 1, 2, 4, 5}), AllOf(HasSubstr("line 4"), HasSubstr("trial 1 stands where trial 0 belongs")));
  EXPECT_THAT(with({0, 1, 2, 3, 3}), HasSubstr("trial 0 stands where trial 1 belongs"));
  EXPECT_THAT(with({0, 2, 1}), HasSubstr("trial b1 stands where trial 0 belongs"));
  EXPECT_THAT(with({0, 1, 0}), HasSubstr("\"study\" is no event"));
  EXPECT_THAT(with({1, 0}), HasSubstr("not a journal of plait"));
}

TEST_F(JournalFile, SaysWhichLineIsDamagedAndHowToKeepTheRest) {
  std::string bytes = written(5);
  std::size_t third = 0;
  for (int i = 0; i < 3; ++i) third = bytes.find('\n', third) + 1;
  bytes[third + 30] = '\0';
  write_bytes(file, bytes);
  EXPECT_THAT(journal_error([&] { Journal::read(file); }),
              AllOf(HasSubstr(file.string()), HasSubstr("line 4"), HasSubstr("checksum does not match"),
                    HasSubstr("head -c " + std::to_string(third))));
}

TEST_F(JournalFile, ExplainsFilesThatAreNoJournal) {
  const auto problem_of = [&](std::string_view bytes) {
    write_bytes(file, bytes);
    const std::string message = journal_error([&] { Journal::read(file); });
    EXPECT_EQ(bytes_of(file), bytes);
    return message;
  };
  EXPECT_THAT(problem_of(""), HasSubstr("is empty"));
  EXPECT_THAT(problem_of(R"({"event":"study","form)"), HasSubstr("ends inside its first line"));
  EXPECT_THAT(problem_of("id,layout\n0,G*\n"), AllOf(HasSubstr("not a journal of plait"), HasSubstr("id,layout")));
  EXPECT_THAT(problem_of("{\"model_type\":\"gla\"}\n"), HasSubstr("not a journal of plait"));
  EXPECT_THAT(problem_of(std::string_view("\x89PNG\r\n\x1a\n\0", 9)), HasSubstr("not a journal of plait"));
  EXPECT_THAT(problem_of("{\"event\":\"study\",\"format\":\"plait-journal/2\",\"study\":{}}\n"),
              AllOf(HasSubstr("plait-journal/2"), HasSubstr("reads plait-journal/1")));
  EXPECT_THAT(problem_of("{\"event\":\"study\",\"format\":\"plait-journal/1\",\"study\":{}}\n"),
              HasSubstr("line 1 (at byte 0) is damaged: it has no checksum"));
  std::filesystem::create_directory(folder / "sub");
  EXPECT_THAT(journal_error([&] { Journal::read(folder / "sub"); }), HasSubstr("not a regular file"));
  EXPECT_THROW(Journal::read(folder / "absent"), std::system_error);
  EXPECT_FALSE(Journal::started(folder / "absent"));
}

TEST_F(JournalFile, RefusesNestingThatNoTrialHas) {
  Journal::create(file, kStudy).append(trials(0, 1));
  std::string object = R"({"event":"trial","id":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  char sum[17];
  std::snprintf(sum, sizeof sum, "%016llx", static_cast<unsigned long long>(XXH3_64bits(object.data(), object.size())));
  object.pop_back();
  std::ofstream(file, std::ios::app) << object << ",\"sum\":\"" << sum << "\"}\n";
  EXPECT_THAT(journal_error([&] { Journal::read(file); }),
              AllOf(HasSubstr("line 3"), HasSubstr("nested more than 64")));
}

TEST_F(JournalFile, IsNeverOverwritten) {
  for (const std::string& bytes :
       {written(0), written(3), std::string("notes of somebody"), std::string("{\"event\":1}\n")}) {
    write_bytes(file, bytes);
    EXPECT_THAT(journal_error([&] { Journal::create(file, kStudy); }), HasSubstr("is not overwritten"));
    EXPECT_EQ(bytes_of(file), bytes);
  }
  // The cut-off start of another study is not this one's to complete.
  write_bytes(file, written(0).substr(0, 60));
  EXPECT_THROW(Journal::create(file, json{{"seed", 8}}), JournalError);
}

TEST_F(JournalFile, HasOneWriterAtATime) {
  {
    Journal journal = Journal::create(file, kStudy);
    const Journal::Contents contents = Journal::read(file);
    EXPECT_THAT(journal_error([&] { Journal::resume(file, contents); }), HasSubstr("another process"));
    EXPECT_THAT(journal_error([&] { Journal::create(file, kStudy); }), HasSubstr("another process"));
    const Journal moved = std::move(journal);
    EXPECT_THROW(Journal::resume(file, contents), JournalError);
  }
  EXPECT_NO_THROW(Journal::resume(file, Journal::read(file)));
}

TEST_F(JournalFile, NoticesStrangers) {
  Journal journal = Journal::create(file, kStudy);
  const Journal::Contents before = Journal::read(file);
  std::ofstream(file, std::ios::app) << "x";
  EXPECT_THAT(journal_error([&] { journal.append(trials(0, 1)); }), HasSubstr("was changed"));
  std::filesystem::remove(file);
  EXPECT_THAT(journal_error([&] { journal.append(trials(0, 1)); }), HasSubstr("was deleted"));
  write_bytes(file, written(2));
  EXPECT_THAT(journal_error([&] { Journal::resume(file, before); }), HasSubstr("was changed since it was read"));
}

TEST_F(JournalFile, IsCutBackWhenAWriteFails) {
  Journal journal = Journal::create(file, kStudy);
  journal.append(trials(0, 3));
  const std::string before = bytes_of(file);

  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit tight{before.size() + 100, limit.rlim_max};
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  std::string message;
  try {
    journal.append(trials(3, 6));
  } catch (const std::system_error& error) {
    message = error.what();
    EXPECT_EQ(error.code().value(), EFBIG);
  }
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, old_handler);

  EXPECT_THAT(message,
              AllOf(HasSubstr(file.string()), HasSubstr("ulimit -f"), HasSubstr("all finished trials are kept")));
  EXPECT_EQ(bytes_of(file), before);
  journal.append(trials(3, 6));
  EXPECT_EQ(Journal::read(file).trials, trials(0, 6));
}

TEST_F(JournalFile, SaysWhyItCannotBeCreated) {
  try {
    Journal::create(folder / "absent/journal.jsonl", kStudy);
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), ENOENT);
    EXPECT_THAT(error.what(), HasSubstr("create the folder first"));
  }
  write_bytes(file, "");
  EXPECT_THROW(Journal::create(file / "journal.jsonl", kStudy), std::system_error);
}

TEST_F(JournalFile, HoldsAPrefixAfterKillMinusNineAtAnyTime) {
  constexpr std::size_t kTotal = 160;
  const std::string whole = written(kTotal);
  for (int round = 0; round < 10; ++round) {
    std::filesystem::remove(file);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Journal journal = Journal::create(file, kStudy);
      for (std::size_t n = 0; n + 8 <= kTotal; n += 8) journal.append(trials(n, n + 8));
      _exit(0);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200 << round));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);

    Journal::Contents contents;
    if (Journal::started(file)) contents = Journal::read(file);
    const std::size_t done = contents.trials.size();
    ASSERT_EQ(contents.trials, trials(0, done));
    Journal journal = Journal::started(file) ? Journal::resume(file, contents) : Journal::create(file, kStudy);
    journal.append(trials(done, kTotal));
    EXPECT_EQ(bytes_of(file), whole);
  }
}

TEST(JournalFollowerTest, TakesWhatWasAppendedAndNoticesWhatWasReplaced) {
  using Change = JournalFollower::Change;
  const TempDir temp;
  const std::filesystem::path file = temp / "journal.jsonl";
  Journal journal = Journal::create(file, kStudy);
  journal.append(trials(0, 4));
  JournalFollower follower(file);
  EXPECT_EQ(follower.update(), Change::appended);
  EXPECT_EQ(follower.contents().trials, trials(0, 4));
  EXPECT_EQ(follower.update(), Change::none);

  journal.append(trials(4, 9));
  EXPECT_EQ(follower.update(), Change::appended);
  EXPECT_EQ(follower.contents().trials, trials(0, 9));
  EXPECT_EQ(follower.contents().valid_bytes, std::filesystem::file_size(file));
  const std::string whole = bytes_of(file);

  // A line that is being written is taken when it is whole.
  const auto append = [&](std::string_view bytes) { std::ofstream(file, std::ios::app | std::ios::binary) << bytes; };
  const std::string line = [&] {
    const std::filesystem::path other = temp / "other.jsonl";
    Journal::create(other, kStudy).append(trials(0, 10));
    return bytes_of(other).substr(whole.size());
  }();
  append(line.substr(0, 20));
  EXPECT_EQ(follower.update(), Change::none);
  EXPECT_EQ(follower.contents().torn_bytes, 20u);
  append(line.substr(20));
  EXPECT_EQ(follower.update(), Change::appended);
  EXPECT_EQ(follower.contents().trials, trials(0, 10));
  EXPECT_EQ(follower.contents().torn_bytes, 0u);

  // Damage behind what is known is said with its true line and byte, once; what follows is read from the beginning.
  append("nonsense\n");
  try {
    follower.update();
    FAIL();
  } catch (const JournalError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("line 12 "), HasSubstr(fmt::format("byte {}", whole.size() + line.size()))));
  }
  EXPECT_EQ(follower.update(), Change::none);
  write_bytes(file, whole);
  EXPECT_EQ(follower.update(), Change::replaced);
  EXPECT_EQ(follower.contents().trials, trials(0, 9));

  // Shorter; then longer but another study; then gone.
  const std::size_t half = whole.find('\n', whole.size() / 2) + 1;
  write_bytes(file, whole.substr(0, half));
  EXPECT_EQ(follower.update(), Change::replaced);
  EXPECT_LT(follower.contents().trials.size(), 9u);
  std::filesystem::remove(file);
  Journal::create(file, {{"seed", 8}, {"more", std::string(50, 'x')}}).append(trials(0, 12));
  EXPECT_EQ(follower.update(), Change::replaced);
  EXPECT_EQ(follower.contents().study["seed"], 8);
  EXPECT_EQ(follower.contents().trials.size(), 12u);
  std::filesystem::remove(file);
  EXPECT_THROW(follower.update(), std::system_error);
  write_bytes(file, whole);
  EXPECT_EQ(follower.update(), Change::replaced);
}

TEST(JournalFollowerTest, AnObserverSeesALongReadingAndMayEndIt) {
  using Change = JournalFollower::Change;
  const TempDir temp;
  const std::filesystem::path file = temp / "journal.jsonl";
  Journal journal = Journal::create(file, kStudy);
  journal.append(trials(0, 9000));
  JournalFollower follower(file);
  std::vector<double> shares;
  EXPECT_EQ(follower.update([&](double share) { shares.push_back(share); }), Change::appended);
  ASSERT_EQ(shares.size(), 2u);
  EXPECT_GT(shares[0], 0.4);
  EXPECT_GT(shares[1], shares[0]);
  EXPECT_LT(shares[1], 1);

  JournalFollower ended(file);
  EXPECT_THROW(ended.update([](double) { throw std::runtime_error("enough"); }), std::runtime_error);
  EXPECT_EQ(ended.update(), Change::none) << "this state of the file has been tried";
  journal.append(trials(9000, 9001));
  EXPECT_EQ(ended.update(), Change::replaced);
  EXPECT_EQ(ended.contents().trials.size(), 9001u);
}

TEST(StudyDifference, NamesWhatDiffers) {
  EXPECT_EQ(study_difference(kStudy, kStudy), "");
  json other = kStudy;
  other["seed"] = 8;
  EXPECT_EQ(study_difference(kStudy, other), "seed is 7 in the journal, 8 now");
  other["space"].erase("slots");
  other["extra"] = "new";
  EXPECT_EQ(
      study_difference(kStudy, other),
      "seed is 7 in the journal, 8 now; space.slots is 4 in the journal, absent now; extra is absent in the journal, "
      "\"new\" now");
  EXPECT_EQ(study_difference(json(), json::object()), "the whole study is null in the journal, {} now");
}

}  // namespace
}  // namespace plait::search
