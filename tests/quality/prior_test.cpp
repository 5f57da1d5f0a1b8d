#include "src/quality/prior.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "src/quality/bayes_linear.h"
#include "src/quality/published.h"

namespace plait::quality {
namespace {

/// Terms are multiples of 2^-44; 24 layers and the base.
constexpr double kRounding = 25 * 0x1p-45;

using ::testing::HasSubstr;
using ::testing::Not;

const QualityPrior& prior() {
  static const QualityPrior fitted = QualityPrior::fit();
  return fitted;
}

spec::LayerSpec layer(std::string_view mixer) {
  return {spec::default_mixer(spec::find_mixer(mixer).value(), 2048), spec::SwiGlu{}};
}

spec::Layout hybrid(std::string_view mixer, std::size_t one_full_in, std::size_t layers = 24) {
  return spec::Layout::one_full_in(one_full_in, layers, layer(mixer), layer("full_attention"));
}

const FitReport::Model& model(std::string_view name) {
  return *std::ranges::find(prior().report().models, name, &FitReport::Model::name);
}

double coefficient(std::string_view model, std::string_view name) {
  for (const FitReport::Coefficient& c : prior().report().coefficients) {
    if (c.model == model && c.name == name) return c.value;
  }
  ADD_FAILURE() << "no coefficient " << name;
  return 0;
}

// Half a unit of the last digit given, for figures that a reference computed independently.
constexpr double kFourDigits = 0.5e-4;
constexpr double kThreeDigits = 0.5e-3;
constexpr double kTwoDigits = 0.5e-2;

TEST(RecallFit, HasTheReferenceCoefficients) {
  EXPECT_NEAR(coefficient("recall", "intercept"), .2137, kFourDigits);
  EXPECT_NEAR(coefficient("recall", "n/(n+1)"), .2122, kFourDigits);
  EXPECT_NEAR(coefficient("recall", "delta-rule share [n = 0]"), .0942, kFourDigits);
  EXPECT_NEAR(coefficient("recall", "share of delta_net"), .0230, kFourDigits);
  EXPECT_NEAR(coefficient("recall", "share of gated_delta_net"), .0277, kFourDigits);
  EXPECT_NEAR(coefficient("recall", "share of hgrn2"), .0056, kFourDigits);
  EXPECT_NEAR(coefficient("recall", "share of gla"), -.0563, kFourDigits);
}

TEST(RecallFit, HasTheReferenceErrors) {
  const FitReport::Model& fit = model("recall");
  EXPECT_EQ(fit.cells, 20u);
  EXPECT_NEAR(fit.in_sample_rmse, .026, kThreeDigits);
  EXPECT_NEAR(fit.leave_one_out_rmse, .036, kThreeDigits);
  EXPECT_NEAR(fit.spearman, .80, kTwoDigits);
  EXPECT_NEAR(fit.leave_one_mixer_out_rmse.value(), .054, kThreeDigits);
  EXPECT_NEAR(fit.leave_one_mixer_out_spearman.value(), .49, kTwoDigits);
}

TEST(RecallFit, MeetsItsTargetWithoutOverFitting) {
  const FitReport::Model& fit = model("recall");
  EXPECT_LE(fit.leave_one_out_rmse, .040);
  EXPECT_GE(fit.leave_one_out_rmse, .030);
  EXPECT_GE(fit.spearman, .77);
}

TEST(LmFit, HasTheReferenceErrors) {
  const FitReport::Model& fit = model("LM average");
  EXPECT_EQ(fit.cells, 30u);
  EXPECT_NEAR(fit.leave_one_out_rmse, .0070, kFourDigits);
  EXPECT_NEAR(fit.spearman, .58, kTwoDigits);
  EXPECT_NEAR(coefficient("LM average", "share of hgrn2"), .010, kThreeDigits);
  EXPECT_NEAR(coefficient("LM average", "share of gla"), -.006, kThreeDigits);
  EXPECT_NEAR(coefficient("LM average", "share of retnet"), -.005, kThreeDigits);
}

TEST(PlacementFit, HasTheReferenceCoefficients) {
  EXPECT_NEAR(coefficient("placement NLL", "intercept 1B"), 2.7567, kFourDigits);
  EXPECT_NEAR(coefficient("placement NLL", "intercept 350M"), 2.8813, kFourDigits);
  EXPECT_NEAR(coefficient("placement NLL", "[n > 0]"), -.0062, kFourDigits);
  EXPECT_NEAR(coefficient("placement NLL", "log2(1+n)"), -.0108, kFourDigits);
  EXPECT_NEAR(coefficient("placement NLL", "[n = L]"), .0297, kFourDigits);
  EXPECT_NEAR(coefficient("placement NLL", "early full layers"), .0313, kFourDigits);
}

TEST(PlacementFit, HasTheReferenceErrorsAndMeetsItsTarget) {
  const FitReport::Model& fit = model("placement NLL");
  EXPECT_EQ(fit.cells, 35u);
  EXPECT_NEAR(fit.in_sample_rmse, .0025, kFourDigits);
  EXPECT_NEAR(fit.leave_one_out_rmse, .0031, kFourDigits);
  EXPECT_LE(fit.leave_one_out_rmse, .0035);
  std::map<std::string, std::pair<std::vector<double>, std::vector<double>>> by_size;
  const auto& cells = published_tables().placement;
  std::size_t i = 0;
  for (const FitReport::Cell& cell : prior().report().cells) {
    if (cell.model != "placement NLL") continue;
    auto& [left_out, published] = by_size[cells[i++].size];
    left_out.push_back(cell.left_out);
    published.push_back(cell.published);
  }
  EXPECT_EQ(i, 35u);
  EXPECT_NEAR(spearman(by_size["1B"].first, by_size["1B"].second), .94, kTwoDigits);
  EXPECT_NEAR(spearman(by_size["350M"].first, by_size["350M"].second), .91, kTwoDigits);
}

// Of each pair of Table 17 rows with one ratio and size, the one with attention in layer 1 has the higher loss, even
// where it was left out of the fit.
TEST(PlacementFit, RanksAttentionFirstBelowItsNeighbours) {
  const auto& published = published_tables().placement;
  std::vector<FitReport::Cell> cells;
  for (const FitReport::Cell& cell : prior().report().cells) {
    if (cell.model == "placement NLL") cells.push_back(cell);
  }
  ASSERT_EQ(cells.size(), published.size());
  int pairs = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    for (std::size_t j = 0; j < cells.size(); ++j) {
      if (published[i].table != 17 || published[j].table != 17 || published[i].size != published[j].size ||
          published[i].ratio != published[j].ratio || published[i].full[0] != 1 || published[j].full[0] == 1) {
        continue;
      }
      ++pairs;
      EXPECT_GT(cells[i].predicted, cells[j].predicted) << cells[i].name << " against " << cells[j].name;
      EXPECT_GT(cells[i].left_out, cells[j].left_out) << cells[i].name << " against " << cells[j].name;
    }
  }
  EXPECT_EQ(pairs, (1 + 2 + 2 + 7) + (1 + 2 + 2 + 6));
}

TEST(PlacementFit, RanksKimiLinearsRatiosUnseen) {
  std::vector<double> predicted;
  std::vector<double> published;
  for (const PerplexityCell& cell : published_tables().kimi) {
    const spec::Layout layout = spec::Layout::one_full_in(
        cell.layers / cell.full, cell.layers, layer("kimi_delta_attention"), layer("multi_head_latent_attention"));
    ASSERT_EQ(spec::count_full(layout), cell.full);
    predicted.push_back(prior().nll_change(layout).value);
    published.push_back(cell.perplexity);
  }
  EXPECT_NEAR(spearman(predicted, published), .80, 1e-9);
}

TEST(FitReport, StatesEveryTargetAndMeetsIt) {
  const FitReport& report = prior().report();
  EXPECT_EQ(report.models.size(), 3u);
  EXPECT_EQ(report.cells.size(), 20u + 30u + 35u);
  EXPECT_EQ(report.sources.size(), 3u);
  EXPECT_EQ(report.checks.size(), 7u);
  for (const FitReport::Check& check : report.checks) EXPECT_TRUE(check.met) << check.quantity << " " << check.value;
  EXPECT_EQ(model("recall").met, true);
  EXPECT_EQ(model("placement NLL").met, true);
  EXPECT_EQ(model("LM average").met, std::nullopt) << "no target was set for it";
}

TEST(QualityPrior, IsDeterministic) {
  const QualityPrior again = QualityPrior::fit();
  for (const std::string_view mixer : {"gla", "mamba2"}) {
    EXPECT_EQ(prior().recall(hybrid(mixer, 6)), again.recall(hybrid(mixer, 6)));
    EXPECT_EQ(prior().lm_average(hybrid(mixer, 6)), again.lm_average(hybrid(mixer, 6)));
  }
}

// The placement terms vanish where the cells stand, so a published layout is predicted as the fit predicts its cell.
TEST(QualityPrior, PredictsPublishedLayoutsAsFitted) {
  for (const FitReport::Cell& cell : prior().report().cells) {
    if (cell.model == "placement NLL") continue;
    const auto& cells = cell.model == "recall" ? published_tables().recall : published_tables().lm_average;
    const auto published =
        std::ranges::find_if(cells, [&](const RatioCell& c) { return c.mixer + " " + c.ratio == cell.name; });
    ASSERT_NE(published, cells.end());
    const spec::Layout layout = hybrid(published->mixer, published->full == 0 ? 0 : 24 / published->full);
    const Prediction prediction = cell.model == "recall" ? prior().recall(layout) : prior().lm_average(layout);
    EXPECT_NEAR(prediction.value, cell.predicted, kRounding) << cell.name;
    EXPECT_EQ(prediction.basis, "published cells of " + published->mixer);
    EXPECT_EQ(cell.published, published->value);
  }
}

TEST(QualityPrior, DeviationOfAPublishedCellIsNoiseAndALittleMore) {
  const double noise = model("recall").noise;
  const double deviation = prior().recall(hybrid("gated_delta_net", 6)).deviation;
  EXPECT_GT(deviation, noise);
  EXPECT_LT(deviation, 1.3 * noise);  // six effective parameters on twenty cells: sqrt(1 + 6/20) = 1.14 on average
}

TEST(QualityPrior, AllFullIsTheTransformer) {
  const spec::Layout full = hybrid("full_attention", 1);
  EXPECT_DOUBLE_EQ(prior().recall(full).value, .423);
  EXPECT_DOUBLE_EQ(prior().lm_average(full).value, .496);
  EXPECT_GE(prior().lm_average(full).deviation, .02);
  EXPECT_THAT(prior().lm_average(full).basis, HasSubstr("assumed"));
  const spec::Layout latent{std::vector(24, layer("multi_head_latent_attention"))};
  EXPECT_DOUBLE_EQ(prior().recall(latent).value, .423);
  EXPECT_THAT(prior().recall(latent).basis, HasSubstr("latent attention counted as full attention"));
}

TEST(QualityPrior, SaysWhichMixersHaveNoCellsAndWidensTheirInterval) {
  const double known = prior().recall(hybrid("gated_delta_net", 6)).deviation;
  for (const std::string mixer : {"kimi_delta_attention", "momentum_delta_net", "mamba2", "mlstm", "retnet", "hgrn",
                                  "sliding_window_attention"}) {
    const Prediction prediction = prior().recall(hybrid(mixer, 6));
    EXPECT_THAT(prediction.basis, HasSubstr("no published recall for " + mixer)) << mixer;
    EXPECT_GT(prediction.deviation, std::hypot(known, .054) - .02) << mixer;
    EXPECT_GT(prediction.deviation, .080) << mixer;
  }
  for (const std::string mixer : {"kimi_delta_attention", "mamba2", "sliding_window_attention"}) {
    EXPECT_THAT(prior().lm_average(hybrid(mixer, 6)).basis, HasSubstr("no published LM average for " + mixer));
    EXPECT_GT(prior().lm_average(hybrid(mixer, 6)).deviation, *model("LM average").leave_one_mixer_out_rmse);
  }
  EXPECT_EQ(prior().lm_average(hybrid("hgrn", 6)).basis, "published cells of hgrn");
}

TEST(QualityPrior, TakesDeltaRuleMixersWithoutCellsAsTheMeanOfTheTwoWithCells) {
  for (const std::size_t one_in : {0u, 3u}) {
    const double mean =
        (prior().recall(hybrid("delta_net", one_in)).value + prior().recall(hybrid("gated_delta_net", one_in)).value) /
        2;
    EXPECT_NEAR(prior().recall(hybrid("kimi_delta_attention", one_in)).value, mean, kRounding);
    EXPECT_NEAR(prior().recall(hybrid("momentum_delta_net", one_in)).value, mean, kRounding);
  }
}

TEST(QualityPrior, KeepsHgrnAndRetNetNearZeroAsPublished) {
  EXPECT_NEAR(prior().recall(hybrid("hgrn", 0)).value, 0, kRounding);
  EXPECT_GT(prior().recall(hybrid("hgrn", 6)).value, .1);
  for (const std::size_t one_in : {0u, 24u, 12u, 6u, 3u}) {
    EXPECT_NEAR(prior().recall(hybrid("retnet", one_in)).value, 0, kRounding) << one_in;
  }
}

TEST(QualityPrior, NamesWhatLiesOutsideThePublishedModels) {
  spec::Layout mixed = hybrid("gated_delta_net", 6);
  mixed.layers[0] = layer("gla");
  EXPECT_EQ(prior().recall(mixed).basis,
            "published cells of gla, gated_delta_net; no published model mixes linear mixers");
  EXPECT_THAT(prior().recall(hybrid("gla", 2)).basis, HasSubstr("more full layers than any published hybrid"));
  EXPECT_THAT(prior().recall(hybrid("gla", 3)).basis, Not(HasSubstr("more full layers")));
  spec::Layout first = hybrid("gla", 12);
  std::swap(first.layers[0], first.layers[11]);
  EXPECT_THAT(prior().recall(first).basis, HasSubstr("for placement"));
}

// Equal counts, so only the position differs; published FDA 8.02 / 60.43 / 53.71 and NIAH-3 2.40 / 25.80 / 69.00 for
// one full layer at 4, 12, 20 of 24 (arXiv 2608.12149): early is worst on both, and in the mean of the two 20 is best.
TEST(QualityPrior, OrdersTheSingleFullLayerSweepAsPublished) {
  std::map<std::size_t, double> recall;
  for (const std::size_t position : {1u, 4u, 12u, 20u}) {
    spec::Layout layout = hybrid("gated_delta_net", 0);
    layout.layers[position - 1] = layer("full_attention");
    recall[position] = prior().recall(layout).value;
  }
  EXPECT_LT(recall[1], recall[4]);
  EXPECT_LT(recall[4], recall[12]);
  EXPECT_LT(recall[12], recall[20]);
}

// The hand-set weights stay tied to the fits that they are derived from.
TEST(QualityPrior, HandSetPlacementWeightsFollowFromTheFits) {
  const double first_layer_gain = coefficient("recall", "n/(n+1)") / 2;
  const double early_in_layer_1 = 1 - std::exp(-2 / 1.5);  // relative to layer 3, where it ends
  EXPECT_NEAR(prior().recall_model().early_weight, first_layer_gain / early_in_layer_1, kThreeDigits);

  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (const PlacementCell& cell : published_tables().placement) {
    if (cell.size != "1B") continue;
    n += 1, x += cell.nll, y += *cell.accuracy / 100, xx += cell.nll * cell.nll, xy += cell.nll * *cell.accuracy / 100;
  }
  const double accuracy_per_nat = (xy - x * y / n) / (xx - x * x / n);
  EXPECT_NEAR(prior().lm_model().early_weight, -accuracy_per_nat * coefficient("placement NLL", "early full layers"),
              kThreeDigits);
}

TEST(NllChange, IsZeroForPureModelsAndPricesAttentionFirst) {
  EXPECT_EQ(prior().nll_change(hybrid("mamba2", 0, 13)).value, 0);
  spec::Layout first = hybrid("mamba2", 0, 13);
  first.layers[0] = layer("full_attention");
  spec::Layout last = hybrid("mamba2", 13, 13);
  EXPECT_NEAR(prior().nll_change(first).value - prior().nll_change(last).value, .031, kThreeDigits);
  EXPECT_GT(prior().nll_change(first).value, 0) << "worse than none";
  EXPECT_GT(prior().nll_change(first).deviation, model("placement NLL").noise);
}

TEST(QualityPrior, RefusesALayoutWithoutLayers) {
  EXPECT_THROW(prior().recall({}), std::logic_error);
  EXPECT_THROW(prior().nll_change({}), std::logic_error);
}

}  // namespace
}  // namespace plait::quality
