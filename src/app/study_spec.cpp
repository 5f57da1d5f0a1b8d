#include "src/app/study_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "src/evaluate/prior_evaluator.h"
#include "src/spec/model_json.h"

namespace plait::app {
namespace {

using spec::index_path;
using spec::Json;
using spec::ObjectReader;
using spec::Problems;

constexpr spec::Dim kMaxContext = spec::Dim{1} << 40;
constexpr spec::Dim kMaxBatch = spec::Dim{1} << 24;
constexpr spec::Dim kMaxBudget = 10'000'000;
constexpr std::size_t kMaxCandidates = 1024;

/// The elements of a list; anything else is a problem.
const Json::array_t& elements(const Json* value, const std::string& path, std::string_view what, Problems& problems) {
  static const Json::array_t kNone;
  if (value == nullptr) return kNone;
  if (value->is_array()) return value->get_ref<const Json::array_t&>();
  problems.add(path, fmt::format("must be a list of {}", what));
  return kNone;
}

void append(const spec::SpecError& error, Problems& problems) {
  for (const spec::Problem& problem : error.problems()) problems.add(problem.path, problem.message);
}

/// A string that says something; empty after a problem.
std::string text_of(ObjectReader& object, std::string_view key) {
  const std::size_t before = object.problems().size();
  std::string text = object.string(key);
  if (text.empty() && object.has(key) && object.problems().size() == before) {
    object.problems().add(object.path(key), "is empty");
  }
  return text;
}

std::optional<spec::Layout> layout_from(const std::string& text, const StudySpec& study, const std::string& path,
                                        Problems& problems) {
  try {
    spec::Layout layout = spec::parse_layout(text, study.palette, path);
    const std::size_t before = problems.size();
    spec::validate(layout, study.model.d_model, path, problems);
    if (problems.size() == before) return layout;
  } catch (const spec::SpecError& error) {
    append(error, problems);
  }
  return std::nullopt;
}

class SpaceReader {
 public:
  SpaceReader(const Json& value, const std::string& path, StudySpec& study, Problems& problems)
      : object_(value, path, problems), study_(study), problems_(problems) {}

  void read() {
    const bool listed = object_.has("layouts");
    if (listed) {
      for (const std::string_view key : {"slots", "candidates"}) {
        if (object_.has(key)) problems_.add(object_.path(key), "\"layouts\" lists the whole space: leave this out");
      }
      object_.get("slots"), object_.get("candidates");
      read_layouts();
    } else {
      read_candidates();
      read_slots();
    }
    read_rules();
    object_.finish();
  }

 private:
  search::SearchSpace& space() { return study_.space; }

  void read_candidates() {
    const std::vector<std::string> symbols = object_.strings("candidates", true);
    const std::string path = object_.path("candidates");
    if (symbols.size() > kMaxCandidates) {
      problems_.add(path, fmt::format("{} candidates; at most {} are allowed", symbols.size(), kMaxCandidates));
      return;
    }
    std::vector<search::Candidate> sound;
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      const std::string where = index_path(path, i);
      if (space().find(symbols[i])) {
        problems_.add(where, fmt::format("\"{}\" is given twice", symbols[i]));
        continue;
      }
      const std::optional<spec::Layout> layout = layout_from(symbols[i], study_, where, problems_);
      if (layout && layout->size() != 1) {
        problems_.add(where, fmt::format("\"{}\" is {} layers; a candidate is one", symbols[i], layout->size()));
      } else if (layout) {
        const auto same = std::ranges::find(sound, layout->layers[0], &search::Candidate::layer);
        if (same != sound.end()) {
          problems_.add(where, fmt::format("\"{}\" is the same layer as \"{}\"", symbols[i], same->symbol));
        }
        sound.push_back({symbols[i], layout->layers[0]});
      }
      // A broken candidate keeps its place, so that rules that name it are not blamed.
      space().candidates.push_back({symbols[i], layout && layout->size() == 1 ? layout->layers[0] : spec::LayerSpec{}});
    }
  }

