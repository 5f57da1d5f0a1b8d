#include "src/spec/json_reader.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "tests/support/expect_problems.h"

namespace plait::spec {
namespace {

using ::plait::testing::problem;
using ::plait::testing::problems_of;
using ::testing::ElementsAre;

TEST(ObjectReaderTest, CollectsEveryProblemAndGoesOn) {
  const Json json = Json::parse(R"({"width": "wide", "depth": -3, "rate": true, "nmae": "x", "kind": "smal"})");
  Problems problems;
  ObjectReader object(json, "model", problems);
  EXPECT_EQ(object.integer("width", 1, 10, 4), 4);
  EXPECT_EQ(object.integer("depth", 1, 10, 5), 5);
  object.number("rate", 0, 1, 0.5);
  object.string("name", "default");
  object.one_of("kind", {"small", "large"}, 0);
  object.integer("heads", 1, 8);
  object.finish();
  EXPECT_THAT(
      problems.list(),
      ElementsAre(problem("model.width", "\"wide\" is not a size"), problem("model.depth", "allowed are 1 to 10"),
                  problem("model.rate", "must be a number, not a boolean (true)"),
                  problem("model.kind", "did you mean \"small\"?"), problem("model.heads", "is missing"),
                  problem("model.nmae", "did you mean \"name\"?")));
}

TEST(ObjectReaderTest, AValueThatIsNoObjectIsReportedOnce) {
  const Json json = 3;
  Problems problems;
  ObjectReader object(json, "model", problems);
  object.integer("width", 1, 10);
  object.string("name");
  object.finish();
  EXPECT_THAT(problems.list(), ElementsAre(problem("model", "must be an object, not an integer (3)")));
}

TEST(ObjectReaderTest, KeysThatStartWithAnUnderscoreAreComments) {
  const Json json = Json::parse(R"({"_why": "because"})");
  Problems problems;
  ObjectReader(json, "", problems).finish();
  EXPECT_TRUE(problems.empty());
}

TEST(ObjectReaderTest, IntegersPastInt64AreOutOfRangeNotWrapped) {
  const Json json = Json::parse(R"({"n": 18446744073709551615})");
  Problems problems;
  ObjectReader object(json, "", problems);
  object.integer("n", 0, 100, 7);
  EXPECT_THAT(problems.list(), ElementsAre(problem("n", "out of range")));
}

TEST(SizeTest, ParsesPowersOf1024) {
  EXPECT_EQ(parse_size("32768"), 32768);
  EXPECT_EQ(parse_size("32k"), 32768);
  EXPECT_EQ(parse_size("2M"), 2097152);
  EXPECT_EQ(parse_size("1G"), 1073741824);
  for (const char* bad : {"", "k", "-1", "3.5k", "32kB", "9223372036854775807k"}) EXPECT_FALSE(parse_size(bad)) << bad;
}

TEST(SizeTest, FormatsExactlyWhatItParses) {
  for (const Dim value : {Dim{0}, Dim{1}, Dim{1000}, Dim{32768}, Dim{3} << 20, Dim{5} << 30}) {
    EXPECT_EQ(parse_size(format_size(value)), value);
  }
  EXPECT_EQ(format_size(32768), "32k");
  EXPECT_EQ(format_size(2097152), "2M");
}

class JsonFileTest : public ::testing::Test {
 protected:
  std::string write(const std::string& text) {
    std::ofstream(file_) << text;
    return file_;
  }
  void TearDown() override { std::filesystem::remove(file_); }
  std::string file_ = (std::filesystem::temp_directory_path() / "plait_json_reader_test.json").string();
};

TEST_F(JsonFileTest, SyntaxErrorsNameFileLineAndColumn) {
  const std::string file = write("{\n  \"a\": 1,\n  \"b\" 2\n}");
  EXPECT_THAT(problems_of([&] { read_json_file(file); }), ElementsAre(problem(file, "line 3, column 7")));
}

TEST_F(JsonFileTest, DuplicateKeysAreRefused) {
  const std::string file = write(R"({"a": {"b": 1, "b": 2}, "c": 1})");
  EXPECT_THAT(problems_of([&] { read_json_file(file); }), ElementsAre(problem(file, "\"b\" is given twice")));
}

TEST_F(JsonFileTest, TheSameKeyInDifferentObjectsIsFine) {
  EXPECT_EQ(read_json_file(write(R"({"a": {"b": 1}, "c": {"b": 2}})"))["c"]["b"], 2);
}

TEST(ParseJsonTest, NumbersPastTheRangeOfADoubleAreRefused) {
  for (const std::string number : {"1e999", "-1e999"}) {
    EXPECT_THAT(problems_of([&] { parse_json("{\"a\": " + number + "}", "text"); }),
                ElementsAre(problem("text", number)));
  }
}

TEST(ParseJsonTest, DeepNestingIsRefused) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NO_THROW(parse_json(nested(kMaxJsonDepth), "text"));
  EXPECT_THAT(problems_of([&] { parse_json(nested(kMaxJsonDepth + 2), "text"); }),
              ElementsAre(problem("text", "nested more than 64 deep")));
  EXPECT_THAT(problems_of([] { parse_json(std::string(1'000'000, '['), "text"); }),
              ElementsAre(problem("text", "nested more than 64 deep")));
}

TEST(ObjectReaderTest, LongTextIsCutBetweenCharacters) {
  Problems problems;
  std::string text;
  for (int i = 0; i < 40; ++i) text += "\u00e4";
  ObjectReader(Json{{"a", "x" + text}}, "", problems).number("a", 0, 1);
  ObjectReader(Json{{"a", text}}, "", problems).number("a", 0, 1);
  ASSERT_EQ(problems.size(), 2u);
  for (const Problem& problem : problems.list()) EXPECT_NO_THROW(Json(problem.message).dump()) << problem.message;
}

TEST_F(JsonFileTest, AMissingFileIsASystemError) {
  EXPECT_THROW(read_json_file("/nonexistent/plait.json"), std::system_error);
}

}  // namespace
}  // namespace plait::spec
