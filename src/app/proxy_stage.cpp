#include "src/app/proxy_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "src/spec/notation.h"

namespace plait::app {
namespace {

using search::Trial;

/// Layers that differ, position by position; layers that one of two has more count too.
std::size_t hamming_distance(const spec::Layout& a, const spec::Layout& b) {
  const std::size_t common = std::min(a.size(), b.size());
  std::size_t distance = std::max(a.size(), b.size()) - common;
  for (std::size_t i = 0; i < common; ++i) distance += a.layers[i] != b.layers[i];
  return distance;
}

bool failed(const Trial& trial) { return std::holds_alternative<search::Failure>(trial.outcome); }

/// The curves of each distinct proxy model, with the trials that share it.
std::vector<MeasuredCurve> curves_of(std::span<const Trial> chosen,
                                     std::span<const evaluate::ProxyEvaluator::Measurement> measured,
                                     std::span<const spec::Layout> layouts, const evaluate::ProxyEvaluator& evaluator) {
  std::vector<spec::ModelSpec> models;
  std::vector<std::vector<std::string>> trials;
  std::vector<std::size_t> first;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const spec::ModelSpec model = evaluator.proxy_model(layouts[i]);
    const auto at = static_cast<std::size_t>(std::ranges::find(models, model) - models.begin());
    if (at == models.size()) {
      models.push_back(model);
      trials.emplace_back();
      first.push_back(i);
    }
    trials[at].push_back(chosen[i].id);
  }
  std::vector<MeasuredCurve> curves;
  for (std::size_t k = 0; k < models.size(); ++k) {
    for (const evaluate::ProxyCurve& curve : measured[first[k]].curves) curves.push_back({trials[k], curve});
  }
  return curves;
}

}  // namespace

std::vector<Trial> choose_for_proxies(const ProxyField& field, const StudySpec& spec,
                                      const evaluate::ProxyEvaluator& evaluator, std::size_t limit) {
  struct Entry {
    const Trial* trial;
    spec::Layout layout;
    std::size_t proxy;
  };
  std::vector<Entry> entries;
  std::vector<spec::ModelSpec> proxies;  // distinct
  const auto enter = [&](const Trial& trial) {
    if (failed(trial)) return;
    spec::Layout layout = spec::parse_layout(trial.layout, spec.palette);
    spec::ModelSpec proxy = evaluator.proxy_model(layout);
    const auto at = static_cast<std::size_t>(std::ranges::find(proxies, proxy) - proxies.begin());
    if (at == proxies.size()) proxies.push_back(std::move(proxy));
    entries.push_back({&trial, std::move(layout), at});
  };
  for (const Trial& trial : field.front) enter(trial);
  const std::size_t on_front = entries.size();
  for (const Trial& trial : field.baselines) enter(trial);
  if (on_front == 0) return {};

  std::vector<std::size_t> taken;
  std::vector<std::size_t> distance(proxies.size(), std::numeric_limits<std::size_t>::max());  // to those taken
  const auto take = [&](std::size_t proxy) {
    if (taken.size() >= limit || distance[proxy] == 0) return;
    taken.push_back(proxy);
    for (std::size_t p = 0; p < proxies.size(); ++p) {
      distance[p] = std::min(
          distance[p],
          p == proxy ? 0 : std::max<std::size_t>(1, hamming_distance(proxies[p].layout, proxies[proxy].layout)));
    }
  };
  for (const Entry& entry : entries) {
    if (entry.trial->id == field.recommended) take(entry.proxy);
  }
  take(entries[on_front - 1].proxy);
  take(entries[0].proxy);
  for (const bool all : {false, true}) {
    for (std::size_t i = on_front; i < entries.size(); ++i) {
      const std::size_t full = spec::count_full(entries[i].layout);
      if (full == (all ? entries[i].layout.size() : 0)) {
        take(entries[i].proxy);
        break;
      }
    }
  }
  while (taken.size() < limit) {
    std::size_t farthest = 0;
    for (std::size_t i = 0; i < on_front; ++i) {
      if (distance[entries[i].proxy] > distance[entries[farthest].proxy]) farthest = i;
    }
    if (distance[entries[farthest].proxy] == 0) break;
    take(entries[farthest].proxy);
  }
  std::vector<Trial> chosen;
  for (const Entry& entry : entries) {
    if (distance[entry.proxy] == 0) chosen.push_back(*entry.trial);
  }
  return chosen;
}

std::optional<Measured> measure_on_proxies(const ProxyField& field, const StudySpec& spec, const ProxyRequest& request,
                                           const std::filesystem::path& folder, search::Journal* journal,
                                           std::span<const Trial> recorded, std::stop_token stop) {
  const evaluate::ProxyEvaluator evaluator(spec.model, {.backend = request.backend,
                                                        .tier = request.tier,
                                                        .device = request.device,
                                                        .checkpoints = folder,
                                                        .observer = request.observer,
                                                        .ladder = request.ladder});
  for (const Trial& measurement : recorded) {
    if (!measurement.name.starts_with(evaluator.label() + ":")) {
      throw search::JournalError(fmt::format(
          "this folder holds measurements made as \"{}\", not \"{}\": numbers of different trainings cannot be "
          "compared; ask for the same, or choose another --out",
          measurement.name.substr(0, measurement.name.find(':')), evaluator.label()));
    }
  }
  const std::vector<Trial> chosen = choose_for_proxies(field, spec, evaluator, evaluate::proxy_limit(request.tier));

  Measured result;
  std::vector<Trial>& out = result.trials;
  std::vector<spec::Layout> layouts;
  for (const Trial& trial : chosen) {
    Trial& measurement = out.emplace_back();
    measurement.id = search::measurement_id(trial);
    measurement.path = trial.path;
    measurement.layout = trial.layout;
    layouts.push_back(spec::parse_layout(trial.layout, spec.palette));
  }
  std::vector<std::size_t> fresh;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto known = std::ranges::find(recorded, out[i].id, &Trial::id);
    if (known == recorded.end()) {
      fresh.push_back(i);
    } else {
      out[i] = *known;
    }
  }
  if (!fresh.empty()) {
    // All are trained again even where some are known: the population as a whole is what a checkpoint continues.
    std::vector<evaluate::ProxyEvaluator::Measurement> measured = evaluator.measure(layouts, stop);
    std::vector<Trial> lines;
    for (const std::size_t i : fresh) {
      Trial& measurement = out[i];
      measurement.name = std::move(measured[i].how);
      measurement.outcome = std::move(measured[i].outcome);
      if (const auto* failure = std::get_if<search::Failure>(&measurement.outcome)) {
        measurement.feasible = false;
        if (failure->kind == search::Failure::Kind::cancelled) return std::nullopt;
      }
      lines.push_back(measurement);
    }
    result.curves = curves_of(chosen, measured, layouts, evaluator);
    if (!folder.empty()) write_curves(folder, result.curves);
    if (journal != nullptr) journal->append(lines);
  }
  evaluate::remove_checkpoints(folder);
  return result;
}

}  // namespace plait::app
