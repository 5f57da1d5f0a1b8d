#include "costmodel/published_counts.h"

#include <gtest/gtest.h>

#include <array>

#include "costmodel/cost_report.h"
#include "src/spec/error.h"
#include "tests/costmodel/models.h"

namespace plait::costmodel {
namespace {

using spec::Dim;

constexpr Dim kWidth = 2048;
constexpr Dim kHeads = 8;

/// F / (d L) of 24 layers, `full` of them attention: the column c of the published tables.
std::int64_t cost(const spec::Mixer& linear, Dim full, Dim context) {
  const std::int64_t flops = full * recurrent_mixer_flops(spec::FullAttention{}, kWidth, context) +
                             (24 - full) * recurrent_mixer_flops(linear, kWidth, context);
  EXPECT_EQ(flops % (kWidth * context), 0);
  return flops / (kWidth * context);
}

struct Family {
  const char* name;
  spec::Mixer mixer;
  std::array<std::int64_t, 5> at_4k;  // pure, 24-1, 12-1, 6-1, 3-1
  std::array<std::int64_t, 5> at_32k;
};

// The 30 hybrids behind Fig. 3 of arXiv 2507.06457 at both lengths, d = 2048, 8 heads for every family.
TEST(PublishedCountsTest, ReproducesBothCostTablesOfTheSeedPaper) {
  const Family families[] = {
      {"HGRN", spec::Hgrn{}, {120, 8'307, 16'494, 32'868, 65'616}, {120, 65'651, 131'182, 262'244, 524'368}},
      {"RetNet",
       spec::RetNet{.heads = kHeads},
       {30'720, 37'632, 44'544, 58'368, 86'016},
       {30'720, 94'976, 159'232, 287'744, 544'768}},
      {"GLA",
       spec::Gla{.heads = kHeads},
       {43'008, 49'408, 55'808, 68'608, 94'208},
       {43'008, 106'752, 170'496, 297'984, 552'960}},
      {"HGRN2",
       spec::Hgrn2{.heads = kHeads},
       {43'008, 49'408, 55'808, 68'608, 94'208},
       {43'008, 106'752, 170'496, 297'984, 552'960}},
      {"DeltaNet",
       spec::DeltaNet{.heads = kHeads},
       {49'152, 55'296, 61'440, 73'728, 98'304},
       {49'152, 112'640, 176'128, 303'104, 557'056}},
      {"GDN",
       spec::GatedDeltaNet{.heads = kHeads},
       {49'152, 55'296, 61'440, 73'728, 98'304},
       {49'152, 112'640, 176'128, 303'104, 557'056}},
  };
  const std::array<Dim, 5> full = {0, 1, 2, 4, 8};
  for (const auto& family : families) {
    SCOPED_TRACE(family.name);
    for (std::size_t i = 0; i < full.size(); ++i) {
      EXPECT_EQ(cost(family.mixer, full[i], 4096), family.at_4k[i]) << full[i];
      EXPECT_EQ(cost(family.mixer, full[i], 32'768), family.at_32k[i]) << full[i];
    }
  }
  EXPECT_EQ(cost(spec::FullAttention{}, 24, 4096), 196'608);
  EXPECT_EQ(cost(spec::FullAttention{}, 24, 32'768), 1'572'864);
}

TEST(PublishedCountsTest, ReproducesTheExactFlopsOfTheFronts) {
  const auto flops = [](const spec::Mixer& linear, Dim full, Dim context) {
    return full * recurrent_mixer_flops(spec::FullAttention{}, kWidth, context) +
           (24 - full) * recurrent_mixer_flops(linear, kWidth, context);
  };
  const spec::Hgrn2 hgrn2{.heads = kHeads};
  EXPECT_EQ(flops(spec::Hgrn{}, 0, 4096), 1'006'632'960);
  EXPECT_EQ(flops(spec::Hgrn{}, 1, 4096), 69'684'166'656);
  EXPECT_EQ(flops(hgrn2, 4, 4096), 575'525'617'664);
  EXPECT_EQ(flops(hgrn2, 24, 4096), 1'649'267'441'664);
  EXPECT_EQ(flops(spec::Hgrn{}, 0, 32'768), 8'053'063'680);
  EXPECT_EQ(flops(spec::RetNet{.heads = kHeads}, 0, 32'768), 2'061'584'302'080);
  EXPECT_EQ(flops(hgrn2, 0, 32'768), 2'886'218'022'912);
  EXPECT_EQ(flops(spec::GatedDeltaNet{.heads = kHeads}, 0, 32'768), 3'298'534'883'328);
  EXPECT_EQ(flops(spec::Hgrn{}, 1, 32'768), 4'405'764'030'464);
  EXPECT_EQ(flops(hgrn2, 4, 32'768), 19'997'367'730'176);
  EXPECT_EQ(flops(hgrn2, 24, 32'768), 105'553'116'266'496);
}

TEST(PublishedCountsTest, AWindowThatCoversTheContextCountsAsFullAttention) {
  spec::SlidingWindowAttention window;
  window.window = 4096;
  EXPECT_EQ(recurrent_mixer_flops(window, 512, 4096), recurrent_mixer_flops(spec::FullAttention{}, 512, 4096));
  EXPECT_LT(recurrent_mixer_flops(window, 512, 8192), recurrent_mixer_flops(spec::FullAttention{}, 512, 8192));
}

TEST(PublishedCountsTest, BranchesAddUp) {
  const spec::ParallelMixer parallel{.branches = {spec::FullAttention{}, spec::Mamba2{}}};
  EXPECT_EQ(recurrent_mixer_flops(parallel, 2048, 4096), recurrent_mixer_flops(spec::FullAttention{}, 2048, 4096) +
                                                             recurrent_mixer_flops(spec::Mamba2{}, 2048, 4096));
}

TEST(PublishedCountsTest, HeadCountsThatDoNotDivideLoseLessThanOneFlop) {
  const spec::RetNet retnet{.heads = 3};
  EXPECT_EQ(recurrent_mixer_flops(retnet, 64, 100), 5 * 100 * 64 * 64 / 3);
}

TEST(PublishedCountsTest, RefusesToWrap) {
  EXPECT_THROW(recurrent_mixer_flops(spec::FullAttention{}, 1 << 20, Dim{1} << 28), spec::SpecError);
}

}  // namespace
}  // namespace plait::costmodel