  std::vector<std::uint16_t> indices(const std::vector<std::string>& symbols, const std::string& path) {
    std::vector<std::uint16_t> out;
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      if (const auto index = space().find(symbols[i])) {
        out.push_back(*index);
      } else {
        problems_.add(index_path(path, i), unknown_symbol(symbols[i]));
      }
    }
    std::ranges::sort(out);
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  std::string unknown_symbol(const std::string& symbol) {
    std::vector<std::string> known;
    for (const search::Candidate& candidate : space().candidates) known.push_back(candidate.symbol);
    return fmt::format("\"{}\" is no candidate; they are {}", symbol, spec::quoted_list(known));
  }

  void read_slots() {
    std::vector<std::uint16_t> all(space().candidates.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
    const Json* value = object_.require("slots");
    if (value && !value->is_array()) {
      const auto count = object_.integer("slots", 1, static_cast<spec::Dim>(spec::kMaxLayers));
      space().slots.assign(static_cast<std::size_t>(count), all);
      return;
    }
    const std::string path = object_.path("slots");
    const Json::array_t& groups = elements(value, path, "{\"count\", \"candidates\"}", problems_);
    for (std::size_t i = 0; i < groups.size(); ++i) {
      ObjectReader group(groups[i], index_path(path, i), problems_);
      const auto count = group.integer("count", 1, static_cast<spec::Dim>(spec::kMaxLayers), 1);
      const bool restricted = group.has("candidates");
      const std::vector<std::string> symbols = group.strings("candidates");
      group.finish();
      const auto allowed = restricted ? indices(symbols, group.path("candidates")) : all;
      if (space().slots.size() + static_cast<std::size_t>(count) > spec::kMaxLayers) {
        problems_.add(path, fmt::format("more than {} slots", spec::kMaxLayers));
        return;
      }
      space().slots.insert(space().slots.end(), static_cast<std::size_t>(count), allowed);
    }
  }

  /// The candidates of a listed space are the distinct layers of its layouts.
  void read_layouts() {
    const std::string path = object_.path("layouts");
    const Json::array_t& items = elements(object_.require("layouts"), path, "{\"name\", \"layout\"}", problems_);
    std::vector<std::pair<std::string, spec::Layout>> layouts;
    for (std::size_t i = 0; i < items.size(); ++i) {
      ObjectReader item(items[i], index_path(path, i), problems_);
      const std::string name = item.string("name", "");
      const std::string text = text_of(item, "layout");
      const std::string where = item.path("layout");
      item.finish();
      if (text.empty()) continue;
      std::optional<spec::Layout> layout = layout_from(text, study_, where, problems_);
      if (!layout) continue;
      if (!layouts.empty() && layout->size() != layouts[0].second.size()) {
        problems_.add(where,
                      fmt::format("has {} layers, the first layout has {}", layout->size(), layouts[0].second.size()));
        continue;
      }
      const auto same = std::ranges::find(layouts, *layout, [](const auto& listed) { return listed.second; });
      if (same != layouts.end()) {
        problems_.add(where, fmt::format("is the same layout as that of \"{}\"", same->first));
        continue;
      }
      layouts.emplace_back(name, std::move(*layout));
    }
    if (items.empty() && object_.has("layouts")) problems_.add(path, "lists no layout");
    if (layouts.empty()) return;

    space().slots.resize(layouts[0].second.size());
    for (auto& [name, layout] : layouts) {
      search::Path listed;
      for (std::size_t slot = 0; slot < layout.size(); ++slot) {
        const std::uint16_t index = candidate(layout.layers[slot]);
        auto& allowed = space().slots[slot];
        if (std::ranges::find(allowed, index) == allowed.end()) allowed.push_back(index);
        listed.push_back(index);
      }
      space().listed.push_back({std::move(name), std::move(listed)});
    }
    for (auto& allowed : space().slots) std::ranges::sort(allowed);
  }

  std::uint16_t candidate(const spec::LayerSpec& layer) {
    auto& candidates = space().candidates;
    const auto it = std::ranges::find(candidates, layer, &search::Candidate::layer);
    if (it != candidates.end()) return static_cast<std::uint16_t>(it - candidates.begin());
    candidates.push_back({spec::print_layout({{layer}}, study_.palette), layer});
    return static_cast<std::uint16_t>(candidates.size() - 1);
  }

  void read_rules() {
    const std::string path = object_.path("rules");
    const Json::array_t& rules = elements(object_.get("rules"), path, "rules", problems_);
    for (std::size_t i = 0; i < rules.size(); ++i) read_rule(rules[i], index_path(path, i));
  }

  void read_rule(const Json& value, const std::string& path) {
    static const std::vector<std::string> kCounted = {"at_most", "at_least", "max_gap", "at_most_kinds"};
    static const std::vector<std::string> kSets = {"not_adjacent", "not_first", "not_last"};
    ObjectReader object(value, path, problems_);
    const std::size_t before = problems_.size();
    const auto size = [&](const std::string& key, spec::Dim low) {
      return static_cast<std::size_t>(object.integer(key, low, static_cast<spec::Dim>(spec::kMaxLayers)));
    };
    for (const std::string& kind : kCounted) {
      if (!object.has(kind)) continue;
      const std::size_t number = size(kind, kind == "at_most_kinds" ? 1 : 0);
      std::vector<std::string> of = symbols(object, "of");
      object.finish();
      if (problems_.size() != before) return;
      if (kind == "at_most") space().rules.emplace_back(search::CountRule{std::move(of), 0, number});
      if (kind == "at_least") space().rules.emplace_back(search::CountRule{std::move(of), number});
      if (kind == "max_gap") space().rules.emplace_back(search::MaxGapRule{std::move(of), number});
      if (kind == "at_most_kinds") space().rules.emplace_back(search::DistinctRule{std::move(of), number});
      return;
    }
    for (const std::string& kind : kSets) {
      if (!object.has(kind)) continue;
      std::vector<std::string> of = symbols(object, kind);
      object.finish();
      if (problems_.size() != before) return;
      if (kind == "not_adjacent") {
        space().rules.emplace_back(search::NotAdjacentRule{std::move(of)});
      } else {
        space().rules.emplace_back(search::NotAtEndRule{std::move(of), kind == "not_first"});
      }
      return;
    }
    if (object.has("period")) {
      const std::size_t period = size("period", 1);
      object.finish();
      if (problems_.size() == before) space().rules.emplace_back(search::PeriodRule{period});
      return;
    }
    std::vector<std::string> known = kCounted;
    known.insert(known.end(), kSets.begin(), kSets.end());
    known.emplace_back("period");
    if (value.is_object()) problems_.add(path, fmt::format("is no rule; one of {}", spec::quoted_list(known)));
  }

  std::vector<std::string> symbols(ObjectReader& object, const std::string& key) {
    std::vector<std::string> of = object.strings(key, true);
    if (of.empty() && object.has(key)) problems_.add(object.path(key), "names no candidate");
    for (std::size_t i = 0; i < of.size(); ++i) {
      if (!space().find(of[i])) problems_.add(index_path(object.path(key), i), unknown_symbol(of[i]));
    }
    return of;
  }

  ObjectReader object_;
  StudySpec& study_;
  Problems& problems_;
};

spec::Workload workload_from(const Json& value, const std::string& path, const spec::Workload& fallback,
                             Problems& problems) {
  ObjectReader object(value, path, problems);
  const spec::Workload workload{.context = object.integer("context", 1, kMaxContext, fallback.context),
                                .batch = object.integer("batch", 1, kMaxBatch, fallback.batch)};
  object.finish();
  return workload;
}

void read_workloads(ObjectReader& object, StudySpec& study) {
  Problems& problems = object.problems();
  study.workloads.emplace_back();
  if (const Json* value = object.get("workload")) {
    study.workloads[0].workload = workload_from(*value, object.path("workload"), {}, problems);
  }
  const Json* named = object.get("workloads");
  if (named == nullptr) return;
  if (!named->is_object()) {
    problems.add(object.path("workloads"), "must be an object from names to workloads");
    return;
  }
  for (const auto& [name, value] : named->items()) {
    const std::string path = spec::join_path(object.path("workloads"), name);
    if (name.empty() || name.find('@') != std::string::npos)
      problems.add(path, "a name must not be empty or contain '@'");
    study.workloads.push_back({name, workload_from(value, path, study.workload(), problems)});
  }
}

/// The metric called `name`, which may carry the suffix of a named workload; nothing after a problem.
std::optional<search::Metric> metric_named(const std::string& name, const StudySpec& study, const std::string& path,
                                           Problems& problems) {
  const std::size_t at = name.find('@');
  const std::string base = name.substr(0, at);
  std::vector<std::string> names;
  for (search::Metric metric : all_metrics()) {
    if (metric.name == base) {
      if (at == std::string::npos) return metric;
      std::vector<std::string> workloads;
      for (const evaluate::NamedWorkload& workload : study.workloads) {
        if (!workload.name.empty() && workload.name == name.substr(at + 1)) {
          metric.name = name;
          const std::vector<search::Metric> costs = evaluate::cost_metrics();
          if (std::ranges::find(costs, base, &search::Metric::name) != costs.end()) return metric;
          problems.add(path,
                       fmt::format("\"{}\" does not depend on the workload: leave out \"@{}\"", base, workload.name));
          return std::nullopt;
        }
        if (!workload.name.empty()) workloads.push_back(workload.name);
      }
      problems.add(
          path, fmt::format("no workload \"{}\" is defined; {}", name.substr(at + 1),
                            workloads.empty() ? "\"workloads\" is empty" : "they are " + spec::quoted_list(workloads)));
      return std::nullopt;
    }
    names.push_back(metric.name);
  }
  const std::string close = spec::closest_name(base, names);
  problems.add(path, fmt::format("unknown metric \"{}\"; one of {}{}", base, spec::quoted_list(names),
                                 close.empty() ? "" : fmt::format("; did you mean \"{}\"?", close)));
  return std::nullopt;
}

void read_objectives(ObjectReader& object, StudySpec& study) {
  Problems& problems = object.problems();
  const std::string path = object.path("objectives");
  const Json* value = object.require("objectives");
  const Json::array_t& items = elements(value, path, "metrics", problems);
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::string where = index_path(path, i);
    std::string name;
    std::optional<search::Direction> direction;
    if (items[i].is_object()) {
      ObjectReader item(items[i], where, problems);
      name = text_of(item, "metric");
      if (item.has("direction")) direction = item.choice<search::Direction>("direction");
      item.finish();
      where = item.path("metric");
    } else if (items[i].is_string()) {
      name = items[i].get<std::string>();
      if (name.empty()) problems.add(where, "is empty");
    } else {
      problems.add(where, "must be the name of a metric or {\"metric\", \"direction\"}");
    }
    if (name.empty()) continue;
    if (std::ranges::find(study.objectives, name, &search::Objective::metric) != study.objectives.end()) {
      problems.add(where, fmt::format("\"{}\" is given twice", name));
      continue;
    }
    if (const auto metric = metric_named(name, study, where, problems)) {
      study.objectives.push_back({metric->name, metric->unit, direction.value_or(metric->direction)});
    }
  }
  if (value && value->is_array() && items.size() < 2) {
    problems.add(path, fmt::format("a frontier needs at least two objectives, not {}", items.size()));
  }
}

void read_constraints(ObjectReader& object, StudySpec& study) {
  Problems& problems = object.problems();
  const std::string path = object.path("constraints");
  const Json::array_t& items = elements(object.get("constraints"), path, "{\"metric\", \"min\", \"max\"}", problems);
  constexpr double kHuge = 1e300;
  for (std::size_t i = 0; i < items.size(); ++i) {
    ObjectReader item(items[i], index_path(path, i), problems);
    search::Constraint constraint{text_of(item, "metric"), {}, {}};
    if (item.has("min")) constraint.low = item.number("min", -kHuge, kHuge);
    if (item.has("max")) constraint.high = item.number("max", -kHuge, kHuge);
    item.finish();
    if (!item.has("min") && !item.has("max")) problems.add(index_path(path, i), "needs \"min\", \"max\" or both");
    if (constraint.low && constraint.high && *constraint.low > *constraint.high) {
      problems.add(item.path("min"), fmt::format("{} is above \"max\" ({})", *constraint.low, *constraint.high));
    }
    if (!constraint.metric.empty() && metric_named(constraint.metric, study, item.path("metric"), problems)) {
      study.constraints.push_back(std::move(constraint));
    }
  }
}

void read_baselines(ObjectReader& object, StudySpec& study) {
  Problems& problems = object.problems();
  const std::string path = object.path("baselines");
  const Json::array_t& items = elements(object.get("baselines"), path, "{\"name\", \"layout\"}", problems);
  for (std::size_t i = 0; i < items.size(); ++i) {
    ObjectReader item(items[i], index_path(path, i), problems);
    search::Baseline baseline{.name = item.string("name"), .notation = text_of(item, "layout"), .layout = {}};
    item.finish();
    if (baseline.notation.empty()) continue;
    if (auto layout = layout_from(baseline.notation, study, item.path("layout"), problems)) {
      baseline.notation = spec::print_layout(*layout, study.palette);
      baseline.layout = std::move(*layout);
      study.baselines.push_back(std::move(baseline));
    }
  }
}

void read_hardware(ObjectReader& object, StudySpec& study) {
  const Json* value = object.require("hardware");
  if (value == nullptr) return;
  const std::string path = object.path("hardware");
  if (value->is_object()) {
    study.hardware = costmodel::hardware_from_json(*value, path, object.problems());
    return;
  }
  try {
    study.hardware = costmodel::find_hardware(object.string("hardware"));
  } catch (const spec::SpecError& error) {
    for (const spec::Problem& problem : error.problems()) object.problems().add(path, problem.message);
  }
}

std::vector<std::string> strategy_names() {
  std::vector<std::string> names;
  for (const search::StrategyInfo& info : search::strategy_table()) names.emplace_back(info.name);
  return names;
}

}  // namespace

