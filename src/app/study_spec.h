#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "costmodel/hardware.h"
#include "search/objective.h"
#include "search/search_space.h"
#include "search/study.h"
#include "src/evaluate/cost_evaluator.h"
#include "src/spec/json_reader.h"
#include "src/spec/model_spec.h"
#include "src/spec/notation.h"

/// A study file:
///
///     {"format": "plait-study/1", "name": "quickstart", "description": "...",
///      "model": {"d_model": 2048, "vocab_size": 32000, "mixers": {"G": {...}}, ...},     a model file without layout
///      "space": {"slots": 24, "candidates": ["G", "H", "*"],
///                "rules": [{"at_most": 8, "of": ["*"]}, {"not_first": ["*"]}, {"at_most_kinds": 1, "of": ["G",
///                "H"]}]},
///      "hardware": "h100", "workload": {"context": "32k", "batch": 1}, "workloads": {"4k": {"context": "4k"}},
///      "objectives": ["recall", "kv_cache_bytes", {"metric": "prefill_s@4k", "direction": "minimize"}],
///      "constraints": [{"metric": "parameters", "max": 1.5e9}],
///      "strategy": "exact_front", "budget": 5000, "batch": 256, "seed": 0,
///      "baselines": [{"name": "Transformer", "layout": "*x24"}]}
///
/// Slots: a number, or a list of {"count": n, "candidates": [...]} in depth order. Instead of slots and candidates,
/// "layouts" lists the whole space: [{"name": "3:1", "layout": "(GGG*)x6"}, ...].
/// Rules, each with its set under "of" or as its value: at_most, at_least, max_gap, at_most_kinds, not_adjacent,
/// not_first, not_last, period.
namespace plait::app {

inline constexpr std::string_view kStudyFormat = "plait-study/1";

struct StudySpec {
  std::string name;
  std::string description;
  spec::ModelSpec model;  ///< without layout
  spec::Palette palette;
  search::SearchSpace space;
  costmodel::HardwareProfile hardware;
  std::vector<evaluate::NamedWorkload> workloads;  ///< the first is the study's own, with an empty name
  std::vector<search::Objective> objectives;
  std::vector<search::Constraint> constraints;
  std::string strategy;
  std::uint64_t seed = 0;
  search::StudyOptions options;
  std::vector<search::Baseline> baselines;
  spec::Json source;  ///< what it was read from, self-contained: the header of the journal

  const spec::Workload& workload() const { return workloads.front().workload; }
};

/// What the command line may override.
struct StudyOverrides {
  std::optional<std::string> strategy;
  std::optional<std::uint64_t> seed;
  std::size_t workers = 1;
};

/// Reads and validates; all problems are reported together. Files that the study names (hardware) are looked up beside
/// `file` and become part of `source`. Throws SpecError, std::system_error.
StudySpec read_study(const std::string& file, const StudyOverrides& overrides);

/// The same from JSON, e.g. the header of a journal.
StudySpec study_from_json(spec::Json source, const std::string& path, spec::Problems& problems);

/// Every metric that a study may name, without workload suffixes.
std::vector<search::Metric> all_metrics();

}  // namespace plait::app
