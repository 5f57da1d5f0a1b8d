#include <gmock/gmock.h>

#include <algorithm>

#include "tests/cli/program.h"

namespace plait::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;

std::vector<std::string> studies() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(fs::path(PLAIT_SOURCE_DIR) / "examples")) {
    if (entry.path().extension() != ".json") continue;
    if (nlohmann::json::parse(read_file(entry.path())).contains("space")) names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

TEST(ExamplesTest, TheIssuesStudiesAreThere) {
  for (const char* name : {"quickstart", "paper-72", "laptop", "phone"}) EXPECT_THAT(studies(), Contains(name));
}

class ExampleStudyTest : public ::testing::TestWithParam<std::string> {};

TEST_P(ExampleStudyTest, RunsAndPrintsTheSameBytesWhateverTheNumberOfWorkers) {
  const std::string study = "search examples/" + GetParam() + ".json --json";
  const Result one = run_plait(study + " --workers 1");
  ASSERT_EQ(one.exit_code, 0) << one.err;
  EXPECT_EQ(run_plait(study + " --workers 3").out, one.out);
  const nlohmann::json json = one.json();
  EXPECT_EQ(json["study"], GetParam());
  EXPECT_GE(json["front"].size(), 3u);
  EXPECT_EQ(json["counts"]["failed"], 0);
  for (const auto& point : json["front"]) {
    for (const auto& objective : json["objectives"]) {
      EXPECT_TRUE(point["metrics"].contains(objective["metric"].get<std::string>())) << point;
    }
  }
}

TEST_P(ExampleStudyTest, StoredResultsAreShownAndDrawn) {
  const ScratchFolder scratch;
  const std::string run = (scratch / "run").string();
  const Result searched = run_plait("search examples/" + GetParam() + ".json --json --out " + run);
  ASSERT_EQ(searched.exit_code, 0) << searched.err;
  EXPECT_EQ(read_file(scratch / "run" / "results.json"), searched.out);
  const Result shown = run_plait("show " + run + " --json --svg " + run + "/f.svg --png " + run + "/f.png --html " +
                                 run + "/f.html --csv " + run + "/f.csv");
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_EQ(shown.out, searched.out);
  EXPECT_THAT(read_file(scratch / "run" / "f.svg"), HasSubstr("</svg>"));
  EXPECT_EQ(read_file(scratch / "run" / "f.png").substr(1, 3), "PNG");
  EXPECT_THAT(read_file(scratch / "run" / "f.html"), HasSubstr("</html>"));
  const std::string csv = read_file(scratch / "run" / "f.csv");
  const nlohmann::json json = searched.json();
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(csv, '\n')),
            1 + json["counts"]["evaluated"].get<std::size_t>() + json["baselines"].size());
}

INSTANTIATE_TEST_SUITE_P(All, ExampleStudyTest, ::testing::ValuesIn(studies()), [](const auto& example) {
  std::string name = example.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(ExamplesTest, TheSearchOfThePaperPrintsBothPublishedFronts) {
  const Result result = run_plait("search examples/paper-72.json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::size_t at_4k = result.out.find("@4k");
  const std::size_t at_32k = result.out.find("@32k");
  ASSERT_NE(at_4k, std::string::npos) << result.out;
  ASSERT_LT(at_4k, at_32k);
  const std::string short_front = result.out.substr(0, at_32k);
  const std::string long_front = result.out.substr(at_32k);
  for (const char* name : {"HGRN pure", "HGRN 24-1", "HGRN2 6-1", "Transformer"}) {
    EXPECT_THAT(short_front, HasSubstr(name));
    EXPECT_THAT(long_front, HasSubstr(name));
  }
  for (const char* name : {"RetNet pure", "HGRN2 pure", "Gated DeltaNet pure"})
    EXPECT_THAT(long_front, HasSubstr(name));
}

TEST(ExamplesTest, TheRecommendedLayoutOfTheQuickstartIsExportedForFla) {
  const ScratchFolder scratch;
  const std::string run = (scratch / "run").string();
  const std::string out = (scratch / "model").string();
  ASSERT_EQ(run_plait("search examples/quickstart.json --out " + run).exit_code, 0);
  const Result exported = run_plait("export " + run + " --trial recommended --to fla --out " + out);
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  const nlohmann::json config = nlohmann::json::parse(read_file(scratch / "model" / "config.json"));
  EXPECT_EQ(config["num_hidden_layers"], 24);
  EXPECT_EQ(run_plait("export " + run + " --trial recommended --to fla --out " + out).exit_code, 2)
      << "files are not overwritten";
  EXPECT_EQ(run_plait("export " + run + " --trial recommended --to fla --force --out " + out).exit_code, 0);
  const Result cost = run_plait("cost " + out + "/config.json --json");
  ASSERT_EQ(cost.exit_code, 0) << cost.err;
  const nlohmann::json expected = nlohmann::json::parse(read_file(scratch / "model" / "expected.json"));
  EXPECT_EQ(cost.json()["parameters"]["total"], expected["parameters"]);
}

}  // namespace
}  // namespace plait::testing
