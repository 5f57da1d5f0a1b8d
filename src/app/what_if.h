#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "costmodel/cost_report.h"
#include "src/app/build_study.h"

/// "What if this layer were another?": scores of layouts outside the search of a study, at once.
namespace plait::app {

class WhatIf {
 public:
  /// Throws search::NoLegalLayout.
  explicit WhatIf(StudySpec study);
  WhatIf(const WhatIf&) = delete;

  struct Answer {
    std::string notation;
    std::string letters;
    search::Scores scores;                       ///< every metric that has an answer for this layout
    std::optional<costmodel::CostReport> costs;  ///< nothing when a count does not fit
    std::vector<std::string> problems;           ///< why it is no valid model; then nothing else is known
    std::vector<std::string> outside;            ///< why the study would not propose it; empty when it could
  };

  const StudySpec& study() const { return study_; }
  const std::vector<search::Metric>& metrics() const { return metrics_; }  ///< the study's objectives first

  Answer answer(const spec::Layout& layout) const;

  /// Costs at each context, for a valid layout; stops before the first that does not fit.
  std::vector<costmodel::CostReport> sweep(const spec::Layout& layout, std::span<const spec::Dim> contexts) const;

  /// What to reach: the best of one metric inside the bounds of others.
  struct Goal {
    std::string metric;
    std::vector<search::Constraint> budgets{};
  };

  /// Of all legal layouts that differ from this one in one layer, or by two layers that change places, the best inside
  /// the budgets; nothing when none is better than this one, which need not be legal itself. Throws spec::SpecError
  /// when it has another depth than the study's layouts.
  std::optional<spec::Layout> best_neighbour(const spec::Layout& layout, const Goal& goal) const;

  /// Of all legal layouts, by dynamic programming. Nothing when none is inside. Throws spec::SpecError when a metric is
  /// not a sum over layers.
  std::optional<spec::Layout> best(const Goal& goal) const;

 private:
  search::Scores scores(const spec::Layout& layout) const;
  search::Direction direction(const std::string& metric) const;
  std::string notation(const spec::Layout& layout) const;

  StudySpec study_;
  search::LayoutGraph graph_;
  std::vector<std::unique_ptr<search::Evaluator>> evaluators_;
  std::vector<search::Metric> metrics_;
};

}  // namespace plait::app
