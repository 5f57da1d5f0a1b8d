#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/evaluate/proxy_evaluator.h"
#include "src/spec/json_reader.h"

/// Published tables and ours beside them.
namespace plait::app {

/// Which number of a run is compared: the mean of the accuracies over all test loads, or that of the hardest.
enum class Measure { mean_accuracy, hardest_accuracy };

/// One row of a published table.
struct PublishedRow {
  std::string label;
  spec::ModelSpec model;  ///< trained as it is; the vocabulary and positions are the task's
  std::vector<double> learning_rates;
  std::optional<double> published;
  bool curriculum = true;  ///< of the plan's task
};

/// What was trained for a row: one number per seed, at the best learning rate.
struct ReproducedRow {
  std::vector<double> values;  ///< empty after a failure
  double learning_rate = 0;
  std::string failure;

  double mean() const;    ///< 0 without values
  double median() const;  ///< 0 without values
};

/// A statement of the publication that can be looked at.
struct Claim {
  std::string text;
  std::vector<std::size_t> rows;                              ///< of the table, that it is about
  std::function<bool(std::span<const ReproducedRow>)> holds;  ///< gets those rows in that order; all have values
};

struct Experiment {
  proxy::TrainingPlan plan;
  std::size_t seeds = 1;
  Measure measure = Measure::hardest_accuracy;
  std::vector<PublishedRow> rows;
  std::vector<Claim> claims;
  std::vector<std::string> notes;  ///< where ours differs from the publication
};

struct Reproduction {
  std::string_view name;
  std::string_view summary;
  std::string_view source;
  Experiment (*make)(proxy::Tier tier);
};

/// recall_memory, conv_effect, attention_first, haystack, learning_rate.
std::span<const Reproduction> reproductions();

/// Throws SpecError that lists the names and the closest.
const Reproduction& find_reproduction(std::string_view name);

/// The rows with a label of `wanted`, or with one of these in their label where no label is just that, and the claims
/// that are about no other row. Throws SpecError for one that is in no label.
Experiment only_rows(Experiment experiment, std::span<const std::string> wanted);

/// Member-steps, for people who ask what it costs: "24 models of 600 steps".
std::string cost_text(const Experiment& experiment);

struct Reproduced {
  std::string name, summary, source;
  proxy::Tier tier = proxy::Tier::tiny;
  Experiment experiment;
  std::vector<ReproducedRow> rows;
  std::vector<std::string> notes;  ///< of the training
  bool finished = true;
  double elapsed_s = 0;
};

/// The experiment's plan.checkpoint is a folder, empty for none: a stopped table goes on from it, and a finished one
/// leaves nothing there. Throws as Backend::train.
Reproduced reproduce(const proxy::Backend& backend, const Reproduction& reproduction, proxy::Tier tier,
                     Experiment experiment, std::stop_token stop, const evaluate::ProxyObserver& observer);

/// "as published", "not as published", or "not looked at: a row failed".
std::string_view verdict(const Reproduced& result, const Claim& claim);

/// Whether there are claims and all are as published.
bool all_as_published(const Reproduced& result);

std::string reproduced_markdown(const Reproduced& result);
std::string reproduced_json(const Reproduced& result);

}  // namespace plait::app
