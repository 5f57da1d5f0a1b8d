#include "gui/study_form.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/spec/mixer.h"

namespace plait::gui {
namespace {

/// Symbols of layers with full attention.
bool is_full(const std::string& symbol, const spec::Palette& palette) {
  const auto at = palette.mixers.find(symbol);
  return at != palette.mixers.end() && spec::is_full_attention(at->second);
}

bool grows(const std::string& symbol, const spec::Palette& palette) {
  const auto at = palette.mixers.find(symbol);
  return at != palette.mixers.end() && spec::state_kind(at->second) != spec::StateKind::constant;
}

/// What a front is judged by: the Transformer, the last linear candidate alone, and with one full layer in four and in
/// eight.
spec::Json usual_baselines(const std::string& linear, int slots, const spec::Palette& palette) {
  spec::Json out = {{{"name", "Transformer"}, {"layout", fmt::format("*x{}", slots)}}};
  if (linear.empty()) return out;
  const std::string label(spec::mixer_info(palette.mixers.at(linear)).label);
  out.push_back({{"name", label}, {"layout", fmt::format("{}x{}", linear, slots)}});
  for (const int period : {4, 8}) {
    if (slots % period != 0) continue;
    out.push_back({{"name", fmt::format("{} {}:1", label, period - 1)},
                   {"layout", fmt::format("({}x{}*)x{}", linear, period - 1, slots / period)}});
  }
  return out;
}

/// Whether the form has a field for each member of the space and of its rules.
bool expressible(const spec::Json& space) {
  if (!space.is_object() || !space.value("slots", spec::Json()).is_number()) return false;
  if (space.contains("layouts")) return false;
  const spec::Json rules = space.value("rules", spec::Json::array());
  return std::ranges::all_of(rules, [](const spec::Json& rule) {
    return rule.is_object() &&
           (rule.contains("at_most") || rule.contains("at_most_kinds") || rule.contains("not_first"));
  });
}

}  // namespace

StudyForm::StudyForm() {
  for (const spec::MixerInfo& info : spec::mixer_table()) {
    const std::string symbol(1, info.letter);
    if (info.name == "parallel") continue;
    if (spec::Palette::defaults(d_model).mixers.contains(symbol)) candidates.emplace_back(symbol, false);
  }
  for (auto& [symbol, taken] : candidates) taken = symbol == "G" || symbol == "*";
  for (const search::Metric& metric : app::all_metrics()) {
    if (metric.name.starts_with("published_")) continue;
    objectives.emplace_back(metric.name, metric.name == "recall" || metric.name == "kv_cache_bytes");
  }
}

StudyForm::StudyForm(spec::Json study) : StudyForm() {
  spec::Problems problems;
  const app::StudySpec spec = app::study_from_json(study, "", problems);
  problems.throw_if_any();
  name = spec.name;
  hardware = spec.hardware.name;
  context = spec::format_size(spec.workload().context);
  batch = static_cast<int>(spec.workload().batch);
  slots = static_cast<int>(spec.space.size());
  d_model = static_cast<int>(spec.model.d_model);
  strategy = spec.strategy;
  budget = static_cast<int>(spec.options.budget);
  seed = static_cast<int>(spec.seed);
  for (auto& [symbol, taken] : candidates) taken = false;
  for (const search::Candidate& candidate : spec.space.candidates) {
    const auto at = std::ranges::find(candidates, candidate.symbol, [](const auto& entry) { return entry.first; });
    if (at != candidates.end()) {
      at->second = true;
    } else {
      candidates.emplace_back(candidate.symbol, true);
    }
  }
  for (auto& [metric, traded] : objectives) traded = false;
  for (const search::Objective& objective : spec.objectives) {
    const auto at = std::ranges::find(objectives, objective.metric, [](const auto& entry) { return entry.first; });
    if (at != objectives.end()) {
      at->second = true;
    } else {
      objectives.emplace_back(objective.metric, true);
    }
  }
  keep_space = !expressible(study["space"]);
  most_kinds = 0;
  for (const search::Rule& rule : spec.space.rules) {
    if (const auto* distinct = std::get_if<search::DistinctRule>(&rule)) most_kinds = static_cast<int>(distinct->high);
    if (const auto* count = std::get_if<search::CountRule>(&rule)) most_full = static_cast<int>(count->high);
    if (std::holds_alternative<search::NotAtEndRule>(rule)) full_not_first = true;
  }
  base = std::move(study);
}

spec::Json StudyForm::to_json() const {
  spec::Json out = base;
  out["format"] = app::kStudyFormat;
  out["name"] = name;
  spec::Json& model = out["model"];
  if (!model.is_object()) model = {{"vocab_size", 32000}};
  model["d_model"] = d_model;
  if (!out.contains("hardware") || !out["hardware"].is_object() || out["hardware"].value("name", "") != hardware) {
    out["hardware"] = hardware;
  }
  out["workload"] = {{"context", context}, {"batch", batch}};
  if (!keep_space) {
    spec::Json symbols = spec::Json::array(), linear = spec::Json::array(), full = spec::Json::array();
    const spec::Palette palette = spec::Palette::defaults(d_model);
    for (const auto& [symbol, taken] : candidates) {
      if (!taken) continue;
      symbols.push_back(symbol);
      if (is_full(symbol, palette)) full.push_back(symbol);
      if (!grows(symbol, palette)) linear.push_back(symbol);
    }
    spec::Json rules = spec::Json::array();
    if (most_kinds > 0 && !linear.empty()) rules.push_back({{"at_most_kinds", most_kinds}, {"of", linear}});
    if (most_full > 0 && !full.empty()) rules.push_back({{"at_most", most_full}, {"of", full}});
    if (full_not_first && !full.empty()) rules.push_back({{"not_first", full}});
    const bool as_deep = base.contains("space") && base["space"].value("slots", 0) == slots;
    if ((!base.contains("baselines") || !as_deep) && slots > 0) {
      out["baselines"] = usual_baselines(linear.empty() ? "" : linear.back().get<std::string>(), slots, palette);
    }
    out["space"] = {{"slots", slots}, {"candidates", symbols}, {"rules", rules}};
  }
  // An objective that the file gives as an object keeps its direction.
  spec::Json wanted = spec::Json::array();
  const spec::Json before = base.value("objectives", spec::Json::array());
  for (const auto& [metric, traded] : objectives) {
    if (!traded) continue;
    const auto as_given = std::ranges::find_if(
        before, [&](const spec::Json& entry) { return entry.is_object() && entry.value("metric", "") == metric; });
    wanted.push_back(as_given == before.end() ? spec::Json(metric) : *as_given);
  }
  out["objectives"] = wanted;
  out["strategy"] = strategy;
  out["budget"] = budget;
  out["seed"] = seed;
  return out;
}

std::optional<app::ProxyChoice> StudyForm::proxies() const {
  for (const auto& [value, text] : enum_names(proxy::Tier{})) {
    if (text == tier) return app::ProxyChoice{.tier = value, .device = device};
  }
  return std::nullopt;
}

std::optional<app::StudySpec> StudyForm::study(spec::Problems& problems) const {
  const std::size_t before = problems.size();
  app::StudySpec study = app::study_from_json(to_json(), "", problems);
  if (problems.size() > before) return std::nullopt;
  return study;
}

}  // namespace plait::gui
