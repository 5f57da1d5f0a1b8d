#include "src/app/proxy_comparison.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/evaluate/matched_proxy.h"

namespace plait::app {
namespace {

struct Defaults {
  std::int64_t steps, batch;
  std::size_t seeds;
  std::vector<double> learning_rates;
};

Defaults defaults(proxy::Tier tier) {
  switch (tier) {
    case proxy::Tier::tiny: return {800, 32, 2, {5e-3, 1e-2}};
    case proxy::Tier::small: return {1600, 64, 3, {3e-3, 5e-3, 1e-2}};
    case proxy::Tier::full: return {3000, 256, 3, {1e-3, 3e-3, 1e-2}};
  }
  return {};
}

spec::OrderedJson run_json(const proxy::MemberRun& run, std::uint64_t seed) {
  spec::OrderedJson out;
  out["seed"] = seed;
  out["steps"] = run.steps;
  if (!run.failure.empty()) out["failure"] = run.failure;
  const auto escape = proxy::escape_step(run);
  out["escape_step"] = escape ? spec::OrderedJson(*escape) : spec::OrderedJson();
  out["locked_in"] = proxy::locked_in(run);
  out["curve"] = spec::OrderedJson::array();
  for (const proxy::CurvePoint& point : run.curve) {
    out["curve"].push_back({{"step", point.step}, {"loss", point.loss}, {"accuracy", point.accuracy}});
  }
  out["tests"] = spec::OrderedJson::array();
  for (const proxy::TestScore& test : run.tests) {
    out["tests"].push_back({{"pairs", test.pairs},
                            {"length", test.length},
                            {"candidates", test.candidates},
                            {"cross_entropy", test.cross_entropy},
                            {"accuracy", test.accuracy}});
  }
  return out;
}

}  // namespace

proxy::TrainingPlan comparison_plan(const ComparisonOptions& options) {
  const Defaults standard = defaults(options.tier);
  proxy::TrainingPlan plan;
  plan.task = options.task;
  plan.tier = options.tier;
  plan.text = options.text;
  plan.device = options.device;
  plan.steps = options.steps.value_or(standard.steps);
  plan.batch = options.batch.value_or(standard.batch);
  plan.report_every = std::clamp<std::int64_t>(plan.steps / 20, 1, 50);
  plan.checkpoint = options.checkpoints;
  return plan;
}

std::size_t comparison_seeds(const ComparisonOptions& options) {
  return options.seeds.value_or(defaults(options.tier).seeds);
}

std::vector<double> comparison_rates(const ComparisonOptions& options) {
  return options.learning_rates.empty() ? defaults(options.tier).learning_rates : options.learning_rates;
}

std::int64_t Comparison::candidates() const {
  for (const ComparedLayout& layout : layouts) {
    for (const proxy::MemberRun& run : layout.outcome.runs) {
      if (!run.tests.empty()) return run.tests.back().candidates;
    }
  }
  return 0;
}

Comparison compare_on_proxy(const proxy::Backend& backend, const std::vector<NamedModel>& models,
                            const ComparisonOptions& options, std::stop_token stop,
                            const evaluate::ProxyObserver& observer) {
  Comparison out;
  out.plan = comparison_plan(options);
  out.seeds = comparison_seeds(options);
  out.learning_rates = comparison_rates(options);
  const proxy::Backend::TaskShape shape = backend.task_shape(out.plan);

  std::vector<evaluate::ProxyCandidate> candidates;
  std::vector<std::size_t> candidate_of;
  for (std::size_t i = 0; i < models.size(); ++i) {
    spec::ModelSpec reduced =
        evaluate::matched_proxy(models[i].model, proxy::proxy_shape(options.tier), shape.vocab_size, shape.length);
    reduced.name = spec::letters(reduced.layout);
    std::size_t shares = i;
    for (std::size_t k = i; k-- > 0;) {
      if (out.layouts[k].model == reduced) shares = k;
    }
    candidate_of.push_back(shares == i ? candidates.size() : candidate_of[shares]);
    if (shares == i) candidates.push_back({reduced, out.learning_rates});
    out.layouts.push_back({models[i].notation, reduced.name, std::move(reduced), shares, {}});
  }
  out.members = candidates.size() * out.learning_rates.size() * out.seeds;
  evaluate::ProxyProgress progress{.training = 1,
                                   .trainings = 1,
                                   .task = out.plan.task,
                                   .device = out.plan.device,
                                   .members = out.members,
                                   .now = {}};
  const evaluate::ProxyPopulation population = evaluate::train_candidates(
      backend, candidates, out.seeds, out.plan, stop, [&](const proxy::TrainingProgress& now) {
        progress.now = now;
        if (observer) observer(progress);
      });
  out.finished = population.finished;
  out.notes = population.notes;
  out.elapsed_s = population.elapsed_s;
  out.tokens_per_s = population.tokens_per_s;
  out.peak_memory_bytes = population.peak_memory_bytes;
  if (population.finished) {
    for (std::size_t i = 0; i < out.layouts.size(); ++i) out.layouts[i].outcome = population.outcomes[candidate_of[i]];
  }
  return out;
}

std::string comparison_json(const Comparison& comparison) {
  spec::OrderedJson out;
  out["task"] = comparison.plan.task;
  out["tier"] = search::name_of(comparison.plan.tier);
  out["device"] = comparison.plan.device;
  out["steps"] = comparison.plan.steps;
  out["batch"] = comparison.plan.batch;
  out["seeds"] = comparison.seeds;
  out["learning_rates"] = comparison.learning_rates;
  out["members"] = comparison.members;
  const std::int64_t candidates = comparison.candidates();
  out["chance"] = candidates > 0 ? spec::OrderedJson(1.0 / static_cast<double>(candidates)) : spec::OrderedJson();
  out["elapsed_s"] = comparison.elapsed_s;
  out["tokens_per_s"] = comparison.tokens_per_s;
  out["peak_memory_bytes"] = comparison.peak_memory_bytes;
  out["notes"] = comparison.notes;
  out["layouts"] = spec::OrderedJson::array();
  for (const ComparedLayout& layout : comparison.layouts) {
    const proxy::CandidateScore& score = layout.outcome.score;
    spec::OrderedJson row;
    row["layout"] = layout.layout;
    row["proxy"] = layout.proxy;
    if (!layout.outcome.unsupported.empty()) {
      row["failure"] = layout.outcome.unsupported;
    } else if (score.seeds == 0) {
      row["failure"] = score.failure;
    } else {
      row["learning_rate"] = layout.outcome.learning_rate;
      row["information"] = {
          {"value", score.information}, {"deviation", score.deviation}, {"low", score.low}, {"high", score.high}};
      row["accuracy"] = score.accuracy;
      row["locked_in"] = score.locked_in;
      row["escape_step"] = score.escape_step ? spec::OrderedJson(*score.escape_step) : spec::OrderedJson();
    }
    row["runs"] = spec::OrderedJson::array();
    for (std::size_t seed = 0; seed < layout.outcome.runs.size(); ++seed) {
      row["runs"].push_back(run_json(layout.outcome.runs[seed], seed));
    }
    out["layouts"].push_back(std::move(row));
  }
  return out.dump(2) + "\n";
}

report::LineChart learning_curves(const Comparison& comparison) {
  report::LineChart chart;
  chart.title = fmt::format("{}: accuracy at the hardest load", comparison.plan.task);
  chart.subtitle = fmt::format("{} proxies on {}, {} steps of {} sequences, {} at the best learning rate",
                               search::name_of(comparison.plan.tier), comparison.plan.device, comparison.plan.steps,
                               comparison.plan.batch,
                               comparison.seeds == 1 ? "one seed" : fmt::format("{} seeds each", comparison.seeds));
  chart.x = {.label = "training step", .unit = "1", .direction = search::Direction::minimize, .log = false};
  chart.y = {.label = "accuracy", .unit = "1", .direction = search::Direction::maximize, .log = false};
  for (std::size_t i = 0; i < comparison.layouts.size(); ++i) {
    const ComparedLayout& layout = comparison.layouts[i];
    if (layout.shares != i) continue;
    for (const proxy::MemberRun& run : layout.outcome.runs) {
      report::LineChart::Line line{
          .label = layout.proxy == layout.layout ? layout.layout : fmt::format("{} as {}", layout.layout, layout.proxy),
          .points = {},
          .group = i};
      for (const proxy::CurvePoint& point : run.curve)
        line.points.push_back({static_cast<double>(point.step), point.accuracy});
      chart.lines.push_back(std::move(line));
    }
  }
  if (const std::int64_t candidates = comparison.candidates(); candidates > 1) {
    chart.levels.push_back({fmt::format("chance: any of the {} values of the context", candidates),
                            1.0 / static_cast<double>(candidates)});
  }
  chart.levels.push_back({"", 1.0});
  return chart;
}

}  // namespace plait::app
