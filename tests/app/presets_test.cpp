#include "src/app/presets.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "costmodel/cost_report.h"
#include "src/spec/json_reader.h"

namespace plait::app {
namespace {

class PresetTest : public ::testing::TestWithParam<std::string> {};

// The total is that of the real library's model class, built from the published config.
TEST_P(PresetTest, HasThePublishedNumberOfParameters) {
  const std::string file = std::string(PLAIT_SOURCE_DIR) + "/examples/presets/" + GetParam() + ".json";
  const auto published = spec::read_json_file(file).at("_published_parameters").get<std::int64_t>();
  const Preset preset = find_preset(GetParam()).value();
  EXPECT_FALSE(preset.source.empty());
  const auto report = costmodel::cost_report(preset.model, {.context = 1024}, costmodel::find_hardware("h100"));
  EXPECT_EQ(report.parameters.total, published);
}

INSTANTIATE_TEST_SUITE_P(All, PresetTest, ::testing::ValuesIn(preset_ids()), [](const auto& id) { return id.param; });

TEST(PresetsTest, EveryFileIsCompiledIn) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(PLAIT_SOURCE_DIR) + "/examples/presets")) {
    EXPECT_TRUE(find_preset(entry.path().stem().string())) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, preset_ids().size());
  EXPECT_FALSE(find_preset("gpt-5"));
}

}  // namespace
}  // namespace plait::app
