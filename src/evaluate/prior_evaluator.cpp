#include "src/evaluate/prior_evaluator.h"

#include "src/quality/prior.h"

namespace plait::evaluate {
namespace {

using search::Direction;
using search::Metric;

class PriorEvaluator final : public search::Evaluator {
 public:
  std::string_view name() const override { return "prior"; }
  std::vector<Metric> metrics() const override { return prior_metrics(); }
  search::CostClass cost_class() const override { return search::CostClass::microseconds; }

  void evaluate(std::span<const spec::Layout> layouts, std::span<search::Outcome> outcomes, std::stop_token) override {
    const auto value = [](const quality::Prediction& prediction) {
      return search::Value{prediction.value, prediction.deviation, search::Source::prior};
    };
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      outcomes[i] = search::Scores{{"recall", value(prior_.recall(layouts[i]))},
                                   {"lm_average", value(prior_.lm_average(layouts[i]))}};
    }
  }

  std::optional<search::AdditiveScore> additive(std::string_view metric,
                                                const search::SearchSpace& space) const override {
    if (metric == "recall") return prior_.recall_additive(space);
    if (metric == "lm_average") return prior_.lm_additive(space);
    return std::nullopt;
  }

 private:
  quality::QualityPrior prior_ = quality::QualityPrior::fit();
};

}  // namespace

std::vector<Metric> prior_metrics() {
  return {{"recall", "1", Direction::maximize, "RULER average, predicted from published hybrids (arXiv 2507.06457)"},
          {"lm_average", "1", Direction::maximize, "mean zero-shot accuracy, predicted from published hybrids"}};
}

std::unique_ptr<search::Evaluator> make_prior_evaluator() { return std::make_unique<PriorEvaluator>(); }

}  // namespace plait::evaluate
