#pragma once

#include <memory>
#include <string>
#include <vector>

#include "costmodel/hardware.h"
#include "search/evaluator.h"
#include "src/spec/model_spec.h"

namespace plait::evaluate {

/// A workload that metrics may name: `kv_cache_bytes@128k` is the cache at the workload called "128k".
struct NamedWorkload {
  std::string name;  ///< empty: the study's own, whose metrics have no suffix
  spec::Workload workload;

  bool operator==(const NamedWorkload&) const = default;
};

/// What the cost model can say about a layout: counts (`exact`) and times (`estimate`), for one workload.
std::vector<search::Metric> cost_metrics();

/// Scores layouts of `model` (its own layout is not read) with the cost model: every metric of `cost_metrics` at the
/// unnamed workload, and those of `extra` ("prefill_s@128k") at named ones. Throws std::logic_error for an unknown one.
std::unique_ptr<search::Evaluator> make_cost_evaluator(spec::ModelSpec model, costmodel::HardwareProfile hardware,
                                                       const std::vector<NamedWorkload>& workloads,
                                                       const std::vector<std::string>& extra);

}  // namespace plait::evaluate
