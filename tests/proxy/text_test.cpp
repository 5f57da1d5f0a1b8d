#include "src/proxy/tasks/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "src/proxy/task.h"
#include "src/spec/error.h"

namespace plait::proxy {
namespace {

namespace fs = std::filesystem;

class TextFolder : public testing::Test {
 protected:
  TextFolder() {
    const std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = fs::path(testing::TempDir()) / ("plait_text_folder_" + test);
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "b");
  }
  ~TextFolder() override { fs::remove_all(folder_); }
  void write(const std::string& name, std::string_view content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }
  static std::string problem(const std::string& text) {
    try {
      make_task("bytes", {.text = text});
    } catch (const spec::SpecError& error) {
      return error.problems().at(0).path + ": " + error.problems().at(0).message;
    }
    return "";
  }
  fs::path folder_;
};

TEST_F(TextFolder, IsReadInTheOrderOfPathsWithoutBinaryFilesAndLinks) {
  write("c", "three");
  write("a", "one ");
  write("b/x", "two ");
  write("binary", std::string_view("no\0t text", 9));
  fs::create_symlink(folder_ / "a", folder_ / "link");
  EXPECT_EQ(tasks::read_text(folder_.string(), 1000), "one two three");
  EXPECT_EQ(tasks::read_text(folder_.string(), 6), "one tw");
  EXPECT_EQ(tasks::read_text((folder_ / "c").string(), 1000), "three");
}

TEST_F(TextFolder, MissingEmptyOrShortIsOneClearError) {
  EXPECT_EQ(problem((folder_ / "none").string()), "text: \"" + (folder_ / "none").string() + "\" is no file or folder");
  EXPECT_EQ(problem(folder_.string()), "text: no text can be read in \"" + folder_.string() + "\"");
  write("short", std::string(500, 'a'));
  EXPECT_THAT(problem((folder_ / "short").string()), testing::StartsWith("text: 500 bytes of text are too short"));
  std::string no_repeats;
  for (int i = 0; i < 40000; ++i) no_repeats += std::to_string(i * 7919 % 100003);
  write("no_repeats", no_repeats);
  EXPECT_THAT(problem((folder_ / "no_repeats").string()), testing::HasSubstr("that repeat an earlier passage"));
}

TEST(Text, OfTheMachineIsEnoughForTheTask) {
  if (!fs::exists("/usr/share/common-licenses")) GTEST_SKIP() << "no Debian";
  const auto task = make_task("bytes", {});
  const Batch batch = task->make(batch_keys({1}, 0, Split::test, at::kCPU), 8, task->test_loads().front(), Split::test);
  EXPECT_EQ(batch.tokens.sizes(), (at::IntArrayRef{1, 8, 256}));
  EXPECT_GT(batch.candidates, 8);
  EXPECT_LT(batch.candidates, 64);
}

TEST(RecallPositions, AreWhereTheLastEightBytesStoodSixtyFourBeforeWithTheSameNext) {
  const std::string fill = "0123456789!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~ABCDEFGHIJKLMNOPQRSTUVWXYZ";  // no repeats
  ASSERT_GE(fill.size(), 64u);
  // The passage stands at 0 ... 11 and again at 12 + |fill| ...: eight bytes of it foretell the next from its eighth
  // on.
  const std::int64_t again = 12 + static_cast<std::int64_t>(fill.size());
  EXPECT_EQ(tasks::recall_positions("abcdefghijkl" + fill + "abcdefghijklm"),
            (std::vector<std::int64_t>{again + 7, again + 8, again + 9, again + 10}));
  // Another byte after it: not there.
  EXPECT_EQ(tasks::recall_positions("abcdefghijkl" + fill + "abcdefghXjkl"), (std::vector<std::int64_t>{}));
  // Exactly 64 back counts, 63 does not.
  const std::string passage = "abcdefghi";
  EXPECT_EQ(tasks::recall_positions(passage + fill.substr(0, 55) + passage), (std::vector<std::int64_t>{71}));
  EXPECT_EQ(tasks::recall_positions(passage + fill.substr(0, 54) + passage), (std::vector<std::int64_t>{}));
  EXPECT_EQ(tasks::recall_positions("short"), (std::vector<std::int64_t>{}));
}

}  // namespace
}  // namespace plait::proxy
