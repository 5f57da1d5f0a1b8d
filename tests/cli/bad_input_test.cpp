#include <gmock/gmock.h>

#include "tests/cli/program.h"

namespace plait::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(BadStudyTest, TwentyMistakesGiveTwentyLocatedLines) {
  const Result result = run_plait("search tests/cli/data/twenty_mistakes.json");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  const std::vector<std::string> lines = result.err_lines();
  EXPECT_EQ(lines.size(), 20u) << result.err;
  for (const std::string& line : lines) EXPECT_THAT(line, ContainsRegex("^[a-z_]+[^ ]*: .+"));
  for (const char* place : {"model.vocab_size:",
                            "model.dtype:",
                            "model.channel_mixer.width:",
                            "model.mixers[\"G\"].type:",
                            "model.mixers[\"*\"].kv_haeds:",
                            "hardware:",
                            "workload.context:",
                            "space.slots:",
                            "space.candidates[2]:1:",
                            "space.candidates[3]:",
                            "space.rules[0].at_most:",
                            "space.rules[1].not_first[0]:",
                            "space.rules[2].of:",
                            "space.rules[3]:",
                            "objectives[0]:",
                            "objectives[1]:",
                            "constraints[0]:",
                            "strategy:",
                            "baselines[0].layout:6:",
                            "nmae:"}) {
    EXPECT_THAT(result.err, HasSubstr(place));
  }
}

TEST(BadStudyTest, ValidateNamesTheFile) {
  const Result result = run_plait("validate examples/quickstart.json tests/cli/data/twenty_mistakes.json");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.out, HasSubstr("examples/quickstart.json: study, no problems"));
  EXPECT_THAT(result.err, HasSubstr("tests/cli/data/twenty_mistakes.json: model.dtype: "));
}

TEST(BadStudyTest, AnImpossibleSpaceNamesTheRulesThatContradict) {
  const ScratchFolder scratch;
  nlohmann::json study = nlohmann::json::parse(read_file(PLAIT_SOURCE_DIR "/examples/quickstart.json"));
  study["space"]["rules"] =
      nlohmann::json::parse(R"([{"at_most_kinds": 1, "of": ["G", "H"]}, {"at_least": 14, "of": ["*"]},
                                                      {"not_adjacent": ["*"]}])");
  std::ofstream(scratch / "study.json") << study;
  const Result result = run_plait("search " + (scratch / "study.json").string());
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("at least 14 of *"));
  EXPECT_THAT(result.err, HasSubstr("adjacent"));
  EXPECT_THAT(result.err, Not(HasSubstr("at most 1")));
}

TEST(BadStudyTest, AnEmptyFrontSaysWhy) {
  const ScratchFolder scratch;
  nlohmann::json study = nlohmann::json::parse(read_file(PLAIT_SOURCE_DIR "/examples/quickstart.json"));
  study["strategy"] = "random";
  study["budget"] = 5;
  study["constraints"] = nlohmann::json::parse(R"([{"metric": "parameters", "max": 1}])");
  std::ofstream(scratch / "study.json") << study;
  const Result outside = run_plait("search " + (scratch / "study.json").string());
  EXPECT_EQ(outside.exit_code, 0);
  EXPECT_THAT(outside.out, HasSubstr("5 layouts are outside the constraints"));

  study.erase("constraints");
  study["workload"] = {{"context", "1024G"}, {"batch", 1 << 24}};
  std::ofstream(scratch / "study.json") << study;
  const Result failed = run_plait("search " + (scratch / "study.json").string());
  EXPECT_THAT(failed.out + failed.err, HasSubstr("exceeds 2^63 - 1"));
}

