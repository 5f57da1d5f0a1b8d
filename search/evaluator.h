#pragma once

#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

#include "search/additive_score.h"
#include "search/objective.h"
#include "search/search_space.h"
#include "src/spec/layout.h"

namespace plait::search {

/// How dear one evaluation is; a study asks cheap evaluators first and stops a layout at the first broken constraint.
enum class CostClass { microseconds, milliseconds, seconds, minutes };

/// Something that scores layouts. Evaluators are pure: the same layout and seed give the same outcome, on any thread.
class Evaluator {
 public:
  virtual ~Evaluator() = default;

  virtual std::string_view name() const = 0;
  virtual std::vector<Metric> metrics() const = 0;
  virtual CostClass cost_class() const = 0;

  /// Fills `outcomes[i]` for `layouts[i]`. May return early when `stop` is requested; what it did not do is
  /// Failure{cancelled}. Throws only for programmer errors.
  virtual void evaluate(std::span<const spec::Layout> layouts, std::span<Outcome> outcomes, std::stop_token stop) = 0;

  /// The metric as an additive score over `space`, when it is one: `evaluate` and the table agree to rounding.
  virtual std::optional<AdditiveScore> additive(std::string_view metric, const SearchSpace& space) const {
    (void)metric, (void)space;
    return std::nullopt;
  }
};

}  // namespace plait::search
