#include "src/quality/published.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "src/spec/mixer.h"

namespace plait::quality {
namespace {

double mean_at(const std::vector<RatioCell>& cells, const std::string& ratio) {
  double sum = 0;
  int count = 0;
  for (const RatioCell& cell : cells) {
    if (cell.ratio != ratio) continue;
    sum += cell.value;
    ++count;
  }
  return sum / count;
}

TEST(PublishedTables, HoldEveryCellOnce) {
  const PublishedTables& tables = published_tables();
  EXPECT_EQ(tables.lm_average.size(), 30u);
  EXPECT_EQ(tables.recall.size(), 20u);
  EXPECT_EQ(tables.placement.size(), 35u);
  EXPECT_EQ(tables.kimi.size(), 5u);
  for (const auto* cells : {&tables.lm_average, &tables.recall}) {
    for (const RatioCell& cell : *cells) {
      EXPECT_TRUE(spec::find_mixer(cell.mixer)) << cell.mixer;
      EXPECT_EQ(std::ranges::count_if(*cells,
                                      [&](const RatioCell& c) { return c.mixer == cell.mixer && c.full == cell.full; }),
                1);
    }
  }
}

// The paper prints these averages; .0006 because two of them (.3385 and .4785) are printed rounded the wrong way.
TEST(PublishedTables, AverageToThePrintedAverages) {
  const PublishedTables& tables = published_tables();
  const std::map<std::string, std::pair<double, double>> printed = {{"24-1", {.476, .338}},
                                                                    {"12-1", {.478, .340}},
                                                                    {"6-1", {.480, .390}},
                                                                    {"3-1", {.479, .397}},
                                                                    {"pure", {.472, .256}}};
  for (const auto& [ratio, averages] : printed) {
    EXPECT_NEAR(mean_at(tables.lm_average, ratio), averages.first, 6e-4) << ratio;
    EXPECT_NEAR(mean_at(tables.recall, ratio), averages.second, 6e-4) << ratio;
  }
}

TEST(PublishedTables, PlacementRowsAreWellFormed) {
  std::map<std::string, int> rows;
  for (const PlacementCell& cell : published_tables().placement) {
    ++rows[cell.size];
    EXPECT_TRUE(std::ranges::is_sorted(cell.full)) << cell.name();
    EXPECT_EQ(std::ranges::adjacent_find(cell.full), cell.full.end()) << cell.name();
    if (!cell.full.empty()) {
      EXPECT_GE(cell.full.front(), 1u);
      EXPECT_LE(cell.full.back(), cell.layers);
    }
    EXPECT_EQ(cell.ratio == "pure", cell.full.empty());
    EXPECT_EQ(cell.ratio == "all", cell.full.size() == cell.layers);
  }
  EXPECT_EQ(rows["1B"], 18);
  EXPECT_EQ(rows["350M"], 17);
}

TEST(PublishedLookup, FindsCellsByMixerAndFullLayers) {
  EXPECT_EQ(published_recall("gated_delta_net", 8), 0.436);
  EXPECT_EQ(published_recall("gla", 0), 0.144);
  EXPECT_EQ(published_lm_average("hgrn2", 4), 0.494);
  EXPECT_EQ(published_lm_average("hgrn", 0), 0.459);
  EXPECT_EQ(published_recall("full_attention", 24), 0.423);
  EXPECT_DOUBLE_EQ(published_lm_average("full_attention", 24).value(), 0.496);
}

TEST(PublishedLookup, HasNothingWhereNothingWasPublished) {
  EXPECT_FALSE(published_recall("hgrn", 4));
  EXPECT_FALSE(published_recall("retnet", 0));
  EXPECT_FALSE(published_recall("gated_delta_net", 3));
  EXPECT_FALSE(published_lm_average("mamba2", 4));
  EXPECT_FALSE(published_recall("full_attention", 8));
}

TEST(PublishedLookup, ReadsRatiosAsOneFullLayerInEveryN) {
  EXPECT_EQ(published_full_layers("pure"), 0u);
  EXPECT_EQ(published_full_layers("24-1"), 1u);
  EXPECT_EQ(published_full_layers("12-1"), 2u);
  EXPECT_EQ(published_full_layers("6-1"), 4u);
  EXPECT_EQ(published_full_layers("3-1"), 8u);
  EXPECT_FALSE(published_full_layers("7-1"));
}

}  // namespace
}  // namespace plait::quality
