#include "src/app/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "src/app/output.h"

namespace plait::app {
namespace {

constexpr std::string_view kJournal = "journal.jsonl";
constexpr std::string_view kResults = "results.json";

/// The columns of tables: what the study trades off, then everything else.
std::vector<search::Metric> objectives_first(const BuiltStudy& built) {
  std::vector<search::Metric> metrics = built.metrics;
  auto place = metrics.begin();
  for (const search::Objective& objective : built.spec.objectives) {
    const auto metric = std::find_if(place, metrics.end(), [&](const auto& m) { return m.name == objective.metric; });
    std::rotate(place, metric, metric + 1);
    ++place;
  }
  return metrics;
}

/// Counts as integers, everything else as it is.
spec::OrderedJson number_json(const search::Value& score) {
  constexpr double kExactIntegers = 0x1p53;
  const bool integer = score.source == search::Source::exact && score.value == std::round(score.value) &&
                       std::abs(score.value) <= kExactIntegers;
  return integer ? spec::OrderedJson(static_cast<std::int64_t>(score.value)) : spec::OrderedJson(score.value);
}

spec::OrderedJson scores_json(const search::Trial& trial) {
  spec::OrderedJson out = spec::OrderedJson::object();
  const auto* scores = std::get_if<search::Scores>(&trial.outcome);
  if (scores == nullptr) return out;
  for (const auto& [metric, score] : *scores) {
    out[metric] = {{"value", number_json(score)}, {"deviation", nullptr}, {"source", search::name_of(score.source)}};
    if (score.deviation) out[metric]["deviation"] = *score.deviation;
  }
  return out;
}

spec::OrderedJson point_json(const search::Trial& trial, const std::string& measured) {
  spec::OrderedJson out;
  out["trial"] = trial.id;
  if (!trial.name.empty()) out["name"] = trial.name;
  out["layout"] = trial.layout;
  out["metrics"] = scores_json(trial);
  if (!measured.empty()) out["measured"] = measured;
  return out;
}

bool failed(const search::Trial& trial) { return std::holds_alternative<search::Failure>(trial.outcome); }

/// Trials with at least one measured score.
bool measured(const search::Trial& trial) {
  const auto* scores = std::get_if<search::Scores>(&trial.outcome);
  return scores && std::ranges::any_of(
                       *scores, [](const auto& entry) { return entry.second.source == search::Source::measured; });
}

bool is_baseline(const search::Trial& trial) { return trial.id.starts_with('b'); }

bool has_trial(const StudyResults& results, const std::string& id) {
  const auto& list = id.starts_with('b') ? results.baselines : results.trials;
  return std::ranges::find(list, id, &search::Trial::id) != list.end();
}

/// Curves that cannot be read, or are of trials that the journal has not, are no reason to show nothing.
void take_curves(const std::filesystem::path& folder, StudyResults& results) {
  try {
    if (folder.empty()) return;
    results.curves = read_curves(folder);
    const auto others = std::erase_if(results.curves, [&](const MeasuredCurve& measured) {
      return measured.trials.empty() ||
             !std::ranges::all_of(measured.trials, [&](const std::string& id) { return has_trial(results, id); });
    });
    if (others > 0) {
      results.warning = fmt::format("{} of the curves beside {} are of trials that it has not, and are left out",
                                    others, (folder / kJournal).string());
    }
  } catch (const std::exception& error) {
    results.warning = error.what();
  }
}

/// How a trial was measured; empty when it was not.
std::string measured_how(const StudyResults& results, const search::Trial& trial) {
  const auto at = std::ranges::find_if(results.measurements, [&](const search::Trial& measurement) {
    return std::string_view(measurement.id).substr(1) == trial.id;
  });
  if (at == results.measurements.end()) return "";
  const auto* failure = std::get_if<search::Failure>(&at->outcome);
  return failure == nullptr ? at->name : fmt::format("{}; {}", at->name, failure->reason);
}

}  // namespace

StudyResults results_so_far(const BuiltStudy& built) {
  const search::Study& study = *built.study;
  StudyResults results{.spec = built.spec,
                       .layouts = built.graph.count().str(),
                       .metrics = objectives_first(built),
                       .trials = study.trials(),
                       .baselines = study.baselines(),
                       .front = study.front().trials(),
                       .hypervolume = study.front().hypervolume(),
                       .finished = study.finished()};
  return results;
}

StudyResults run_study(BuiltStudy& built, const std::filesystem::path& folder, bool resume, std::stop_token stop,
                       const std::function<void(const search::Progress&)>& observer,
                       const std::function<void(const std::string&)>& warn, const ProxyRequest* proxies) {
  std::optional<search::Journal> journal;
  std::vector<search::Trial> recorded, measured;
  if (!folder.empty()) {
    const std::filesystem::path file = folder / kJournal;
    std::filesystem::create_directories(folder);
    if (search::Journal::started(file)) {
      search::Journal::Contents contents = search::Journal::read(file);
      const std::string difference = search::study_difference(contents.study, built.spec.source);
      if (!difference.empty()) {
        throw search::JournalError(
            fmt::format("{} holds another study ({}); choose another --out", file.string(), difference));
      }
      if (!resume) {
        throw search::JournalError(
            fmt::format("{} holds {} trials of this study; continue it with --resume, or choose another --out",
                        file.string(), std::ranges::count_if(contents.trials, std::not_fn(is_baseline))));
      }
      if (contents.torn_bytes > 0) {
        warn(fmt::format("{}: the last {} bytes are an unfinished record and were dropped", file.string(),
                         contents.torn_bytes));
      }
      journal = search::Journal::resume(file, contents);
      recorded = std::move(contents.trials);
      measured = std::move(contents.measurements);
    } else {
      journal = search::Journal::create(file, built.spec.source);
    }
  }
  built.study->run(journal ? &*journal : nullptr, recorded, stop, observer);
  StudyResults results = results_so_far(built);
  if (proxies != nullptr && results.finished) {
    const search::Trial* best = recommended(results);
    std::optional<Measured> fresh = measure_on_proxies(
        {.front = results.front, .baselines = results.baselines, .recommended = best == nullptr ? "" : best->id},
        built.spec, *proxies, folder, journal ? &*journal : nullptr, measured, stop);
    results.finished = fresh.has_value();
    if (fresh) {
      for (search::Trial& measurement : fresh->trials) {
        if (std::ranges::find(measured, measurement.id, &search::Trial::id) == measured.end()) {
          measured.push_back(std::move(measurement));
        }
      }
      results.curves = std::move(fresh->curves);
    }
  }
  if (results.curves.empty()) take_curves(folder, results);
  add_measurements(std::move(measured), results);
  if (!folder.empty() && results.finished) replace_file(folder / kResults, results_json(results));
  return results;
}

void add_measurements(std::vector<search::Trial> measurements, StudyResults& results) {
  for (const search::Trial& measurement : measurements) {
    const std::string_view id = std::string_view(measurement.id).substr(1);
    for (auto* list : {&results.trials, &results.baselines, &results.front}) {
      const auto trial = std::ranges::find(*list, id, &search::Trial::id);
      if (trial != list->end()) add_scores(measurement, *trial);
    }
  }
  for (const search::Metric& metric : evaluate::proxy_metrics()) {
    const bool known = std::ranges::find(results.metrics, metric.name, &search::Metric::name) != results.metrics.end();
    const bool occurs =
        std::ranges::any_of(measurements, [&](const auto& m) { return score(m, metric.name) != nullptr; });
    if (occurs && !known) results.metrics.push_back(metric);
  }
  results.measurements = std::move(measurements);
}

FollowedResults::FollowedResults(std::filesystem::path folder)
    : folder_(std::move(folder)), journal_(folder_ / kJournal) {}

search::JournalFollower::Change FollowedResults::update(const std::function<void(double share)>& observe) {
  using Change = search::JournalFollower::Change;
  const Change change = journal_.update(observe);
  if (change == Change::none) return change;
  const search::Journal::Contents& contents = journal_.contents();
  if (change == Change::replaced || !built_) {
    built_.reset();
    spec::Problems problems;
    StudySpec spec = study_from_json(contents.study, (folder_ / kJournal).string() + ": study", problems);
    problems.throw_if_any();
    built_ = build_study(std::move(spec));
    front_.emplace(built_->spec.objectives);
    taken_ = 0;
  }
  for (; taken_ < contents.trials.size(); ++taken_) {
    if (!is_baseline(contents.trials[taken_])) front_->add(contents.trials[taken_]);
  }
  return change;
}

StudyResults FollowedResults::results() const { return results_of(journal_.contents()); }

StudyResults FollowedResults::take() && { return results_of(std::move(journal_).take()); }

StudyResults FollowedResults::results_of(search::Journal::Contents contents) const {
  StudyResults results = results_so_far(*built_);
  const auto first = std::ranges::find_if_not(contents.trials, is_baseline);
  results.baselines.assign(std::move_iterator(contents.trials.begin()), std::move_iterator(first));
  contents.trials.erase(contents.trials.begin(), first);
  results.trials = std::move(contents.trials);
  results.front = front_->trials();
  results.hypervolume = front_->hypervolume();
  add_measurements(std::move(contents.measurements), results);
  take_curves(folder_, results);
  return results;
}

StudyResults load_results(const std::filesystem::path& folder) {
  FollowedResults followed(folder);
  followed.update();
  return std::move(followed).take();
}

std::string results_json(const StudyResults& results) {
  spec::OrderedJson out;
  out["study"] = results.spec.name;
  out["strategy"] = results.spec.strategy;
  out["seed"] = results.spec.seed;
  out["space"] = {{"slots", results.spec.space.size()}, {"layouts", results.layouts}};
  out["objectives"] = spec::OrderedJson::array();
  for (const search::Objective& objective : results.spec.objectives) {
    out["objectives"].push_back(
        {{"metric", objective.metric}, {"direction", search::name_of(objective.direction)}, {"unit", objective.unit}});
  }
  out["counts"] = {{"evaluated", results.trials.size()},
                   {"measured", std::ranges::count_if(results.trials, measured)},
                   {"failed", std::ranges::count_if(results.trials, failed)}};
  out["hypervolume"] = results.hypervolume;
  out["front"] = spec::OrderedJson::array();
  for (const search::Trial& trial : results.front)
    out["front"].push_back(point_json(trial, measured_how(results, trial)));
  out["baselines"] = spec::OrderedJson::array();
  for (const search::Trial& trial : results.baselines)
    out["baselines"].push_back(point_json(trial, measured_how(results, trial)));
  return out.dump(2) + "\n";
}

report::ResultTable result_table(const StudyResults& results) {
  report::ResultTable table{.metrics = results.metrics, .rows = {}};
  const auto add = [&](const search::Trial& trial, bool on_front) {
    const auto* scores = std::get_if<search::Scores>(&trial.outcome);
    table.rows.push_back({.trial = trial.id,
                          .name = trial.name,
                          .layout = trial.layout,
                          .letters = spec::letters(spec::parse_layout(trial.layout, results.spec.palette)),
                          .on_front = on_front,
                          .feasible = trial.feasible,
                          .is_baseline = is_baseline(trial),
                          .scores = scores ? *scores : search::Scores{}});
  };
  std::vector<std::string_view> front;
  for (const search::Trial& trial : results.front) front.push_back(trial.id);
  std::ranges::sort(front);
  for (const search::Trial& trial : results.trials)
    add(trial, std::ranges::binary_search(front, std::string_view(trial.id)));
  for (const search::Trial& trial : results.baselines) add(trial, false);
  return table;
}

const search::Trial* recommended(const StudyResults& results) {
  if (results.front.empty()) return nullptr;
  const auto& objectives = results.spec.objectives;
  const search::Value& best = *score(results.front.back(), objectives[0].metric);  // the front is sorted, best last
  std::vector<std::pair<double, double>> ranges;                                   // of every objective over the front
  for (const search::Objective& objective : objectives) {
    auto& [low, high] = ranges.emplace_back(INFINITY, -INFINITY);
    for (const search::Trial& trial : results.front) {
      low = std::min(low, score(trial, objective.metric)->value);
      high = std::max(high, score(trial, objective.metric)->value);
    }
  }
  const auto cost = [&](const search::Trial& trial) {
    double sum = 0;
    for (std::size_t k = 1; k < objectives.size(); ++k) {
      const search::Objective& objective = objectives[k];
      const auto& [low, high] = ranges[k];
      if (low == high) continue;
      const double share = (score(trial, objective.metric)->value - low) / (high - low);
      sum += objective.direction == search::Direction::minimize ? share : 1 - share;
    }
    return sum;
  };
  const search::Trial* chosen = nullptr;
  for (auto trial = results.front.rbegin(); trial != results.front.rend(); ++trial) {
    const double loss = std::abs(score(*trial, objectives[0].metric)->value - best.value);
    if (loss > best.deviation.value_or(0)) break;
    if (chosen == nullptr || cost(*trial) < cost(*chosen)) chosen = &*trial;
  }
  return chosen;
}

const search::Trial& find_trial(const StudyResults& results, const std::string& id) {
  if (id == "recommended") {
    if (const search::Trial* trial = recommended(results)) return *trial;
    throw spec::SpecError("--trial", "this study has no front, so there is no \"recommended\"");
  }
  for (const auto* list : {&results.trials, &results.baselines}) {
    const auto it = std::ranges::find(*list, id, &search::Trial::id);
    if (it != list->end()) return *it;
  }
  throw spec::SpecError(
      "--trial",
      fmt::format("there is no trial \"{}\"; this study has {} (0 to {}), {} baselines (b0, ...) and \"recommended\"",
                  id, results.trials.size(), results.trials.empty() ? 0 : results.trials.size() - 1,
                  results.baselines.size()));
}

spec::ModelSpec model_of(const StudyResults& results, const search::Trial& trial) {
  spec::ModelSpec model = results.spec.model;
  model.layout = spec::parse_layout(trial.layout, results.spec.palette);
  return model;
}

}  // namespace plait::app
