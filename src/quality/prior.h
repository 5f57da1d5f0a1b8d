#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "search/additive_score.h"
#include "search/search_space.h"
#include "src/quality/layout_model.h"
#include "src/spec/layout.h"

namespace plait::quality {

/// How well the prior fits the published cells: everything that a command prints.
struct FitReport {
  struct Model {
    std::string name;
    std::size_t cells = 0;
    std::size_t parameters = 0;
    double effective_parameters = 0;  ///< after ridge
    double noise = 0;                 ///< estimated standard deviation
    double in_sample_rmse = 0;
    double leave_one_out_rmse = 0;
    double spearman = 0;  ///< of the leave-one-out predictions; for placement the lower of the two sizes
    std::optional<double> leave_one_mixer_out_rmse;
    std::optional<double> leave_one_mixer_out_spearman;
    std::string target;       ///< empty when there is none
    std::optional<bool> met;  ///< nothing when there is no target
  };
  struct Coefficient {
    std::string model;
    std::string name;
    double value = 0;
    double deviation = 0;
    bool hand_set = false;  ///< then the deviation is hand-set too
  };
  struct Cell {
    std::string model;
    std::string name;
    double published = 0;
    double predicted = 0;  ///< by the model fitted on all cells
    double left_out = 0;   ///< by the model refitted without this cell
  };
  /// One statement that the prior is held to.
  struct Check {
    std::string model;
    std::string quantity;
    double value = 0;
    std::string target;
    bool met = false;
  };

  std::vector<Model> models;
  std::vector<Coefficient> coefficients;
  std::vector<Cell> cells;
  std::vector<Check> checks;
  std::vector<std::string> sources;
};

/// Quality of layouts from published results alone: three small Bayesian linear models on the tables of
/// src/quality/published, and hand-set values where nothing was published (README.md lists them with reasons).
/// Immutable. Layouts are taken to be valid and not empty (std::logic_error otherwise); a prediction allocates its
/// words only.
class QualityPrior {
 public:
  /// Fits to the embedded tables; under a millisecond.
  static QualityPrior fit();

  /// RULER mean of a model like those of arXiv 2507.06457 (1.3B, 24 layers, 100B tokens) with this layout; higher is
  /// better. A scale for comparing layouts: other sizes, contexts and recipes shift all of them.
  Prediction recall(const spec::Layout& layout) const { return recall_.predict(layout); }
  /// Mean zero-shot accuracy on the scale of the same paper's Table 6; higher is better.
  Prediction lm_average(const spec::Layout& layout) const { return lm_.predict(layout); }
  /// Change in nats per token against the pure linear model of the same size (arXiv 2510.04800; Mamba-2 hybrids only);
  /// lower is better. Knows number and position of full layers, not mixers.
  Prediction nll_change(const spec::Layout& layout) const;

  search::AdditiveScore recall_additive(const search::SearchSpace& space) const { return recall_.additive(space); }
  search::AdditiveScore lm_additive(const search::SearchSpace& space) const { return lm_.additive(space); }

  const LayoutModel& recall_model() const { return recall_; }
  const LayoutModel& lm_model() const { return lm_; }
  const FitReport& report() const { return report_; }

 private:
  QualityPrior() = default;

  /// [n > 0], log2(1 + n), [n = L], early term.
  static constexpr std::size_t kPlacementTerms = 4;

  LayoutModel recall_;
  LayoutModel lm_;
  std::array<double, kPlacementTerms> placement_{};
  std::array<std::array<double, kPlacementTerms>, kPlacementTerms> placement_covariance_{};
  double placement_noise_variance_ = 0;
  FitReport report_;
};

}  // namespace plait::quality
