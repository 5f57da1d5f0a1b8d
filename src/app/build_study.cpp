#include "src/app/build_study.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/evaluate/prior_evaluator.h"

namespace plait::app {
namespace {

using Evaluators = std::vector<std::unique_ptr<search::Evaluator>>;

/// Every metric that objectives and constraints name.
std::vector<std::string> wanted_metrics(const StudySpec& study) {
  std::vector<std::string> names;
  for (const search::Objective& objective : study.objectives) names.push_back(objective.metric);
  for (const search::Constraint& constraint : study.constraints) names.push_back(constraint.metric);
  return names;
}

/// The objectives, then the constraints on other metrics, as additive scores; empty (with the reason) when one is not.
std::vector<search::AdditiveObjective> additive_objectives(const StudySpec& study, const Evaluators& evaluators,
                                                           std::string& not_additive) {
  std::vector<search::AdditiveObjective> out;
  const auto add = [&](const std::string& metric, search::Direction direction, bool traded) {
    for (const auto& evaluator : evaluators) {
      auto score = evaluator->additive(metric, study.space);
      if (!score) continue;
      search::AdditiveObjective objective{std::move(*score), direction, {}, {}, traded};
      for (const search::Constraint& constraint : study.constraints) {
        if (constraint.metric != metric) continue;
        if (constraint.low) objective.low = std::max(objective.low.value_or(*constraint.low), *constraint.low);
        if (constraint.high) objective.high = std::min(objective.high.value_or(*constraint.high), *constraint.high);
      }
      out.push_back(std::move(objective));
      return;
    }
    if (not_additive.empty()) not_additive = fmt::format("{} is not a sum over the layers of this space", metric);
  };
  std::vector<std::string> done;
  for (const search::Objective& objective : study.objectives) {
    add(objective.metric, objective.direction, true);
    done.push_back(objective.metric);
  }
  for (const search::Constraint& constraint : study.constraints) {
    if (std::ranges::find(done, constraint.metric) != done.end()) continue;
    add(constraint.metric, search::Direction::minimize, false);
    done.push_back(constraint.metric);
  }
  if (!not_additive.empty()) out.clear();
  return out;
}

}  // namespace

std::vector<std::unique_ptr<search::Evaluator>> make_evaluators(const StudySpec& study) {
  const std::vector<std::string> wanted = wanted_metrics(study);
  const auto chosen_from = [&](const std::vector<search::Metric>& metrics) {
    std::vector<std::string> names;
    for (const search::Metric& metric : metrics) {
      if (std::ranges::find(wanted, metric.name) != wanted.end()) names.push_back(metric.name);
    }
    return names;
  };
  std::vector<std::string> at_workloads;
  for (const std::string& name : wanted) {
    if (name.find('@') != std::string::npos) at_workloads.push_back(name);
  }
  Evaluators evaluators;
  evaluators.push_back(evaluate::make_cost_evaluator(study.model, study.hardware, study.workloads, at_workloads));
  if (!chosen_from(evaluate::prior_metrics()).empty()) evaluators.push_back(evaluate::make_prior_evaluator());
  if (auto names = chosen_from(evaluate::published_metrics()); !names.empty()) {
    evaluators.push_back(evaluate::make_published_evaluator(std::move(names)));
  }
  std::ranges::stable_sort(evaluators, {}, [](const auto& evaluator) { return evaluator->cost_class(); });
  return evaluators;
}

BuiltStudy::BuiltStudy(StudySpec study_spec) : spec(std::move(study_spec)), graph(spec.space) {
  search::Study::Parts parts;
  parts.objectives = spec.objectives;
  parts.constraints = spec.constraints;
  parts.space = &spec.space;
  parts.evaluators = make_evaluators(spec);
  parts.baselines = spec.baselines;
  parts.print_layout = [palette = spec.palette](const spec::Layout& layout) {
    return spec::print_layout(layout, palette);
  };
  for (const auto& evaluator : parts.evaluators) {
    const std::vector<search::Metric> more = evaluator->metrics();
    metrics.insert(metrics.end(), more.begin(), more.end());
  }
  search::StrategyContext context{.space = spec.space,
                                  .graph = graph,
                                  .objectives = spec.objectives,
                                  .constraints = spec.constraints,
                                  .additive = {},
                                  .not_additive = {},
                                  .seed = spec.seed,
                                  .budget = spec.options.budget};
  context.additive = additive_objectives(spec, parts.evaluators, context.not_additive);
  parts.strategy = search::find_strategy(spec.strategy)->make(context);
  study = std::make_unique<search::Study>(std::move(parts), spec.options);
}

std::unique_ptr<BuiltStudy> build_study(StudySpec spec) { return std::make_unique<BuiltStudy>(std::move(spec)); }

}  // namespace plait::app
