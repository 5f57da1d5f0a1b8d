#include "src/app/what_if.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/app/model_source.h"
#include "src/evaluate/prior_evaluator.h"

namespace plait::app {
namespace {

bool inside(const search::Scores& scores, const std::vector<search::Constraint>& constraints) {
  return std::ranges::all_of(constraints, [&](const search::Constraint& constraint) {
    const auto at = scores.find(constraint.metric);
    return at != scores.end() && (!constraint.low || at->second.value >= *constraint.low) &&
           (!constraint.high || at->second.value <= *constraint.high);
  });
}

}  // namespace

WhatIf::WhatIf(StudySpec study) : study_(std::move(study)), graph_(study_.space), evaluators_(make_evaluators(study_)) {
  const auto offers = [&](std::string_view name) {
    return std::ranges::any_of(evaluators_, [&](const auto& evaluator) {
      const std::vector<search::Metric> metrics = evaluator->metrics();
      return std::ranges::find(metrics, name, &search::Metric::name) != metrics.end();
    });
  };
  if (!offers("recall")) evaluators_.push_back(evaluate::make_prior_evaluator());
  for (const auto& evaluator : evaluators_) {
    for (search::Metric& metric : evaluator->metrics()) metrics_.push_back(std::move(metric));
  }
  std::ranges::stable_sort(metrics_, {}, [&](const search::Metric& metric) {
    return std::ranges::find(study_.objectives, metric.name, &search::Objective::metric) - study_.objectives.begin();
  });
}

std::string WhatIf::notation(const spec::Layout& layout) const {
  const auto known = [&](const spec::Mixer& mixer) {
    return std::ranges::any_of(study_.palette.mixers, [&](const auto& entry) { return entry.second == mixer; });
  };
  if (std::ranges::all_of(layout.layers, [&](const spec::LayerSpec& layer) { return known(layer.mixer); })) {
    try {
      return spec::print_layout(layout, study_.palette);
    } catch (const std::logic_error&) {  // a channel mixer that the study's palette does not have
    }
  }
  return notation_of(layout);
}

search::Scores WhatIf::scores(const spec::Layout& layout) const {
  search::Scores all;
  for (const auto& evaluator : evaluators_) {
    search::Outcome outcome;
    evaluator->evaluate({&layout, 1}, {&outcome, 1}, {});
    if (auto* scores = std::get_if<search::Scores>(&outcome)) all.merge(*scores);
  }
  return all;
}

WhatIf::Answer WhatIf::answer(const spec::Layout& layout) const {
  Answer answer;
  answer.letters = spec::letters(layout);
  spec::Problems problems;
  spec::validate(layout, study_.model.d_model, "", problems);
  if (layout.layers.empty()) problems.add("", "a layout needs a layer");
  for (const spec::Problem& problem : problems.list()) {
    answer.problems.push_back(problem.path.empty() ? problem.message : problem.path + ": " + problem.message);
  }
  if (!answer.problems.empty()) return answer;
  answer.notation = notation(layout);
  answer.scores = scores(layout);
  spec::ModelSpec model = study_.model;
  model.layout = layout;
  try {
    answer.costs = costmodel::cost_report(model, study_.workload(), study_.hardware);
  } catch (const spec::SpecError& error) {
    answer.problems.emplace_back(error.what());
  }
  const std::optional<search::Path> path =
      layout.size() == study_.space.size() ? study_.space.path(layout) : std::nullopt;
  if (layout.size() != study_.space.size()) {
    answer.outside.push_back(fmt::format("{} layers, the study has {}", layout.size(), study_.space.size()));
  } else if (!path) {
    answer.outside.emplace_back("a layer is no candidate of its slot");
  } else if (!graph_.contains(*path)) {
    std::string rules;
    for (const search::Rule& rule : study_.space.rules) rules += (rules.empty() ? "" : "; ") + search::describe(rule);
    answer.outside.push_back("breaks a rule of the study: " + rules);
  }
  for (const search::Constraint& constraint : study_.constraints) {
    if (!inside(answer.scores, {constraint}))
      answer.outside.push_back("outside the constraint on " + constraint.metric);
  }
  return answer;
}

std::vector<costmodel::CostReport> WhatIf::sweep(const spec::Layout& layout,
                                                 std::span<const spec::Dim> contexts) const {
  spec::ModelSpec model = study_.model;
  model.layout = layout;
  std::vector<costmodel::CostReport> reports;
  for (const spec::Dim context : contexts) {
    try {
      reports.push_back(
          costmodel::cost_report(model, {.context = context, .batch = study_.workload().batch}, study_.hardware));
    } catch (const spec::SpecError&) {
      break;
    }
  }
  return reports;
}

search::Direction WhatIf::direction(const std::string& name) const {
  const auto objective = std::ranges::find(study_.objectives, name, &search::Objective::metric);
  if (objective != study_.objectives.end()) return objective->direction;
  const auto metric = std::ranges::find(metrics_, name, &search::Metric::name);
  return metric == metrics_.end() ? search::Direction::minimize : metric->direction;
}

std::optional<spec::Layout> WhatIf::best_neighbour(const spec::Layout& layout, const Goal& goal) const {
  const search::SearchSpace& space = study_.space;
  if (layout.size() != space.size()) {
    throw spec::SpecError("layout",
                          fmt::format("has {} layers; the layouts of this study have {}", layout.size(), space.size()));
  }
  // A layer that is no candidate of its slot can be replaced, or stands at another slot where it is one.
  constexpr std::uint16_t kForeign = UINT16_MAX;
  search::Path from;
  for (std::size_t i = 0; i < space.size(); ++i) {
    const auto is_layer = [&](const search::Candidate& candidate) { return candidate.layer == layout.layers[i]; };
    const auto at = std::ranges::find_if(space.candidates, is_layer);
    from.push_back(at == space.candidates.end() ? kForeign : static_cast<std::uint16_t>(at - space.candidates.begin()));
  }
  const double sign = direction(goal.metric) == search::Direction::minimize ? 1 : -1;
  const auto cost = [&](const search::Scores& all) -> std::optional<double> {
    const auto at = all.find(goal.metric);
    if (at == all.end() || !inside(all, goal.budgets) || !inside(all, study_.constraints)) return std::nullopt;
    return sign * at->second.value;
  };
  const search::Scores own = scores(layout);
  const auto own_value = own.find(goal.metric);
  if (own_value == own.end()) return std::nullopt;
  const bool own_inside = cost(own).has_value();
  std::optional<double> least;
  if (own_inside) least = sign * own_value->second.value;
  std::optional<spec::Layout> found;
  const auto look_at = [&](const search::Path& path) {
    if (std::ranges::find(path, kForeign) != path.end() || !graph_.contains(path)) return;
    spec::Layout candidate = space.layout(path);
    const std::optional<double> value = cost(scores(candidate));
    if (!value || (least && *value >= *least)) return;
    least = value;
    found = std::move(candidate);
  };
  search::Path path = from;
  for (std::size_t i = 0; i < path.size(); ++i) {
    for (const std::uint16_t candidate : space.slots[i]) {
      if (candidate == from[i]) continue;
      path[i] = candidate;
      look_at(path);
    }
    path[i] = from[i];
    for (std::size_t j = i + 1; j < path.size(); ++j) {
      if (path[i] == path[j]) continue;
      std::swap(path[i], path[j]);
      look_at(path);
      std::swap(path[i], path[j]);
    }
  }
  return found;
}

std::optional<spec::Layout> WhatIf::best(const Goal& goal) const {
  std::vector<search::AdditiveObjective> objectives;
  const auto add = [&](const std::string& metric, std::optional<double> low, std::optional<double> high, bool traded) {
    for (const auto& evaluator : evaluators_) {
      if (auto score = evaluator->additive(metric, study_.space)) {
        objectives.push_back({std::move(*score), direction(metric), low, high, traded});
        return;
      }
    }
    throw spec::SpecError(metric, "is not a sum over the layers of this space, so the best cannot be computed");
  };
  add(goal.metric, {}, {}, true);
  for (const auto* constraints : {&goal.budgets, &study_.constraints}) {
    for (const search::Constraint& constraint : *constraints) {
      add(constraint.metric, constraint.low, constraint.high, false);
    }
  }
  const std::vector<search::FrontPoint> front = search::exact_front(graph_, objectives);
  if (front.empty()) return std::nullopt;
  return study_.space.layout(front.back().path);
}

}  // namespace plait::app
