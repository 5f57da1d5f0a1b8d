#include "src/spec/mixer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "src/spec/layout.h"

namespace plait::spec {
namespace {

TEST(MixerTableTest, NamesAndLettersAreUniqueAndInVariantOrder) {
  std::set<std::string_view> names;
  std::set<char> letters;
  for (std::size_t i = 0; i < mixer_table().size(); ++i) {
    names.insert(mixer_table()[i].name);
    letters.insert(mixer_table()[i].letter);
    const Mixer mixer = default_mixer(i, 2048);
    EXPECT_EQ(mixer.index(), i) << mixer_table()[i].name;
    EXPECT_EQ(&mixer_info(mixer), &mixer_table()[i]);
    EXPECT_EQ(find_mixer(mixer_table()[i].name), i);
  }
  EXPECT_EQ(names.size(), mixer_table().size());
  EXPECT_EQ(letters.size(), mixer_table().size());
  EXPECT_FALSE(find_mixer("transformer"));
}

TEST(MixerTableTest, MegatronLettersStandForTheSameMixers) {
  EXPECT_EQ(mixer_info(Mamba2{}).letter, 'M');
  EXPECT_EQ(mixer_info(GatedDeltaNet{}).letter, 'G');
  EXPECT_EQ(mixer_info(FullAttention{}).letter, '*');
  EXPECT_EQ(mixer_info(MultiHeadLatentAttention{}).letter, '+');
}

TEST(DefaultMixerTest, FollowsTheClassDefaultsOfTheField) {
  const auto gdn = std::get<GatedDeltaNet>(default_mixer(*find_mixer("gated_delta_net"), 2048));
  EXPECT_EQ(gdn, (GatedDeltaNet{.heads = 8, .value_heads = 8, .key_head_dim = 256, .value_head_dim = 256}));
  const auto gla = std::get<Gla>(default_mixer(*find_mixer("gla"), 1024));
  EXPECT_EQ(gla, (Gla{.heads = 4, .kv_heads = 4, .key_head_dim = 128, .value_head_dim = 256}));
  const auto retnet = std::get<RetNet>(default_mixer(*find_mixer("retnet"), 2048));
  EXPECT_EQ(retnet, (RetNet{.heads = 8, .kv_heads = 8, .key_head_dim = 256, .value_head_dim = 512}));
  const auto mamba = std::get<Mamba2>(default_mixer(*find_mixer("mamba2"), 2048));
  EXPECT_EQ(mamba, (Mamba2{.heads = 64, .head_dim = 64, .state_dim = 128}));
}

RC_GTEST_PROP(DefaultMixerTest, IsValidAtEveryWidth, ()) {
  const auto d_model = *rc::gen::inRange<Dim>(1, 5000);
  for (std::size_t i = 0; i < mixer_table().size(); ++i) {
    Problems problems;
    validate(LayerSpec{default_mixer(i, d_model)}, d_model, "layer", problems);
    RC_ASSERT(problems.empty());
  }
}

TEST(StateKindTest, TheFastestGrowingBranchDecides) {
  EXPECT_EQ(state_kind(GatedDeltaNet{}), StateKind::constant);
  EXPECT_EQ(state_kind(SlidingWindowAttention{}), StateKind::window);
  EXPECT_EQ(state_kind(ParallelMixer{{SlidingWindowAttention{}, Mamba2{}}}), StateKind::window);
  EXPECT_EQ(state_kind(ParallelMixer{{Mamba2{}, FullAttention{}}}), StateKind::grows);
  EXPECT_EQ(state_kind(ParallelMixer{{Mamba2{}}}), StateKind::constant);
}

TEST(IsFullAttentionTest, LatentAttentionCountsAndWindowsDoNot) {
  EXPECT_TRUE(is_full_attention(FullAttention{}));
  EXPECT_TRUE(is_full_attention(MultiHeadLatentAttention{}));
  EXPECT_FALSE(is_full_attention(SlidingWindowAttention{}));
  EXPECT_TRUE(is_full_attention(ParallelMixer{{Mamba2{}, FullAttention{}}}));
}

}  // namespace
}  // namespace plait::spec
