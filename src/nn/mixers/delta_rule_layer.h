#pragma once

#include "src/nn/mixers/delta_inputs.h"

namespace plait::nn {

/// DeltaNet and Gated DeltaNet: projections, the delta rule with a scalar gate or none, normed output.
class DeltaRuleLayer : public MixerLayer {
 public:
  DeltaRuleLayer(WeightFactory weights, const LayerSite& site, const kernels::DeltaShape& shape, bool output_gate);

  at::Tensor forward(const LayerInput& input) const override;
  std::string scan_path(const at::TensorOptions& options) const override;

 private:
  DeltaProjections inputs_;
  NormedOutput output_;
  double eps_;
  kernels::JoinedWeights projections_, filters_;  ///< of all but the last product; empty where by operations
};

}  // namespace plait::nn
