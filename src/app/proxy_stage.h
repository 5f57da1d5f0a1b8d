#pragma once

#include <map>
#include <string>
#include <vector>

#include "search/journal.h"
#include "search/study.h"
#include "src/app/proxy_curves.h"
#include "src/app/study_spec.h"
#include "src/evaluate/proxy_evaluator.h"

/// After the search: some layouts of its front are trained as proxies, and what was measured joins their trials.
namespace plait::app {

struct ProxyRequest {
  const proxy::Backend* backend = nullptr;
  proxy::Tier tier = proxy::Tier::tiny;
  std::string device = "cpu";
  evaluate::ProxyObserver observer{};
  std::vector<evaluate::Rung> ladder{};  ///< empty: the tier's
};

/// What the choice is made from: the finished search.
struct ProxyField {
  std::vector<search::Trial> front;  ///< by the first objective, best last
  std::vector<search::Trial> baselines;
  std::string recommended;  ///< id; may be empty
};

/// The trials to measure, front first. At most `proxy_limit(tier)` distinct proxy models are trained: that of the
/// recommended layout, of both ends of the front, of baselines without and of nothing but full attention, then those of
/// the front that are farthest (Hamming distance over the proxy's layers) from the ones already taken. Every trial of
/// the front and every baseline that has one of these proxy models is measured. Failed baselines are left out.
std::vector<search::Trial> choose_for_proxies(const ProxyField& field, const StudySpec& spec,
                                              const evaluate::ProxyEvaluator& evaluator, std::size_t limit);

struct Measured {
  std::vector<search::Trial> trials;  ///< one measurement per chosen trial, in their order
  std::vector<MeasuredCurve> curves;  ///< empty when nothing was trained
};

/// Trains; nothing when stopped. Trials that `recorded` has are answered from there; when that are all, nothing is
/// trained. New ones are appended to the journal (may be null) together, after the curves were written into `folder`.
/// Throws JournalError when `recorded` was made with another tier or device.
std::optional<Measured> measure_on_proxies(const ProxyField& field, const StudySpec& spec, const ProxyRequest& request,
                                           const std::filesystem::path& folder, search::Journal* journal,
                                           std::span<const search::Trial> recorded, std::stop_token stop);

}  // namespace plait::app