TEST(BadStudyTest, NumbersAndNestingThatNoStudyHasAreExplained) {
  const ScratchFolder scratch;
  const std::string file = (scratch / "study.json").string();
  std::ofstream(file) << R"({"budget": 1e999})";
  EXPECT_THAT(run_plait("search " + file).err, HasSubstr("1e999"));
  std::ofstream(file) << std::string(200'000, '[');
  EXPECT_THAT(run_plait("search " + file).err, HasSubstr("nested more than 64 deep"));
}

TEST(BadStudyTest, AStrategyThatCannotSearchSaysWhy) {
  const Result result = run_plait("search examples/paper-72.json --strategy exact_front");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("published_lm_average"));
}

class JournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(run_plait("search examples/laptop.json --out " + folder_).exit_code, 0);
    intact_ = read_file(journal_);
  }
  /// The journal is explained and left as it is, both with and without --resume.
  void expect_refused(const std::string& content, const std::string& words) {
    std::ofstream(journal_, std::ios::binary | std::ios::trunc) << content;
    for (const char* option : {"", " --resume"}) {
      const Result result = run_plait("search examples/laptop.json --out " + folder_ + option);
      EXPECT_EQ(result.exit_code, 2) << option;
      EXPECT_THAT(result.err, HasSubstr(words)) << option;
      EXPECT_EQ(read_file(journal_), content) << "the journal was changed";
    }
  }

  ScratchFolder scratch_;
  std::string folder_ = (scratch_ / "run").string();
  std::string journal_ = (scratch_ / "run" / "journal.jsonl").string();
  std::string intact_;
};

TEST_F(JournalTest, IsNotOverwrittenWithoutResume) {
  const Result again = run_plait("search examples/laptop.json --out " + folder_);
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.err, HasSubstr("--resume"));
  EXPECT_EQ(read_file(journal_), intact_);
}

TEST_F(JournalTest, ForeignAndDamagedFilesAreExplained) {
  expect_refused("id,layout\n1,GGG\n", "journal.jsonl");
  std::string damaged = intact_;
  damaged[damaged.size() / 2] ^= 1;
  expect_refused(damaged, "line");
  std::string gap = intact_;
  const std::size_t second = gap.find('\n') + 1;
  gap.erase(second, gap.find('\n', second) + 1 - second);
  expect_refused(gap, "journal.jsonl");
}

TEST_F(JournalTest, AnotherStudyIsRefused) {
  const Result result = run_plait("search examples/laptop.json --seed 5 --resume --out " + folder_);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("another study"));
  EXPECT_THAT(result.err, HasSubstr("seed"));
  EXPECT_EQ(read_file(journal_), intact_);
}

TEST_F(JournalTest, ATornLastRecordIsDroppedAndDoneAgain) {
  std::ofstream(journal_, std::ios::binary | std::ios::trunc) << intact_.substr(0, intact_.size() - 40);
  const Result result = run_plait("search examples/laptop.json --resume --out " + folder_);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("unfinished record"));
  EXPECT_EQ(read_file(journal_), intact_);
}

TEST(DiskTest, AFullDiskStopsCleanlyWithTheJournalIntact) {
  const ScratchFolder scratch;
  const std::string folder = (scratch / "run").string();
  // A file size limit of 64 KiB stands in for the full disk: the same failing write.
  const Result full = run_plait("search examples/phone.json --out " + folder, "ulimit -f 64;");
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_THAT(full.err, HasSubstr("journal.jsonl"));
  const Result shown = run_plait("show " + folder + " --json");
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  const Result resumed = run_plait("search examples/phone.json --resume --json --out " + folder);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(resumed.out, run_plait("search examples/phone.json --json").out);
}

TEST(DiskTest, AFolderThatCannotBeWrittenIsAFailureOfTheWork) {
  const Result result = run_plait("search examples/laptop.json --out /proc/plait");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("/proc/plait"));
}

TEST(OutputTest, AStdoutThatCannotBeWrittenIsReported) {
  const int status = std::system("'" PLAIT_PROGRAM "' mixers >/dev/full 2>/dev/null");
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

}  // namespace
}  // namespace plait::testing
