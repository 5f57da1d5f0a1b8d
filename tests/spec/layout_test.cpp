#include "src/spec/layout.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "src/spec/notation.h"
#include "tests/support/arbitrary_layout.h"
#include "tests/support/expect_problems.h"

namespace plait::spec {
namespace {

using ::plait::testing::problem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Palette kPalette = Palette::defaults(256);

Layout parse(std::string_view text) { return parse_layout(text, kPalette); }

TEST(LayoutTest, BothRatioConventionsOfTheLiterature) {
  const LayerSpec linear = parse("G").layers[0];
  const LayerSpec full = parse("*").layers[0];
  // arXiv 2507.06457, released checkpoints: "12-1" of 24 layers has full layers 12 and 24 (1-based).
  EXPECT_EQ(Layout::one_full_in(12, 24, linear, full), parse("(Gx11*)x2"));
  EXPECT_EQ(count_full(Layout::one_full_in(3, 24, linear, full)), 8u);
  EXPECT_EQ(count_full(Layout::one_full_in(0, 24, linear, full)), 0u);
  // The same paper's text, and Kimi Linear: 3:1 is three linear layers, then a full one.
  EXPECT_EQ(Layout::linear_per_full(3, 24, linear, full), parse("(GGG*)x6"));
  EXPECT_EQ(Layout::linear_per_full(3, 6, linear, full), parse("GGG*GG"));
}

TEST(CanonicalTest, AWindowThatCoversTheContextIsFullAttention) {
  Layout layout = parse("S");
  std::get<SlidingWindowAttention>(layout.layers[0].mixer).window = 4096;
  EXPECT_EQ(canonical(layout, 4096), canonical(parse("*"), 4096));
  EXPECT_EQ(canonical(layout, 4097), layout);
  EXPECT_EQ(canonical(layout), layout);
}

TEST(CanonicalTest, BranchesAreSortedAndASingleBranchIsItself) {
  EXPECT_EQ(canonical(parse("[M*]")), canonical(parse("[*M]")));
  Layout single = parse("M");
  single.layers[0].mixer = ParallelMixer{{std::get<Mamba2>(parse("M").layers[0].mixer)}};
  EXPECT_EQ(canonical(single), parse("M"));
}

TEST(CanonicalTest, MembersWithoutEffectTakeTheirDefaults) {
  Layout layout = parse("*");
  auto& attention = std::get<FullAttention>(layout.layers[0].mixer);
  attention.rope_theta = 0;
  Layout other = layout;
  std::get<FullAttention>(other.layers[0].mixer).rope_fraction = 0.25;
  EXPECT_NE(layout, other);
  EXPECT_EQ(layout_hash(layout), layout_hash(other));
}

TEST(LayoutHashTest, IsStableAcrossBuilds) {
  // Journals and caches store these; a change here makes them unreadable and needs a new format version.
  EXPECT_EQ(layout_hash(parse("(GGG*)x6")).hex(), "7702e85068e8cf0f8b0185918e905c34");
}

RC_GTEST_PROP(LayoutHashTest, EqualLayoutsAndOnlyThoseHashEqually, ()) {
  const Layout a = *testing::arbitrary_layout(256, 6);
  const Layout b = *testing::arbitrary_layout(256, 6);
  RC_ASSERT((canonical(a) == canonical(b)) == (layout_hash(a) == layout_hash(b)));
  RC_ASSERT(canonical(canonical(a)) == canonical(a));
}

std::vector<Problem> problems_in(const Layout& layout) {
  Problems problems;
  validate(layout, 256, "layers", problems);
  return problems.list();
}

TEST(ValidateTest, HeadsThatDoNotDivideAreLocated) {
  Layout layout = parse("G*");
  std::get<GatedDeltaNet>(layout.layers[0].mixer) = {.heads = 4, .value_heads = 6};
  auto& attention = std::get<FullAttention>(layout.layers[1].mixer);
  attention.heads = 4;
  attention.kv_heads = 3;
  EXPECT_THAT(problems_in(layout),
              ElementsAre(problem("layers[0].mixer.value_heads", "6 is not a multiple of heads (4)"),
                          problem("layers[1].mixer.heads", "4 is not a multiple of kv_heads (3)")));
}

TEST(ValidateTest, DimensionsOutOfRangeAreLocatedInsideBranches) {
  Layout layout = parse("[*M]");
  std::get<Mamba2>(std::get<ParallelMixer>(layout.layers[0].mixer).branches[1]).state_dim = 0;
  EXPECT_THAT(problems_in(layout), ElementsAre(problem("layers[0].mixer.branches[1].state_dim", "0 is out of range")));
}

TEST(ValidateTest, TheFirstLayerHasNothingToReuse) {
  Layout layout = parse("**");
  layout.layers[0].kv_from = 0;
  layout.layers[0].weights_from = 1;
  EXPECT_THAT(problems_in(layout), ElementsAre(problem("layers[0].kv_from", "no earlier layer"),
                                               problem("layers[0].weights_from", "no earlier layer")));
}

TEST(ValidateTest, AParallelMixerHasAFewBranches) {
  Layout layout = parse("[*M]*");
  auto& branches = std::get<ParallelMixer>(layout.layers[0].mixer).branches;
  branches.assign(kMaxBranches + 1, FullAttention{});
  EXPECT_THAT(problems_in(layout), ElementsAre(problem("layers[0].mixer.branches", "1 to 16 branches, not 17")));
  branches.clear();
  EXPECT_THAT(problems_in(layout), ElementsAre(problem("layers[0].mixer.branches", "1 to 16 branches, not 0")));
}

TEST(ValidateTest, LinksMustPointBackToALayerThatFits) {
  Layout layout = parse("*G****");
  layout.layers[2].kv_from = 0;  // fine
  layout.layers[3].kv_from = 1;  // Gated DeltaNet keeps no keys
  layout.layers[4].kv_from = 5;  // forward
  layout.layers[5].kv_from = 2;  // which itself reuses layer 0
  EXPECT_THAT(problems_in(layout), ElementsAre(problem("layers[3].kv_from", "keeps no keys and values"),
                                               problem("layers[4].kv_from", "5 is not an earlier layer"),
                                               problem("layers[5].kv_from", "itself reuses layer 0")));
  Layout shared = parse("G*G");
  shared.layers[2].weights_from = 1;
  EXPECT_THAT(problems_in(shared), ElementsAre(problem("layers[2].weights_from", "weights do not fit")));
  shared.layers[2].weights_from = 0;
  EXPECT_THAT(problems_in(shared), IsEmpty());
}

}  // namespace
}  // namespace plait::spec