std::vector<search::Metric> all_metrics() {
  std::vector<search::Metric> metrics = evaluate::prior_metrics();
  for (const auto& more : {evaluate::cost_metrics(), evaluate::published_metrics()}) {
    metrics.insert(metrics.end(), more.begin(), more.end());
  }
  return metrics;
}

StudySpec study_from_json(Json source, const std::string& path, Problems& problems) {
  StudySpec study;
  ObjectReader object(source, path, problems);
  if (object.has("format")) object.one_of("format", {std::string(kStudyFormat)});
  study.name = object.string("name", "study");
  study.description = object.string("description", "");
  if (const Json* model = object.require("model")) {
    ObjectReader reader(*model, object.path("model"), problems);
    study.model = spec::model_header_from_json(reader);
    study.palette = spec::palette_from_json(reader, study.model.d_model);
    reader.finish();
  }
  read_hardware(object, study);
  read_workloads(object, study);
  if (const Json* space = object.require("space")) {
    const std::string where = object.path("space");
    const std::size_t before = problems.size();
    SpaceReader(*space, where, study, problems).read();
    if (problems.size() == before) search::validate(study.space, where, problems);
  }
  read_objectives(object, study);
  read_constraints(object, study);
  const std::vector<std::string> strategies = strategy_names();
  const auto exact = std::ranges::find(strategies, "exact_front") - strategies.begin();
  study.strategy = strategies[object.one_of("strategy", strategies, static_cast<std::size_t>(exact))];
  const auto count = [&](std::string_view key, spec::Dim fallback) {
    return static_cast<std::size_t>(object.integer(key, 1, kMaxBudget, fallback));
  };
  study.options.budget = count("budget", 10'000);
  study.options.batch = count("batch", 256);
  study.seed = static_cast<std::uint64_t>(object.integer("seed", 0, INT64_MAX, 0));
  read_baselines(object, study);
  object.finish();
  study.source = std::move(source);
  return study;
}

StudySpec read_study(const std::string& file, const StudyOverrides& overrides) {
  Json source = spec::read_json_file(file);
  Problems problems;
  if (source.is_object()) {
    if (overrides.strategy) source["strategy"] = *overrides.strategy;
    if (overrides.seed) source["seed"] = *overrides.seed;
    // A hardware file becomes part of the study, so that its journal explains itself.
    const auto hardware = source.find("hardware");
    if (hardware != source.end() && hardware->is_string() && hardware->get<std::string>().ends_with(".json")) {
      const auto beside = std::filesystem::path(file).parent_path() / hardware->get<std::string>();
      *hardware = spec::read_json_file(beside.string());
    }
  }
  StudySpec study = study_from_json(std::move(source), "", problems);
  problems.throw_if_any();
  study.options.workers = overrides.workers;
  return study;
}

}  // namespace plait::app
