#pragma once

#include <string>
#include <vector>

#include "costmodel/cost_report.h"
#include "costmodel/parallel_memory.h"
#include "costmodel/parallel_time.h"
#include "costmodel/speculative.h"
#include "src/app/model_source.h"
#include "src/report/line_chart.h"
#include "src/spec/json_reader.h"

/// What `plait cost` prints and draws.
namespace plait::cli {

/// What the costs are for.
struct CostSetting {
  costmodel::HardwareProfile hardware;
  spec::Workload workload;
  costmodel::Parallelism parallelism;
  costmodel::Training training;
  std::optional<costmodel::Speculation> speculation{};
};

/// One layout with its costs.
struct CostedModel {
  app::NamedModel named;
  costmodel::CostReport report;
  costmodel::TrainingMemory training;
  costmodel::ServingMemory serving;
  spec::Dim largest_batch = 0;
  std::optional<costmodel::TrainingTime> training_time{};  ///< nothing on devices without known links
  std::optional<costmodel::ServingTime> serving_time{};
  std::optional<costmodel::SpeculativeCost> speculative{};  ///< drafted by the model's own recurrent part
};

/// Throws SpecError for a parallelism or a batch that does not divide, located at the option.
CostedModel cost_of(const app::NamedModel& named, const CostSetting& setting);

spec::OrderedJson cost_json(const CostedModel& costed, const CostSetting& setting);

/// Totals, one table row per run of equal layers, and what replacing one layer by another of the layout changes.
std::string cost_text(const CostedModel& costed, const CostSetting& setting);

/// Every operator of every kind of layer: what it does, moves and takes, in prefill and in a decode step.
std::string operator_text(const CostedModel& costed, const CostSetting& setting);

/// The totals of several layouts side by side.
std::string comparison_text(const std::vector<CostedModel>& costed, const CostSetting& setting);

/// One row per context; all of one layout.
std::string sweep_text(const std::vector<CostedModel>& costed, const std::vector<spec::Dim>& contexts);

/// Distinct layers as points under the machine's roofs, in prefill and in decoding.
report::LineChart roofline_chart(const CostedModel& costed, const CostSetting& setting);

/// What a sweep can draw, by name: decode_step_s, prefill_s, cache_bytes, decode_energy_j.
std::vector<std::string> sweep_quantities();

/// A quantity against the context, one line per layout. `sweeps[i]` holds layout i at each of `contexts`.
report::LineChart sweep_chart(const std::vector<std::vector<CostedModel>>& sweeps,
                              const std::vector<spec::Dim>& contexts, const std::string& quantity,
                              const CostSetting& setting);

}  // namespace plait::cli
