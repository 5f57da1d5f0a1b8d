#include "src/nn/mixers/delta_rule_layer.h"

#include "kernels/gated_delta_rule/gated_delta_rule.h"
#include "kernels/gated_delta_rule/layer.h"

namespace plait::nn {

DeltaRuleLayer::DeltaRuleLayer(WeightFactory weights, const LayerSite& site, const kernels::DeltaShape& shape,
                               bool output_gate)
    : inputs_(weights, site.d_model, shape),
      output_(weights, site, "o_norm.weight", shape.value_heads, shape.value_dim, output_gate),
      eps_(site.norm_eps) {
  if (!kernels::fits_delta_layer(weights.activations(), shape)) return;
  std::vector<at::Tensor> parts = inputs_.weights();
  std::int64_t rows = shape.padded_columns();
  if (output_gate) {
    parts.insert(parts.begin(), output_.gate());
    rows += output_.gate().size(1);
  }
  projections_ = weights.joined(std::move(parts), rows, weights.activations().dtype().toScalarType());
  filters_ = weights.joined(inputs_.filters(), shape.channels(), at::kFloat);
}

at::Tensor DeltaRuleLayer::forward(const LayerInput& input) const {
  if (input.state == nullptr && projections_.joined.defined()) {
    return output_.projected(kernels::delta_layer(project(input.x, projections_), filters_, inputs_.a_log(),
                                                  inputs_.dt_bias(), output_.norm(), inputs_.shape(), eps_));
  }
  const kernels::DeltaInputs in = inputs_(input.x, input.state);
  const kernels::Scan scan =
      kernels::gated_delta_rule(in.q, in.k, in.v, in.g, in.beta, {.initial_state = carried(input.state, kScanSlot)});
  carry(input.state, kScanSlot, scan.state);
  return output_(scan.output, input.x);
}

std::string DeltaRuleLayer::scan_path(const at::TensorOptions& options) const {
  const kernels::DeltaShape& shape = inputs_.shape();
  return "gated delta rule: " +
         kernels::gated_delta_rule_path(at::empty({1, 1, 1, shape.key_dim}, options),
                                        at::empty({1, 1, 1, shape.value_dim}, options),
                                        shape.decays ? at::empty({1, 1, 1}, options) : at::Tensor());
}

}  // namespace plait::nn
