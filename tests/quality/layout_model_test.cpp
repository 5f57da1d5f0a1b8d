#include "src/quality/layout_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "src/quality/prior.h"

namespace plait::quality {
namespace {

/// Every term is rounded to a multiple of 2^-44: at most half of that for each of up to 64 layers and the base.
constexpr double kRounding = 65 * 0x1p-45;

const QualityPrior& prior() {
  static const QualityPrior fitted = QualityPrior::fit();
  return fitted;
}

spec::LayerSpec layer(std::string_view mixer) {
  return {spec::default_mixer(spec::find_mixer(mixer).value(), 2048), spec::SwiGlu{}};
}

spec::LayerSpec parallel(std::vector<spec::SingleMixer> branches) {
  return {spec::ParallelMixer{std::move(branches)}, spec::SwiGlu{}};
}

spec::Layout of(std::size_t layers, const spec::LayerSpec& all) { return {std::vector(layers, all)}; }

std::vector<const LayoutModel*> models() { return {&prior().recall_model(), &prior().lm_model()}; }

/// Every single mixer and both kinds of ParallelMixer.
std::vector<spec::LayerSpec> every_layer() {
  std::vector<spec::LayerSpec> layers;
  for (std::size_t i = 0; i < LayoutModel::kMixers; ++i)
    layers.push_back({spec::default_mixer(i, 2048), spec::SwiGlu{}});
  layers.push_back(parallel({spec::FullAttention{}, spec::Mamba2{}}));
  layers.push_back(parallel({spec::SlidingWindowAttention{}, spec::Mamba2{}, spec::GatedDeltaNet{}}));
  return layers;
}

std::vector<spec::LayerSpec> linear_layers() {
  std::vector<spec::LayerSpec> layers = every_layer();
  std::erase_if(layers, [](const spec::LayerSpec& l) { return spec::is_full_attention(l.mixer); });
  return layers;
}

search::SearchSpace space_of(std::size_t slots, const std::vector<spec::LayerSpec>& layers) {
  search::SearchSpace space;
  std::vector<std::uint16_t> all;
  for (const spec::LayerSpec& candidate : layers) {
    all.push_back(static_cast<std::uint16_t>(all.size()));
    space.candidates.push_back({std::string("c").append(std::to_string(all.size())), candidate});
  }
  space.slots.assign(slots, all);
  return space;
}

spec::Layout layout_of(const search::SearchSpace& space, const search::Path& path) {
  spec::Layout layout;
  for (const std::uint16_t c : path) layout.layers.push_back(space.candidates[c].layer);
  return layout;
}

/// The formula of the header, written out over the whole layout.
double by_definition(const LayoutModel& m, const spec::Layout& layout) {
  const double layers = static_cast<double>(layout.size());
  std::vector<double> full;
  double effects = 0;
  for (std::size_t i = 0; i < layout.size(); ++i) {
    const spec::Mixer& mixer = layout.layers[i].mixer;
    if (spec::is_full_attention(mixer)) full.push_back(static_cast<double>(i) + 1);
  }
  const double n = static_cast<double>(full.size());
  if (n == layers) return m.all_full;
  const double published = std::min(n, layers / 3);
  const double h = published / (published + m.half);
  const double beyond = std::max(0.0, (n - layers / 3) / (layers - layers / 3));
  for (const spec::LayerSpec& l : layout.layers) {
    if (spec::is_full_attention(l.mixer)) continue;
    std::vector<std::size_t> branches;
    if (const auto* p = std::get_if<spec::ParallelMixer>(&l.mixer)) {
      for (const auto& b : p->branches) branches.push_back(b.index());
    } else {
      branches.push_back(l.mixer.index());
    }
    for (const std::size_t b : branches) {
      double f = m.intercept + m.mixers[b].shift + (m.slope + m.mixers[b].curve) * h;
      if (n == 0 && m.mixers[b].delta_rule) f += m.delta_gain;
      effects += (f - beyond * std::max(0.0, f - m.all_full)) / static_cast<double>(branches.size());
    }
  }
  double value = effects / (layers - n);
  if (n == 0) return value;
  std::vector<double> ends;
  for (double k = 1; k <= n; ++k) ends.push_back(std::ceil(k * layers / n - 1e-9));
  const auto early = [](double i) { return std::exp(-(i - 1) / 1.5); };
  for (const double i : full) {
    double distance = layers;
    for (const double u : ends) distance = std::min(distance, std::abs(i - u));
    value -= m.early_weight * std::max(0.0, early(i) - early(3)) / std::sqrt(n) +
             m.departure_weight * std::pow(1 - n / layers, 2) * distance / layers;
  }
  return value;
}

RC_GTEST_PROP(LayoutModel, PredictsByItsDefinition, ()) {
  const search::SearchSpace space = space_of(*rc::gen::inRange<std::size_t>(1, 33), every_layer());
  const auto candidate = rc::gen::inRange<std::uint16_t>(0, static_cast<std::uint16_t>(space.candidates.size()));
  const auto path = *rc::gen::container<search::Path>(space.size(), candidate);
  const spec::Layout layout = layout_of(space, path);
  for (const LayoutModel* model : models()) {
    RC_ASSERT(std::abs(model->predict(layout).value - by_definition(*model, layout)) < kRounding);
  }
}

RC_GTEST_PROP(LayoutModel, AdditiveScoreIsThePrediction, ()) {
  const search::SearchSpace space = space_of(*rc::gen::inRange<std::size_t>(1, 17), every_layer());
  const std::vector<search::AdditiveScore> scores = {prior().recall_additive(space), prior().lm_additive(space)};
  const auto candidate = rc::gen::inRange<std::uint16_t>(0, static_cast<std::uint16_t>(space.candidates.size()));
  for (int i = 0; i < 5; ++i) {
    const auto path = *rc::gen::container<search::Path>(space.size(), candidate);
    const spec::Layout layout = layout_of(space, path);
    RC_ASSERT(scores[0].evaluate(path) == prior().recall(layout).value);
    RC_ASSERT(scores[1].evaluate(path) == prior().lm_average(layout).value);
  }
}

TEST(LayoutModel, AdditiveTablesHaveTheShapeOfTheSpaceAndAreFinite) {
  const search::SearchSpace space = space_of(5, every_layer());
  const search::AdditiveScore score = prior().recall_additive(space);
  EXPECT_EQ(score.slots, 5u);
  EXPECT_EQ(score.candidates, 15u);
  EXPECT_THAT(score.counted, ::testing::ElementsAre(1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0));
  ASSERT_EQ(score.terms.size(), 6u);
  for (const auto& terms : score.terms) {
    EXPECT_TRUE(std::isfinite(terms.base));
    EXPECT_EQ(terms.slot.size(), 75u);
    EXPECT_TRUE(std::ranges::all_of(terms.slot, [](double x) { return std::isfinite(x); }));
  }
}

/// `n` of `layers` full layers among Gated Linear Attention, which stays below full attention, wherever they stand.
double without_placement(const LayoutModel& model, std::size_t layers, std::size_t n) {
  const double published = std::min(static_cast<double>(n), static_cast<double>(layers) / 3);
  const double h = published / (published + model.half);
  return model.intercept + model.mixers[spec::find_mixer("gla").value()].shift + model.slope * h;
}

TEST(LayoutModel, PlacementCostsNothingAtBlockEnds) {
  for (const std::size_t layers : {8u, 13u, 24u, 27u, 64u}) {
    for (std::size_t n = 1; 3 * n <= layers; ++n) {
      spec::Layout layout = of(layers, layer("gla"));
      for (std::size_t k = 1; k <= n; ++k) layout.layers[(k * layers + n - 1) / n - 1] = layer("full_attention");
      ASSERT_EQ(spec::count_full(layout), n);
      for (const LayoutModel* model : models())
        EXPECT_NEAR(model->predict(layout).value, without_placement(*model, layers, n), kRounding);
    }
  }
}

// Kimi Linear: 7 MLA layers of 27 at 4, 8, ..., 24, 27.
TEST(LayoutModel, BlockEndsOfAnUnevenDepthAreKimiLinears) {
  spec::Layout layout = of(27, layer("kimi_delta_attention"));
  for (const std::size_t i : {4u, 8u, 12u, 16u, 20u, 24u, 27u}) {
    layout.layers[i - 1] = layer("multi_head_latent_attention");
  }
  EXPECT_EQ(prior().recall(layout).basis.find("placement"), std::string::npos);
  std::swap(layout.layers[26], layout.layers[25]);
  EXPECT_THAT(prior().recall(layout).basis, ::testing::HasSubstr("-0.001 for placement"));
}

/// `full` of the `layers` positions 0..layers-1, in random order.
std::vector<std::size_t> random_positions(std::size_t layers, std::size_t full) {
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < full; ++i) {
    std::size_t position = *rc::gen::inRange<std::size_t>(0, layers);
    while (std::ranges::find(positions, position) != positions.end()) position = (position + 1) % layers;
    positions.push_back(position);
  }
  return positions;
}

RC_GTEST_PROP(AttentionFirst, MovingItAwayAlwaysHelps, ()) {
  const auto layers = *rc::gen::inRange<std::size_t>(2, 65);
  const std::vector<spec::LayerSpec> linear = linear_layers();
  spec::Layout layout;
  for (std::size_t i = 0; i < layers; ++i) layout.layers.push_back(*rc::gen::elementOf(linear));
  for (const std::size_t i : random_positions(layers, *rc::gen::inRange<std::size_t>(0, layers - 1))) {
    layout.layers[i] = layer("full_attention");
  }
  if (spec::count_full(layout) == layers) return;
  layout.layers[0] = layer("full_attention");
  if (spec::count_full(layout) == layers) return;
  for (std::size_t free = 1; free < layers; ++free) {
    if (spec::is_full_attention(layout.layers[free].mixer)) continue;
    spec::Layout moved = layout;
    std::swap(moved.layers[0], moved.layers[free]);
    for (const LayoutModel* model : models()) RC_ASSERT(model->predict(moved).value > model->predict(layout).value);
  }
}

TEST(AttentionFirst, AloneGainsNothingOverNone) {
  for (std::size_t layers = 8; layers <= 64; ++layers) {
    for (const spec::LayerSpec& linear : linear_layers()) {
      const spec::Layout pure = of(layers, linear);
      spec::Layout first = pure;
      first.layers[0] = layer("full_attention");
      for (const LayoutModel* model : models()) {
        EXPECT_LE(model->predict(first).value, model->predict(pure).value) << layers << " " << linear.mixer.index();
      }
    }
  }
}

/// The linear layer of `layout` that makes the best pure hybrid at its number of full layers.
spec::LayerSpec best_linear(const LayoutModel& model, const spec::Layout& layout) {
  const spec::LayerSpec* best = nullptr;
  double best_value = 0;
  for (const spec::LayerSpec& candidate : layout.layers) {
    if (spec::is_full_attention(candidate.mixer)) continue;
    spec::Layout alone = layout;
    for (spec::LayerSpec& l : alone.layers) {
      if (!spec::is_full_attention(l.mixer)) l = candidate;
    }
    const double value = model.predict(alone).value;
    if (best == nullptr || value > best_value) best = &candidate, best_value = value;
  }
  return *best;
}

// The worst case of every depth and count, not a sample: with one linear mixer the change from n to n + 1 full layers
// is a sum over the positions of the n others, so the n positions with the largest terms are the layout that gains
// most.
TEST(AttentionFirst, AddedToOthersHelpsInNoLayoutOfOneMixer) {
  for (std::size_t layers = 8; layers <= 64; ++layers) {
    for (const std::string_view linear : {"gated_delta_net", "gla", "retnet"}) {
      const search::SearchSpace space = space_of(layers, {layer("full_attention"), layer(linear)});
      for (const LayoutModel* model : models()) {
        const search::AdditiveScore score = model->additive(space);
        for (std::size_t n = 1; n + 1 < layers; ++n) {  // one more is all full: the Transformer's own cell
          const auto& before = score.terms[n].slot;
          const auto& after = score.terms[n + 1].slot;
          double change = score.terms[n + 1].base - score.terms[n].base + after[0] - before[1];
          std::vector<double> when_full;
          for (std::size_t i = 1; i < layers; ++i) {
            const double linear_change = after[2 * i + 1] - before[2 * i + 1];
            change += linear_change;
            when_full.push_back(after[2 * i] - before[2 * i] - linear_change);
          }
          std::ranges::sort(when_full, std::greater());
          for (std::size_t i = 0; i < n; ++i) change += when_full[i];
          EXPECT_LT(change, 0) << layers << " layers, " << n << " full, " << linear << ", " << model->metric;
        }
      }
    }
  }
}

// With several linear mixers the first slot is compared with the best of them there: dropping a bad mixer helps, but
// attention is never the best replacement.
RC_GTEST_PROP(AttentionFirst, AddedToOthersIsNeverTheBestChoice, ()) {
  const auto layers = *rc::gen::inRange<std::size_t>(8, 65);
  const std::vector<spec::LayerSpec> linear = linear_layers();
  spec::Layout layout;
  for (std::size_t i = 0; i < layers; ++i) layout.layers.push_back(*rc::gen::elementOf(linear));
  const auto full = *rc::gen::inRange<std::size_t>(1, layers - 1);
  for (const std::size_t i : random_positions(layers - 1, full)) layout.layers[i + 1] = layer("full_attention");
  spec::Layout first = layout;
  first.layers[0] = layer("full_attention");
  if (spec::count_full(first) == layers) return;
  for (const LayoutModel* model : models()) {
    layout.layers[0] = best_linear(*model, layout);
    RC_ASSERT(model->predict(first).value <= model->predict(layout).value);
  }
}

// Every layout of small spaces: for each number of full layers, the best one never starts with a full layer.
TEST(AttentionFirst, IsNeverOnTheFrontAgainstFullLayers) {
  const std::vector<spec::LayerSpec> candidates = {layer("full_attention"), layer("gated_delta_net"), layer("gla"),
                                                   layer("retnet")};
  for (const std::size_t slots : {2u, 3u, 5u, 7u}) {
    const search::SearchSpace space = space_of(slots, candidates);
    for (const LayoutModel* model : models()) {
      const search::AdditiveScore score = model->additive(space);
      std::vector<double> best(slots + 1, -1e9);
      std::vector<double> best_first(slots + 1, -1e9);
      search::Path path(slots, 0);
      const auto total = static_cast<std::size_t>(std::pow(candidates.size(), slots));
      for (std::size_t code = 0; code < total; ++code) {
        for (std::size_t i = 0, rest = code; i < slots; ++i, rest /= candidates.size()) {
          path[i] = static_cast<std::uint16_t>(rest % candidates.size());
        }
        const auto n = static_cast<std::size_t>(std::ranges::count(path, 0));
        const double value = score.evaluate(path);
        best[n] = std::max(best[n], value);
        if (path[0] == 0) best_first[n] = std::max(best_first[n], value);
      }
      for (std::size_t n = 1; n < slots; ++n) EXPECT_LT(best_first[n], best[n]) << slots << " slots, " << n << " full";
    }
  }
}

TEST(Placement, BlockEndsAreTheBestUpToOneInThree) {
  const search::SearchSpace space = space_of(24, {layer("full_attention"), layer("gla")});
  for (const LayoutModel* model : models()) {
    const search::AdditiveScore score = model->additive(space);
    for (const std::size_t n : {1u, 2u, 3u, 4u, 6u, 8u}) {
      std::vector<std::size_t> order(24);
      std::iota(order.begin(), order.end(), 0u);
      std::ranges::sort(order, std::greater(), [&](std::size_t i) { return score.terms[n].slot[2 * i]; });
      order.resize(n);
      for (const std::size_t i : order) EXPECT_EQ((i + 1) % (24 / n), 0u) << model->metric << ", " << n << " full";
    }
  }
}

// arXiv 2507.06457: recall rises with full layers and saturates near 3:1; nothing denser but all-full was published.
TEST(BeyondPublishedHybrids, GoodMixersFallTowardsAllFullAndPoorOnesStay) {
  const LayoutModel& model = prior().recall_model();
  const auto value = [&](std::string_view linear, std::size_t n) {
    spec::Layout layout = of(24, layer(linear));
    for (std::size_t i = 24 - n; i < 24; ++i) layout.layers[i] = layer("full_attention");
    double placement = 0;
    const search::SearchSpace space = space_of(24, {layer("full_attention")});
    const search::AdditiveScore score = model.additive(space);
    for (std::size_t i = 24 - n; i < 24; ++i) placement += score.terms[n].slot[i];
    return model.predict(layout).value - placement;
  };
  ASSERT_GT(value("gated_delta_net", 8), model.all_full);
  for (std::size_t n = 8; n + 1 < 24; ++n) {
    EXPECT_LT(value("gated_delta_net", n + 1), value("gated_delta_net", n)) << n;
    EXPECT_GT(value("gated_delta_net", n + 1), model.all_full) << n;
    EXPECT_NEAR(value("gla", n + 1), value("gla", n), kRounding) << n;
  }
}

TEST(ParallelLayers, WithAFullBranchCountAsFull) {
  const spec::LayerSpec falcon = parallel({spec::FullAttention{}, spec::Mamba2{}});
  const Prediction all = prior().recall(of(24, falcon));
  EXPECT_DOUBLE_EQ(all.value, .423);
  EXPECT_GT(all.deviation, .1);
  EXPECT_THAT(all.basis, ::testing::HasSubstr("parallel layers: counted as full attention"));

  spec::Layout one = of(24, layer("gla"));
  one.layers[23] = falcon;
  spec::Layout full = of(24, layer("gla"));
  full.layers[23] = layer("full_attention");
  EXPECT_DOUBLE_EQ(prior().recall(one).value, prior().recall(full).value);
  EXPECT_GT(prior().recall(one).deviation, prior().recall(full).deviation + .05);
}

TEST(ParallelLayers, WithoutAFullBranchAreTheMeanOfTheirBranches) {
  const spec::LayerSpec both = parallel({spec::Gla{}, spec::DeltaNet{}});
  const double mean =
      (prior().recall(of(24, layer("gla"))).value + prior().recall(of(24, layer("delta_net"))).value) / 2;
  EXPECT_NEAR(prior().recall(of(24, both)).value, mean, kRounding);
  EXPECT_THAT(prior().recall(of(24, both)).basis, ::testing::HasSubstr("parallel layers: mean of the branches"));
}

TEST(MixedLayouts, AverageTheirMixersOverTheLinearLayers) {
  const auto value = [](std::string_view mixer) {
    spec::Layout layout = of(24, layer(mixer));
    layout.layers[23] = layer("full_attention");
    return prior().recall(layout).value;
  };
  spec::Layout layout = of(24, layer("gla"));
  layout.layers[23] = layer("full_attention");
  layout.layers[5] = layer("hgrn2");
  EXPECT_NEAR(prior().recall(layout).value, (22 * value("gla") + value("hgrn2")) / 23, kRounding);
}

TEST(MixedLayouts, UnknownMixersWidenTheIntervalByTheirShare) {
  spec::Layout layout = of(24, layer("gated_delta_net"));
  double last = prior().recall(layout).deviation;
  for (std::size_t i = 0; i < 24; i += 6) {
    for (std::size_t j = i; j < i + 6; ++j) layout.layers[j] = layer("sliding_window_attention");
    const double deviation = prior().recall(layout).deviation;
    EXPECT_GT(deviation, last) << i;
    last = deviation;
  }
}

}  // namespace
}  // namespace plait::quality
