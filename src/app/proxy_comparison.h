#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/app/model_source.h"
#include "src/evaluate/proxy_evaluator.h"
#include "src/proxy/task_table.h"
#include "src/report/line_chart.h"
#include "src/spec/json_reader.h"

/// `plait proxy`: a few layouts trained side by side on one task, and what came of each.
namespace plait::app {

struct ComparisonOptions {
  std::string task = "mqar";
  proxy::Tier tier = proxy::Tier::tiny;
  std::string device = "cpu";
  std::string text{};                   ///< of the task `bytes`
  std::optional<std::int64_t> steps{};  ///< nothing: the tier's
  std::optional<std::int64_t> batch{};
  std::optional<std::size_t> seeds{};    ///< nothing: the tier's
  std::vector<double> learning_rates{};  ///< empty: the tier's
  std::filesystem::path checkpoints{};   ///< a folder; empty: none
};

/// What a comparison trains when nothing else is said.
proxy::TrainingPlan comparison_plan(const ComparisonOptions& options);
std::size_t comparison_seeds(const ComparisonOptions& options);
std::vector<double> comparison_rates(const ComparisonOptions& options);

struct ComparedLayout {
  std::string layout;  ///< as it was given
  std::string proxy;   ///< letters of the layers that were trained for it
  spec::ModelSpec model;
  std::size_t shares = 0;  ///< index of the first layout with the same proxy; its own when there is none
  evaluate::ProxyOutcome outcome;
};

struct Comparison {
  proxy::TrainingPlan plan;
  std::size_t seeds = 0;
  std::vector<double> learning_rates;
  std::vector<ComparedLayout> layouts;  ///< in the order given
  std::size_t members = 0;
  std::vector<std::string> notes;
  bool finished = true;
  double elapsed_s = 0;
  double tokens_per_s = 0;
  std::int64_t peak_memory_bytes = 0;

  /// Answers that a reader of the context alone could choose from at the hardest load: 1 / this is chance. 0: unknown.
  std::int64_t candidates() const;
};

/// Throws as Backend::train.
Comparison compare_on_proxy(const proxy::Backend& backend, const std::vector<NamedModel>& models,
                            const ComparisonOptions& options, std::stop_token stop,
                            const evaluate::ProxyObserver& observer);

/// One JSON value, ending in a newline.
std::string comparison_json(const Comparison& comparison);

/// Accuracy at the hardest load over steps, a line per seed, with chance as a level.
report::LineChart learning_curves(const Comparison& comparison);

}  // namespace plait::app
