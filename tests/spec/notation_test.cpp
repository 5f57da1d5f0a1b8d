#include "src/spec/notation.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/arbitrary_layout.h"
#include "tests/support/expect_problems.h"

namespace plait::spec {
namespace {

using ::plait::testing::problem;
using ::plait::testing::problems_of;
using ::testing::ElementsAre;

const Palette kPalette = Palette::defaults(256);

Layout parse(std::string_view text) { return parse_layout(text, kPalette); }
std::vector<Problem> problems_in(std::string_view text) {
  return problems_of([&] { parse(text); });
}

TEST(ParseLayoutTest, ExpandsRunsGroupsAndNesting) {
  EXPECT_EQ(letters(parse("(GGG*)x3")), "GGG*GGG*GGG*");
  EXPECT_EQ(letters(parse(" G x3 * ")), "GGG*");
  EXPECT_EQ(letters(parse("((Gx2*)x2M)x2")), "GG*GG*MGG*GG*M");
}

TEST(ParseLayoutTest, WithoutSuffixesEveryLayerHasTheDefaultChannelMixer) {
  EXPECT_EQ(parse("G").layers[0].channel_mixer, kPalette.channel_mixer);
}

TEST(ParseLayoutTest, WithSuffixesABareMixerStandsAloneAsInMegatron) {
  const Layout layout = parse("M-M*-ME");
  ASSERT_EQ(layout.size(), 4u);
  EXPECT_EQ(layout.layers[0].channel_mixer, kPalette.dense);
  EXPECT_EQ(layout.layers[1].channel_mixer, ChannelMixer{None{}});
  EXPECT_EQ(layout.layers[3].channel_mixer, kPalette.experts);
}

TEST(ParseLayoutTest, BracketsAreParallelBranchesAndDigitsVariants) {
  Palette palette = kPalette;
  SlidingWindowAttention wide = std::get<SlidingWindowAttention>(palette.mixers.at("S"));
  wide.window = 8192;
  palette.mixers["S2"] = wide;
  const Layout layout = parse_layout("[S2M]x2", palette);
  ASSERT_EQ(layout.size(), 2u);
  const auto& parallel = std::get<ParallelMixer>(layout.layers[1].mixer);
  EXPECT_EQ(parallel.branches[0], SingleMixer{wide});
  EXPECT_TRUE(std::holds_alternative<Mamba2>(parallel.branches[1]));
}

TEST(ParseLayoutTest, LinksNameAbsoluteLayers) {
  const Layout layout = parse("Gx2*G**@2G=0");
  EXPECT_EQ(layout.layers[5].kv_from, 2u);
  EXPECT_EQ(layout.layers[6].weights_from, 0u);
}

TEST(ParseLayoutTest, ReportsEveryUnknownMixerWithItsColumn) {
  EXPECT_THAT(problems_in("GQ*Z"), ElementsAre(problem("layout:2", "unknown mixer 'Q'; letters are * full attention"),
                                               problem("layout:4", "unknown mixer 'Z'")));
  EXPECT_THAT(problems_in("GS3"), ElementsAre(problem("layout:2", "no mixer \"S3\" is defined")));
}

TEST(ParseLayoutTest, ExplainsWhatIsMalformed) {
  EXPECT_THAT(problems_in(""), ElementsAre(problem("layout:1", "empty")));
  EXPECT_THAT(problems_in("(GG"), ElementsAre(problem("layout:4", "'(' of column 1 is not closed")));
  EXPECT_THAT(problems_in("GG)"), ElementsAre(problem("layout:3", "')' without '('")));
  EXPECT_THAT(problems_in("()x2G"), ElementsAre(problem("layout:1", "empty brackets")));
  EXPECT_THAT(problems_in("Gx0"), ElementsAre(problem("layout:2", "at least 1")));
  EXPECT_THAT(problems_in("Gx"), ElementsAre(problem("layout:2", "at least 1")));
  EXPECT_THAT(problems_in("[M]"), ElementsAre(problem("layout:1", "at least two branches")));
  EXPECT_THAT(problems_in("[M*"), ElementsAre(problem("layout:4", "'[' of column 1 is not closed")));
  EXPECT_THAT(problems_in("G--"), ElementsAre(problem("layout:3", "'-' must follow a mixer")));
  EXPECT_THAT(problems_in("3G"), ElementsAre(problem("layout:1", "unexpected '3'")));
  EXPECT_THAT(problems_in("**@1"), ElementsAre(problem("layout:3", "does not point to an earlier layer")));
  EXPECT_THAT(problems_in("*(*@0)"), ElementsAre(problem("layout:4", "not allowed inside brackets")));
  EXPECT_THAT(problems_in("**@0x2"), ElementsAre(problem("layout:5", "cannot be repeated")));
  EXPECT_THAT(problems_in("Gx99999"), ElementsAre(problem("layout:8", "more than 4096 layers")));
}

TEST(ParseLayoutTest, DeepNestingIsRefusedNotOverflowed) {
  EXPECT_THAT(problems_in(std::string(100000, '(')), ElementsAre(problem("layout:66", "nested more than 64 deep")));
}

TEST(PrintLayoutTest, FindsRunsAndRepeats) {
  EXPECT_EQ(print_layout(parse("GGG*GGG*GGG*"), kPalette), "(GGG*)x3");
  EXPECT_EQ(print_layout(parse("GGGGG*"), kPalette), "Gx5*");
  EXPECT_EQ(print_layout(parse("GG*"), kPalette), "GG*");
  EXPECT_EQ(print_layout(parse("MGGG*GGG*GGG*M"), kPalette), "M(GGG*)x3M");
}

RC_GTEST_PROP(PrintLayoutTest, ParsesBackToTheSameLayout, ()) {
  const Layout layout = *testing::arbitrary_layout(256, 30);
  const Palette palette = palette_for(layout);
  const std::string text = print_layout(layout, palette);
  RC_ASSERT(parse_layout(text, palette) == layout);
}

RC_GTEST_PROP(PrintLayoutTest, NeverLongerThanOneTokenPerLayer, ()) {
  const auto choices = *rc::gen::container<std::string>(200, rc::gen::element('G', '*', 'M'));
  RC_ASSERT(print_layout(parse(choices), kPalette).size() <= choices.size());
}

TEST(ParseLayoutTest, RefusesMoreBranchesThanALayerMayHave) {
  EXPECT_NO_THROW(parse("[" + std::string(kMaxBranches, '*') + "]"));
  EXPECT_THAT(problems_of([] { parse("[" + std::string(100'000, '*') + "]x4096"); }),
              ElementsAre(problem("layout:19", "more than 16 branches")));
}

TEST(PaletteForTest, NumbersTheVariantsOfALetter) {
  Layout layout = parse("S*S");
  std::get<SlidingWindowAttention>(layout.layers[2].mixer).window = 512;
  EXPECT_EQ(print_layout(layout, palette_for(layout)), "S*S2");
}

TEST(PaletteForTest, RefusesChannelMixersTheNotationCannotTellApart) {
  Layout layout = parse("GG");
  layout.layers[1].channel_mixer = SwiGlu{.width = 123};
  EXPECT_THAT(problems_of([&] { palette_for(layout); }), ElementsAre(problem("layout", "list form")));
}

}  // namespace
}  // namespace plait::spec
