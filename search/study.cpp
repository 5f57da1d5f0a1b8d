#include "search/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <map>
#include <new>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>

namespace plait::search {
namespace {

/// What others wrote into a reason may not be UTF-8; the journal is.
std::string utf8(const std::string& text) {
  using nlohmann::json;
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace));
}

/// One call of an evaluator. When it throws, the layouts are tried one by one: the failure is that of one layout,
/// whoever was in the same chunk, so that outcomes do not depend on the number of workers.
void evaluate_chunk(Evaluator& evaluator, std::span<const spec::Layout> layouts, std::span<Outcome> outcomes,
                    std::stop_token stop) {
  try {
    evaluator.evaluate(layouts, outcomes, stop);
    return;
  } catch (const std::logic_error&) {
    throw;
  } catch (const std::bad_alloc&) {
    if (layouts.size() == 1) outcomes[0] = Failure{Failure::Kind::out_of_memory, std::string(evaluator.name())};
  } catch (const std::exception& error) {
    if (layouts.size() == 1) {
      outcomes[0] = Failure{Failure::Kind::error, fmt::format("{}: {}", evaluator.name(), error.what())};
    }
  }
  if (layouts.size() == 1) return;
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    evaluate_chunk(evaluator, layouts.subspan(i, 1), outcomes.subspan(i, 1), stop);
  }
}

/// All outcomes, in order. Several workers take small chunks in turn, so that uneven layouts do not leave one waiting;
/// a single one takes all at once, which evaluators that train a population want.
std::vector<Outcome> evaluate_all(Evaluator& evaluator, std::span<const spec::Layout> layouts, std::size_t workers,
                                  std::stop_token stop) {
  constexpr std::size_t kChunksPerWorker = 4;
  std::vector<Outcome> outcomes(layouts.size(),
                                Failure{Failure::Kind::cancelled, fmt::format("{} gave no outcome", evaluator.name())});
  const std::size_t pieces = workers == 1 ? 1 : workers * kChunksPerWorker;
  const std::size_t length = (layouts.size() + pieces - 1) / pieces;
  const std::size_t chunks = (layouts.size() + length - 1) / length;

  std::atomic<std::size_t> next = 0;
  std::vector<std::exception_ptr> errors(chunks);
  const auto work = [&] {
    for (std::size_t c = next++; c < chunks && !stop.stop_requested(); c = next++) {
      const std::size_t begin = c * length;
      const std::size_t size = std::min(length, layouts.size() - begin);
      try {
        evaluate_chunk(evaluator, layouts.subspan(begin, size), std::span(outcomes).subspan(begin, size), stop);
      } catch (...) {
        errors[c] = std::current_exception();
        next = chunks;
      }
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (std::size_t i = 1; i < std::min(workers, chunks); ++i) helpers.emplace_back(work);
    work();
  }
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return outcomes;
}

/// Adds what one evaluator found to a trial that has not failed.
void merge(Outcome outcome, const Evaluator& evaluator, Trial& trial) {
  if (auto* failure = std::get_if<Failure>(&outcome)) {
    failure->reason = utf8(failure->reason);
    trial.outcome = std::move(*failure);
    return;
  }
  Scores& scores = std::get<Scores>(trial.outcome);
  for (auto& [metric, score] : std::get<Scores>(outcome)) {
    const double deviation = score.deviation.value_or(0);
    if (!std::isfinite(score.value) || !std::isfinite(deviation) || deviation < 0) {
      trial.outcome = Failure{Failure::Kind::error, fmt::format("{}: {} is {}, deviation {}", evaluator.name(), metric,
                                                                score.value, deviation)};
      return;
    }
    if (!scores.emplace(metric, score).second) {
      throw std::logic_error(fmt::format("{} scores {}, as another evaluator did before", evaluator.name(), metric));
    }
  }
}

bool failed(const Trial& trial) { return std::holds_alternative<Failure>(trial.outcome); }

}  // namespace

ParetoFront::ParetoFront(std::vector<Objective> objectives) : objectives_(std::move(objectives)) {}

bool ParetoFront::add(const Trial& trial) {
  if (!trial.feasible) return false;
  Point point;
  for (const Objective& objective : objectives_) {
    const Value* value = score(trial, objective.metric);
    if (value == nullptr) return false;
    point.push_back(objective.direction == Direction::minimize ? value->value : -value->value);
  }
  if (seen_++ == 0) low_ = high_ = point;
  for (std::size_t k = 0; k < point.size(); ++k) {
    low_[k] = std::min(low_[k], point[k]);
    high_[k] = std::max(high_[k], point[k]);
  }

  std::size_t kept = 0;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    // No front point is dominated by another, so this cannot happen after one has been dropped.
    if (dominates(points_[i], point)) return false;
    if (dominates(point, points_[i])) continue;
    if (kept != i) {
      points_[kept] = std::move(points_[i]);
      trials_[kept] = std::move(trials_[i]);
    }
    ++kept;
  }
  points_.resize(kept);
  trials_.resize(kept);

  const auto after = std::ranges::partition_point(points_, [&](const Point& p) { return p[0] >= point[0]; });
  trials_.insert(trials_.begin() + (after - points_.begin()), trial);
  points_.insert(after, std::move(point));
  return true;
}

