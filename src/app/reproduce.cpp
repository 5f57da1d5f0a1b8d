#include "src/app/reproduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "src/spec/notation.h"

namespace plait::app {
namespace {

constexpr std::string_view kHolds = "as published";

double value_of(const proxy::MemberRun& run, Measure measure) {
  if (measure == Measure::hardest_accuracy) return run.tests.back().accuracy;
  double sum = 0;
  for (const proxy::TestScore& test : run.tests) sum += test.accuracy;
  return sum / static_cast<double>(run.tests.size());
}

std::string_view measure_text(Measure measure) {
  return measure == Measure::mean_accuracy ? "accuracy, mean over the test loads" : "accuracy at the hardest load";
}

/// "0.93", or "0.93 (0.90-0.95)" over seeds.
std::string values_text(const ReproducedRow& row) {
  if (row.values.empty()) return row.failure.empty() ? "-" : row.failure;
  const auto [low, high] = std::ranges::minmax(row.values);
  return row.values.size() == 1 ? fmt::format("{:.3f}", row.mean())
                                : fmt::format("{:.3f} ({:.3f} to {:.3f})", row.mean(), low, high);
}

}  // namespace

double ReproducedRow::mean() const {
  return values.empty() ? 0 : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double ReproducedRow::median() const {
  if (values.empty()) return 0;
  std::vector<double> sorted = values;
  std::ranges::sort(sorted);
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const Reproduction& find_reproduction(std::string_view name) {
  const auto table = reproductions();
  const auto at = std::ranges::find(table, name, &Reproduction::name);
  if (at != table.end()) return *at;
  std::vector<std::string> names;
  for (const Reproduction& reproduction : table) names.emplace_back(reproduction.name);
  const std::string close = spec::closest_name(std::string(name), names);
  throw spec::SpecError("NAME",
                        fmt::format("\"{}\" is nothing to reproduce; one of {}{}", name, spec::quoted_list(names),
                                    close.empty() ? "" : fmt::format("; did you mean \"{}\"?", close)));
}

Experiment only_rows(Experiment experiment, std::span<const std::string> wanted) {
  auto& rows = experiment.rows;
  const std::size_t count = rows.size();
  std::vector<bool> keep(count);
  for (const std::string& text : wanted) {
    const bool whole = std::ranges::find(rows, text, &PublishedRow::label) != rows.end();
    bool any = false;
    for (std::size_t i = 0; i < count; ++i) {
      const bool is_it = whole ? rows[i].label == text : rows[i].label.find(text) != std::string::npos;
      keep[i] = keep[i] || is_it;
      any |= is_it;
    }
    if (any) continue;
    std::vector<std::string> labels;
    for (const PublishedRow& row : rows) labels.push_back(row.label);
    throw spec::SpecError("--row", fmt::format("no row is \"{}\"; they are {}", text, spec::quoted_list(labels)));
  }
  std::vector<std::size_t> now_at(count, count);
  std::vector<PublishedRow> kept;
  for (std::size_t i = 0; i < count; ++i) {
    if (!keep[i]) continue;
    now_at[i] = kept.size();
    kept.push_back(std::move(rows[i]));
  }
  rows = std::move(kept);
  for (Claim& claim : experiment.claims) {
    for (std::size_t& row : claim.rows) row = now_at[row];
  }
  std::erase_if(experiment.claims, [&](const Claim& claim) { return std::ranges::count(claim.rows, count) > 0; });
  return experiment;
}

std::string cost_text(const Experiment& experiment) {
  std::size_t members = 0;
  for (const PublishedRow& row : experiment.rows) members += row.learning_rates.size() * experiment.seeds;
  return fmt::format("{} models x {} steps of {}", members, experiment.plan.steps, experiment.plan.batch);
}

Reproduced reproduce(const proxy::Backend& backend, const Reproduction& reproduction, proxy::Tier tier,
                     Experiment experiment, std::stop_token stop, const evaluate::ProxyObserver& observer) {
  const proxy::Backend::TaskShape shape = backend.task_shape(experiment.plan);
  Reproduced out{.name = std::string(reproduction.name),
                 .summary = std::string(reproduction.summary),
                 .source = std::string(reproduction.source),
                 .tier = tier,
                 .experiment = std::move(experiment),
                 .rows = {},
                 .notes = {}};
  out.rows.resize(out.experiment.rows.size());
  // Row after row, so that a stopped table has lost little, what it keeps is small, and the time left is known early.
  for (std::size_t i = 0; i < out.rows.size(); ++i) {
    const PublishedRow& row = out.experiment.rows[i];
    proxy::TrainingPlan plan = out.experiment.plan;
    plan.curriculum = row.curriculum;
    evaluate::ProxyCandidate candidate{row.model, row.learning_rates};
    spec::ModelSpec& model = candidate.model;
    model.vocab_size = shape.vocab_size;
    model.max_position = shape.length;
    model.tied_embeddings = true;
    model.dtype = spec::DType::fp32;
    model.name = row.label;
    evaluate::ProxyProgress progress{.training = i + 1,
                                     .trainings = out.rows.size(),
                                     .task = fmt::format("{}, {}", plan.task, row.label),
                                     .device = plan.device,
                                     .members = row.learning_rates.size() * out.experiment.seeds,
                                     .now = {}};
    const double before_s = out.elapsed_s;
    const evaluate::ProxyPopulation population = evaluate::train_candidates(
        backend, std::span(&candidate, 1), out.experiment.seeds, plan, stop, [&](const proxy::TrainingProgress& now) {
          progress.now = evaluate::over_all(now, before_s, static_cast<double>(i + 1),
                                            static_cast<double>(out.rows.size() - i - 1));
          if (observer) observer(progress);
        });
    for (const std::string& note : population.notes)
      if (std::ranges::find(out.notes, note) == out.notes.end()) out.notes.push_back(note);
    out.elapsed_s += population.elapsed_s;
    out.finished = population.finished;
    if (!out.finished) break;
    const evaluate::ProxyOutcome& outcome = population.outcomes[0];
    ReproducedRow& result = out.rows[i];
    result.learning_rate = outcome.learning_rate;
    result.failure = outcome.unsupported.empty() ? outcome.score.failure : outcome.unsupported;
    for (const proxy::MemberRun& run : outcome.runs) {
      if (run.failure.empty() && !run.tests.empty()) result.values.push_back(value_of(run, out.experiment.measure));
    }
  }
  if (out.finished) evaluate::remove_checkpoints(out.experiment.plan.checkpoint);
  return out;
}

std::string_view verdict(const Reproduced& result, const Claim& claim) {
  std::vector<ReproducedRow> rows;
  for (const std::size_t i : claim.rows) {
    rows.push_back(result.rows.at(i));
    if (rows.back().values.empty()) return "not looked at: a row failed";
  }
  return claim.holds(rows) ? kHolds : "not as published";
}

bool all_as_published(const Reproduced& result) {
  const auto& claims = result.experiment.claims;
  return !claims.empty() &&
         std::ranges::all_of(claims, [&](const Claim& claim) { return verdict(result, claim) == kHolds; });
}

std::string reproduced_markdown(const Reproduced& result) {
  const Experiment& experiment = result.experiment;
  std::string out = fmt::format(
      "# {}: {}\n\nSource: {}. Ours: task {}, tier {}, {}, {} steps of {} sequences, {} on {}; {:.0f} s.\n\n",
      result.name, result.summary, result.source, experiment.plan.task, search::name_of(result.tier),
      measure_text(experiment.measure), experiment.plan.steps, experiment.plan.batch,
      experiment.seeds == 1 ? "1 seed" : fmt::format("{} seeds", experiment.seeds), experiment.plan.device,
      result.elapsed_s);
  out += "| row | published | ours | learning rate |\n|---|---|---|---|\n";
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    const PublishedRow& row = experiment.rows[i];
    out +=
        fmt::format("| {} | {} | {} | {} |\n", row.label, row.published ? fmt::format("{:.3f}", *row.published) : "-",
                    values_text(result.rows[i]), result.rows[i].learning_rate);
  }
  if (!experiment.claims.empty()) out += "\n| claim | verdict |\n|---|---|\n";
  for (const Claim& claim : experiment.claims) out += fmt::format("| {} | {} |\n", claim.text, verdict(result, claim));
  if (!experiment.notes.empty() || !result.notes.empty()) out += "\n";
  for (const auto* notes : {&experiment.notes, &result.notes}) {
    for (const std::string& note : *notes) out += fmt::format("- {}\n", note);
  }
  return out;
}

std::string reproduced_json(const Reproduced& result) {
  const Experiment& experiment = result.experiment;
  spec::OrderedJson out;
  out["name"] = result.name;
  out["source"] = result.source;
  out["tier"] = search::name_of(result.tier);
  out["task"] = experiment.plan.task;
  out["device"] = experiment.plan.device;
  out["measure"] = measure_text(experiment.measure);
  out["steps"] = experiment.plan.steps;
  out["batch"] = experiment.plan.batch;
  out["seeds"] = experiment.seeds;
  out["elapsed_s"] = result.elapsed_s;
  out["rows"] = spec::OrderedJson::array();
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    const ReproducedRow& ours = result.rows[i];
    spec::OrderedJson row;
    row["row"] = experiment.rows[i].label;
    row["published"] =
        experiment.rows[i].published ? spec::OrderedJson(*experiment.rows[i].published) : spec::OrderedJson();
    row["ours"] = ours.values.empty() ? spec::OrderedJson() : spec::OrderedJson(ours.mean());
    row["values"] = ours.values;
    row["learning_rate"] = ours.learning_rate;
    if (!ours.failure.empty()) row["failure"] = ours.failure;
    out["rows"].push_back(std::move(row));
  }
  out["claims"] = spec::OrderedJson::array();
  for (const Claim& claim : experiment.claims) {
    out["claims"].push_back({{"claim", claim.text}, {"verdict", verdict(result, claim)}});
  }
  out["notes"] = experiment.notes;
  for (const std::string& note : result.notes) out["notes"].push_back(note);
  return out.dump(2) + "\n";
}

}  // namespace plait::app
