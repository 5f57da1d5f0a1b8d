#include "tests/fuzz/check_costs.h"

#include <cmath>

#include "costmodel/cost_report.h"
#include "tests/fuzz/target.h"

namespace plait::fuzz {

void check_costs(const spec::ModelSpec& model, const costmodel::HardwareProfile& hardware) {
  for (const spec::Workload workload : {spec::Workload{1, 1}, spec::Workload{}, spec::Workload{1 << 21, 1 << 24}}) {
    try {
      const costmodel::CostReport report = costmodel::cost_report(model, workload, hardware);
      require(report.parameters.total > 0 && report.forward_flops > 0 && report.kv_cache_bytes >= 0,
              "counts are positive");
      require(std::isfinite(report.prefill.high) && report.prefill.low >= 0, "prefill takes a finite time");
      require(std::isfinite(report.decode_step.high), "a decode step takes a finite time");
    } catch (const spec::SpecError&) {  // counts past 64 bits
    }
  }
}

}  // namespace plait::fuzz