double ParetoFront::hypervolume() const {
  constexpr double kReference = 1.1;
  if (seen_ < 2) return 0;
  std::vector<Point> scaled = points_;
  for (Point& point : scaled) {
    for (std::size_t k = 0; k < point.size(); ++k) {
      const double range = high_[k] / 2 - low_[k] / 2;  // halves: the range of huge scores may overflow
      point[k] = range > 0 ? (point[k] / 2 - low_[k] / 2) / range : 0;
    }
  }
  return search::hypervolume(scaled, Point(objectives_.size(), kReference));
}

/// The trials of a resumed journal, handed out in order.
class Study::Record {
 public:
  explicit Record(std::span<const Trial> trials) : left_(trials) {}

  /// Gives the first trials of `batch` their recorded outcome; returns how many.
  std::size_t answer(std::span<Trial> batch) {
    const std::size_t count = std::min(left_.size(), batch.size());
    for (std::size_t i = 0; i < count; ++i) {
      const Trial& recorded = left_[i];
      const Trial& asked = batch[i];
      if (recorded.id != asked.id || recorded.name != asked.name || recorded.path != asked.path ||
          recorded.layout != asked.layout) {
        throw JournalError(
            fmt::format("the journal holds {} where the study now asks for {}: it belongs to another study, or another "
                        "version of plait wrote it; finish it with that version or start in another folder",
                        describe(recorded), describe(asked)));
      }
      batch[i] = recorded;
    }
    left_ = left_.subspan(count);
    return count;
  }

  std::size_t left() const { return left_.size(); }

 private:
  static std::string describe(const Trial& trial) {
    return fmt::format("trial {} ({}{}{})", trial.id, trial.name, trial.name.empty() ? "" : ": ", trial.layout);
  }

  std::span<const Trial> left_;
};

Study::Study(Parts parts, StudyOptions options)
    : parts_(std::move(parts)), options_(options), front_(parts_.objectives) {
  const auto require = [](bool holds, std::string_view what) {
    if (!holds) throw std::logic_error(fmt::format("a study needs {}", what));
  };
  require(!parts_.objectives.empty(), "an objective");
  require(parts_.space != nullptr, "a space");
  require(parts_.strategy != nullptr, "a strategy");
  require(static_cast<bool>(parts_.print_layout), "a way to print layouts");
  require(options_.batch > 0 && options_.workers > 0, "a batch and workers");
  std::set<std::string> offered;
  for (const auto& evaluator : parts_.evaluators) {
    for (const Metric& metric : evaluator->metrics()) {
      require(offered.insert(metric.name).second, fmt::format("one evaluator for {}, not two", metric.name));
    }
  }
  for (const auto& o : parts_.objectives) require(offered.contains(o.metric), "an evaluator for " + o.metric);
  for (const auto& c : parts_.constraints) require(offered.contains(c.metric), "an evaluator for " + c.metric);
  std::ranges::stable_sort(parts_.evaluators, {}, [](const auto& evaluator) { return evaluator->cost_class(); });
}

bool Study::inside_constraints(const Trial& trial) const {
  return std::ranges::all_of(parts_.constraints, [&](const Constraint& constraint) {
    const Value* value = score(trial, constraint.metric);
    if (value == nullptr) return true;  // not known yet
    return (!constraint.low || value->value >= *constraint.low) &&
           (!constraint.high || value->value <= *constraint.high);
  });
}

void Study::require_metrics(Trial& trial) const {
  const auto require = [&](const std::string& metric) {
    if (score(trial, metric) != nullptr || failed(trial)) return;
    trial.outcome = Failure{Failure::Kind::unsupported, fmt::format("no evaluator gave {}", metric)};
  };
  for (const Objective& objective : parts_.objectives) require(objective.metric);
  for (const Constraint& constraint : parts_.constraints) require(constraint.metric);
}

