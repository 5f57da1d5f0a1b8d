#include "src/evaluate/proxy_evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "src/evaluate/matched_proxy.h"

namespace plait::evaluate {
namespace {

using search::Direction;
using search::Failure;
using search::Source;

Failure failure_of(const std::string& reason) {
  Failure::Kind kind = Failure::Kind::error;
  if (reason.starts_with("diverged")) kind = Failure::Kind::diverged;
  if (reason.find("out of memory") != std::string::npos) kind = Failure::Kind::out_of_memory;
  return {kind, reason};
}

}  // namespace

std::vector<Rung> proxy_ladder(proxy::Tier tier) {
  switch (tier) {
    case proxy::Tier::tiny:
      return {{.tasks = {{"mqar"}}, .steps = 800, .batch = 32, .seeds = 2, .learning_rates = {5e-3, 1e-2}}};
    case proxy::Tier::small:
      return {
          {.tasks = {{"mqar"}}, .steps = 500, .batch = 64, .seeds = 1, .learning_rates = {3e-3, 5e-3, 1e-2}},
          {.tasks = {{"mqar", 0.7}, {"haystack", 0.3}}, .steps = 1600, .batch = 64, .seeds = 3, .learning_rates = {}}};
    case proxy::Tier::full:
      return {{.tasks = {{"mqar"}},
               .steps = 500,
               .batch = 256,
               .seeds = 1,
               .learning_rates = {1e-3, 3e-3, 1e-2},
               .keep = 0.5},
              {.tasks = {{"mqar", 0.5}, {"haystack", 0.3}, {"fuzzy_recall", 0.2}},
               .steps = 1500,
               .batch = 256,
               .seeds = 2,
               .learning_rates = {},
               .keep = 0.5},
              {.tasks = {{"mqar", 0.35},
                         {"haystack", 0.2},
                         {"fuzzy_recall", 0.15},
                         {"overwrite", 0.1},
                         {"multi_hop", 0.1},
                         {"selective_copy", 0.1}},
               .steps = 3000,
               .batch = 256,
               .seeds = 3,
               .learning_rates = {}}};
  }
  return {};
}

std::size_t proxy_limit(proxy::Tier tier) {
  switch (tier) {
    case proxy::Tier::tiny: return 5;
    case proxy::Tier::small: return 12;
    case proxy::Tier::full: return 24;
  }
  return 0;
}

std::vector<search::Metric> proxy_metrics() {
  return {{"proxy_recall", "1", Direction::maximize,
           "information about the answers of recall tasks that a small trained model of this layout has: 0 is guessing "
           "among the values of the context, 1 is certainty"},
          {"proxy_recall_least", "1", Direction::maximize, "the same on the task that it knows least about"},
          {"proxy_accuracy", "1", Direction::maximize, "its accuracy at the hardest load"},
          {"proxy_locked_in", "1", Direction::maximize,
           "share of its seeds that answer more than half of the hardest load"}};
}

/// A distinct proxy model on its way up the ladder.
struct ProxyEvaluator::Entrant {
  spec::Layout layout;  ///< a layout that has it
  double learning_rate = 0;
  double information = -1;  ///< of the last rung
  Measurement measurement{
      .outcome = Failure{Failure::Kind::cancelled, "the proxy training was stopped"}, .how = {}, .curves = {}};
  bool failed = false;
};

ProxyEvaluator::ProxyEvaluator(spec::ModelSpec model, ProxyOptions options)
    : model_(std::move(model)), options_(std::move(options)) {
  if (options_.backend == nullptr) throw std::logic_error("a proxy evaluator needs a backend");
  if (options_.ladder.empty()) options_.ladder = proxy_ladder(options_.tier);
  const auto& ladder = options_.ladder;
  if (ladder.front().learning_rates.empty()) throw std::logic_error("the first rung needs learning rates");
  for (const Rung& rung : ladder) {
    if (rung.tasks.empty() || rung.steps < 1 || rung.seeds < 1)
      throw std::logic_error("a rung needs tasks, steps and seeds");
    for (const RungTask& task : rung.tasks) options_.backend->task_shape(plan(rung, task.task));
  }
}

proxy::TrainingPlan ProxyEvaluator::plan(const Rung& rung, const std::string& task) const {
  proxy::TrainingPlan plan;
  plan.task = task;
  plan.tier = options_.tier;
  plan.device = options_.device;
  plan.steps = rung.steps;
  plan.batch = rung.batch;
  plan.report_every = std::max<std::int64_t>(1, std::min<std::int64_t>(50, rung.steps / 8));
  plan.checkpoint = options_.checkpoints;
  return plan;
}

spec::ModelSpec ProxyEvaluator::reduced(const spec::Layout& layout, const proxy::Backend::TaskShape& shape) const {
  spec::ModelSpec model = model_;
  model.layout = layout;
  model = matched_proxy(model, proxy::proxy_shape(options_.tier), shape.vocab_size, shape.length);
  model.name = spec::letters(model.layout);
  return model;
}

spec::ModelSpec ProxyEvaluator::proxy_model(const spec::Layout& layout) const {
  const Rung& last = options_.ladder.back();
  return reduced(layout, options_.backend->task_shape(plan(last, last.tasks.front().task)));
}

std::string ProxyEvaluator::label() const {
  return fmt::format("{} on {}", search::name_of(options_.tier), options_.device);
}

/// One population per task. Returns false when stopped.
bool ProxyEvaluator::run_rung(const Rung& rung, std::span<Entrant* const> field, std::size_t& training,
                              std::size_t trainings, std::stop_token stop) const {
  struct Sum {
    double weight = 0, information = 0, least = 1, variance = 0, accuracy = 0, locked_in = 0;
    std::string failure, unsupported;
    double best = -1, learning_rate = 0;
  };
  std::vector<Sum> sums(field.size());
  std::string tasks;
  for (const RungTask& entry : rung.tasks) {
    const proxy::TrainingPlan task_plan = plan(rung, entry.task);
    const proxy::Backend::TaskShape shape = options_.backend->task_shape(task_plan);
    std::vector<ProxyCandidate> candidates;
    std::size_t members = 0;
    for (const Entrant* entrant : field) {
      candidates.push_back({reduced(entrant->layout, shape),
                            rung.learning_rates.empty() ? std::vector{entrant->learning_rate} : rung.learning_rates});
      members += candidates.back().learning_rates.size() * rung.seeds;
    }
    ProxyProgress progress{.training = ++training,
                           .trainings = trainings,
                           .task = entry.task,
                           .device = options_.device,
                           .members = members,
                           .now = {}};
    const ProxyPopulation population = train_candidates(*options_.backend, candidates, rung.seeds, task_plan, stop,
                                                        [&](const proxy::TrainingProgress& now) {
                                                          progress.now = now;
                                                          if (options_.observer) options_.observer(progress);
                                                        });
    if (!population.finished) return false;
    tasks += (tasks.empty() ? "" : " + ") + entry.task;
    for (std::size_t i = 0; i < field.size(); ++i) {
      const ProxyOutcome& outcome = population.outcomes[i];
      Sum& sum = sums[i];
      const auto rung_index = static_cast<std::size_t>(&rung - options_.ladder.data());
      for (std::size_t seed = 0; seed < outcome.runs.size(); ++seed) {
        field[i]->measurement.curves.push_back(
            {entry.task, rung_index, outcome.learning_rate, seed, outcome.runs[seed].curve});
      }
      if (!outcome.unsupported.empty()) sum.unsupported = outcome.unsupported;
      if (outcome.score.seeds == 0 && sum.failure.empty()) {
        sum.failure = outcome.score.failure.empty() ? "no seed finished" : outcome.score.failure;
      }
      sum.weight += entry.weight;
      sum.information += entry.weight * outcome.score.information;
      sum.least = std::min(sum.least, outcome.score.information);
      sum.variance += std::pow(entry.weight * outcome.score.deviation, 2);
      sum.accuracy += entry.weight * outcome.score.accuracy;
      sum.locked_in += entry.weight * outcome.score.locked_in;
      if (entry.weight > sum.best) {  // the task that weighs most decides on the learning rate of the next rung
        sum.best = entry.weight;
        sum.learning_rate = outcome.learning_rate;
      }
    }
  }
  for (std::size_t i = 0; i < field.size(); ++i) {
    const Sum& sum = sums[i];
    Entrant& entrant = *field[i];
    entrant.learning_rate = sum.learning_rate;
    entrant.failed = !sum.failure.empty() || !sum.unsupported.empty();
    entrant.information = entrant.failed ? -1 : sum.information / sum.weight;
    entrant.measurement.how =
        fmt::format("{}: {}, {} steps of {}, {}, learning rate {}", label(), tasks, rung.steps, rung.batch,
                    rung.seeds == 1 ? "1 seed" : fmt::format("{} seeds", rung.seeds), sum.learning_rate);
    if (!sum.unsupported.empty()) {
      entrant.measurement.outcome = Failure{Failure::Kind::unsupported, sum.unsupported};
    } else if (!sum.failure.empty()) {
      entrant.measurement.outcome = failure_of(sum.failure);
    } else {
      entrant.measurement.outcome = search::Scores{
          {"proxy_recall", {entrant.information, std::sqrt(sum.variance) / sum.weight, Source::measured}},
          {"proxy_recall_least", {sum.least, std::nullopt, Source::measured}},
          {"proxy_accuracy", {sum.accuracy / sum.weight, std::nullopt, Source::measured}},
          {"proxy_locked_in", {sum.locked_in / sum.weight, std::nullopt, Source::measured}}};
    }
  }
  return true;
}

std::vector<ProxyEvaluator::Measurement> ProxyEvaluator::measure(std::span<const spec::Layout> layouts,
                                                                 std::stop_token stop) const {
  std::vector<spec::ModelSpec> models;
  std::vector<Entrant> entrants;
  std::vector<std::size_t> entrant_of;
  for (const spec::Layout& layout : layouts) {
    spec::ModelSpec model = proxy_model(layout);
    const auto at = static_cast<std::size_t>(std::ranges::find(models, model) - models.begin());
    entrant_of.push_back(at);
    if (at < models.size()) continue;
    models.push_back(std::move(model));
    entrants.emplace_back().layout = layout;
  }

  std::size_t training = 0, trainings = 0;
  for (const Rung& rung : options_.ladder) trainings += rung.tasks.size();
  std::vector<Entrant*> field;
  for (Entrant& entrant : entrants) field.push_back(&entrant);
  bool stopped = false;
  for (const Rung& rung : options_.ladder) {
    if (field.empty() || stopped) break;
    stopped = !run_rung(rung, field, training, trainings, stop);
    std::erase_if(field, [](const Entrant* entrant) { return entrant->failed; });
    std::ranges::stable_sort(field, std::greater{}, &Entrant::information);
    const auto kept = static_cast<std::size_t>(std::ceil(rung.keep * static_cast<double>(field.size())));
    field.resize(std::min(field.size(), std::max<std::size_t>(2, kept)));
    std::ranges::sort(field);  // back to the order of the layouts
  }

  std::vector<Measurement> out;
  for (const std::size_t i : entrant_of) {
    out.push_back(stopped ? Entrant{}.measurement : entrants[i].measurement);
  }
  return out;
}

void ProxyEvaluator::evaluate(std::span<const spec::Layout> layouts, std::span<search::Outcome> outcomes,
                              std::stop_token stop) {
  std::vector<Measurement> measurements = measure(layouts, stop);
  for (std::size_t i = 0; i < layouts.size(); ++i) outcomes[i] = std::move(measurements[i].outcome);
}

}  // namespace plait::evaluate
