#include "src/interchange/exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "src/spec/json_reader.h"
#include "tests/interchange/fla_models.h"

namespace plait::interchange {
namespace {

using spec::Json;

const spec::ModelSpec& hybrid() {
  static const spec::ModelSpec model = test::golden_models().front().model;
  return model;
}

TEST(ExporterTable, NamesAreDistinctAndFound) {
  std::set<std::string_view> names;
  for (const Exporter& row : exporter_table()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(find_exporter(row.name), &row);
    EXPECT_FALSE(row.summary.empty());
  }
  EXPECT_EQ(find_exporter("no such tool"), nullptr);
}

// What holds for every target, on what it takes and on what it refuses.
class EveryExporter : public testing::TestWithParam<Exporter> {};

TEST_P(EveryExporter, WritesTheSameFilesForTheSameModel) {
  const Exporter& target = GetParam();
  ASSERT_TRUE(target.supports(hybrid()).ok);
  const ExportBundle first = target.write(hybrid(), {});
  EXPECT_EQ(first.files, target.write(hybrid(), {}).files);
  std::set<std::string> names;
  for (const File& file : first.files) {
    EXPECT_TRUE(names.insert(file.name).second) << file.name;
    EXPECT_EQ(file.name.find('/'), std::string::npos);
    EXPECT_TRUE(file.content.ends_with("\n")) << file.name;
    EXPECT_EQ(first.find(file.name), &file.content);
  }
  EXPECT_THAT(names, testing::IsSupersetOf({"README.md", "provenance.json"}));
  EXPECT_EQ(first.find("absent"), nullptr);
}

TEST_P(EveryExporter, RefusesInWordsAndThrowsTheSameWords) {
  const Exporter& target = GetParam();
  spec::ModelSpec model = hybrid();
  model.layout.layers[1].mixer = spec::MLstm{};
  const Support support = target.supports(model);
  EXPECT_FALSE(support.ok);
  EXPECT_TRUE(support.notes.empty());
  ASSERT_FALSE(support.reasons.empty());
  try {
    target.write(model, {});
    FAIL() << "wrote an unsupported model";
  } catch (const spec::SpecError& error) {
    ASSERT_EQ(error.problems().size(), support.reasons.size());
    for (std::size_t i = 0; i < support.reasons.size(); ++i) {
      EXPECT_EQ(error.problems()[i].message, support.reasons[i]);
      EXPECT_THAT(error.problems()[i].path, testing::HasSubstr(std::string(target.name)));
    }
  }
}

TEST_P(EveryExporter, WritesProvenanceAndNoDateUnlessGiven) {
  Provenance provenance{"quick", "17", "(GGG*)x6", {{"recall", 0.25}, {"kv_cache_bytes", 1e9}}, "0.1.0", {}};
  const auto read = [&] { return Json::parse(*GetParam().write(hybrid(), provenance).find("provenance.json")); };
  Json json = read();
  EXPECT_EQ(json["study"], "quick");
  EXPECT_EQ(json["trial"], "17");
  EXPECT_EQ(json["layout"], "(GGG*)x6");
  EXPECT_EQ(json["version"], "0.1.0");
  EXPECT_EQ(json["metrics"]["recall"], 0.25);
  EXPECT_EQ(json["target"]["name"], GetParam().name);
  EXPECT_FALSE(json.contains("date"));
  provenance.date = "2026-11-23";
  EXPECT_EQ(read()["date"], "2026-11-23");
}

INSTANTIATE_TEST_SUITE_P(Table, EveryExporter, testing::ValuesIn(exporter_table().begin(), exporter_table().end()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace plait::interchange