bool Study::evaluate(std::span<Trial> batch, std::span<const spec::Layout> layouts, bool past_constraints,
                     std::stop_token stop) {
  std::vector<std::size_t> live(batch.size());
  std::iota(live.begin(), live.end(), std::size_t{0});
  for (const auto& evaluator : parts_.evaluators) {
    if (live.empty()) break;
    std::vector<spec::Layout> chosen;
    if (live.size() < batch.size()) {
      for (const std::size_t i : live) chosen.push_back(layouts[i]);
    }
    const auto asked = chosen.empty() ? layouts : std::span<const spec::Layout>(chosen);
    std::vector<Outcome> outcomes = evaluate_all(*evaluator, asked, options_.workers, stop);

    std::vector<std::size_t> still_live;
    for (std::size_t k = 0; k < live.size(); ++k) {
      const auto* failure = std::get_if<Failure>(&outcomes[k]);
      if (failure != nullptr && failure->kind == Failure::Kind::cancelled && stop.stop_requested()) return false;
      Trial& trial = batch[live[k]];
      merge(std::move(outcomes[k]), *evaluator, trial);
      if (!failed(trial) && (past_constraints || inside_constraints(trial))) still_live.push_back(live[k]);
    }
    live = std::move(still_live);
  }
  for (Trial& trial : batch) {
    trial.feasible = inside_constraints(trial);
    if (trial.feasible) require_metrics(trial);
    if (failed(trial)) trial.feasible = false;
  }
  return true;
}

void Study::run(Journal* journal, std::span<const Trial> recorded, std::stop_token stop,
                const std::function<void(const Progress&)>& observer) {
  if (started_) throw std::logic_error("a study runs once");
  started_ = true;

  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point t) {
    return std::chrono::duration<double>(Clock::now() - t).count();
  };
  const Clock::time_point begin = Clock::now();
  Clock::time_point end_of_replay = begin;
  std::size_t replayed = 0;

  Record record(recorded);
  // Answers a batch from the record and evaluates the rest; returns how many trials are finished, all of them unless
  // the run was stopped. A crash may have cut the record inside a batch.
  const auto settle = [&](std::span<Trial> batch, std::span<const spec::Layout> layouts, bool baselines) {
    const std::size_t known = record.answer(batch);
    if (!baselines) replayed += known;
    if (known > 0) end_of_replay = Clock::now();
    if (known == batch.size()) return known;
    const std::span<Trial> fresh = batch.subspan(known);
    if (!evaluate(fresh, layouts.subspan(known), baselines, stop)) return known;
    if (journal != nullptr) journal->append(fresh);
    return batch.size();
  };
  const auto report = [&](std::size_t total) {
    if (!observer) return;
    Progress progress{trials_.size(), total, failed_, front_.trials().size(), seconds_since(begin), 0};
    const auto evaluated = static_cast<double>(trials_.size() - replayed);
    if (evaluated > 0) {
      progress.eta_s = seconds_since(end_of_replay) / evaluated * static_cast<double>(total - trials_.size());
    }
    observer(progress);
  };

  std::vector<Trial> batch;
  std::vector<spec::Layout> layouts;
  for (const Baseline& baseline : parts_.baselines) {
    batch.push_back({fmt::format("b{}", batch.size()), baseline.name, {}, baseline.notation, Scores{}, true});
    layouts.push_back(baseline.layout);
  }
  batch.resize(settle(batch, layouts, true));
  baselines_ = std::move(batch);
  report(options_.budget);
  if (baselines_.size() < parts_.baselines.size()) return;

  std::map<Path, std::string_view> name_of;  // of listed layouts
  for (const SearchSpace::Listed& listed : parts_.space->listed) name_of.emplace(listed.path, listed.name);
  std::map<Path, std::size_t> index_of;  // of the trial
  for (std::size_t stale = 0; trials_.size() < options_.budget && stale < kMaxStaleBatches;) {
    if (stop.stop_requested()) return;
    const std::size_t wanted = std::min(options_.batch, options_.budget - trials_.size());
    const std::vector<Path> proposals = parts_.strategy->ask(wanted);
    if (proposals.empty()) break;
    if (proposals.size() > wanted) throw std::logic_error("a strategy proposed more layouts than it was asked for");

    batch.clear();
    layouts.clear();
    std::vector<std::size_t> answers;
    for (const Path& path : proposals) {
      const auto [entry, is_new] = index_of.try_emplace(path, trials_.size() + batch.size());
      answers.push_back(entry->second);
      if (!is_new) continue;
      layouts.push_back(parts_.space->layout(path));
      const auto name = name_of.find(path);
      batch.push_back({std::to_string(entry->second), std::string(name == name_of.end() ? "" : name->second), path,
                       parts_.print_layout(layouts.back()), Scores{}, true});
    }
    stale = batch.empty() ? stale + 1 : 0;

    const std::size_t settled = settle(batch, layouts, false);
    for (std::size_t i = 0; i < settled; ++i) {
      failed_ += failed(batch[i]);
      front_.add(batch[i]);
      trials_.push_back(std::move(batch[i]));
    }
    if (settled < batch.size()) return;
    for (const std::size_t i : answers) parts_.strategy->tell(trials_[i]);
    report(options_.budget);
  }
  if (record.left() > 0) {
    throw JournalError(fmt::format(
        "the journal holds {} trials more than the study asks for: it belongs to another study", record.left()));
  }
  finished_ = true;
  if (trials_.size() < options_.budget) report(trials_.size());
}

}  // namespace plait::search
