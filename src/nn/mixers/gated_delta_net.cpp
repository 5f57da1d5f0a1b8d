#include "kernels/gated_delta_rule/gated_delta_rule.h"
#include "src/nn/layer.h"
#include "src/nn/mixers/delta_inputs.h"

namespace plait::nn {
namespace {

class GatedDeltaNetLayer : public MixerLayer {
 public:
  GatedDeltaNetLayer(const spec::GatedDeltaNet& mixer, WeightFactory weights, const LayerSite& site)
      : mixer_(mixer),
        inputs_(weights, site.d_model,
                {.heads = mixer.heads,
                 .value_heads = mixer.value_heads,
                 .key_dim = mixer.key_head_dim,
                 .value_dim = mixer.value_head_dim,
                 .conv_width = mixer.conv_width,
                 .decays = true,
                 .beta_scale = mixer.negative_eigenvalues ? 2.0 : 1.0}),
        output_(weights, site, "o_norm.weight", mixer.value_heads, mixer.value_head_dim, mixer.output_gate) {}

  at::Tensor forward(const LayerInput& input) const override {
    const kernels::DeltaInputs in = inputs_(input.x, input.state);
    const kernels::Scan scan =
        kernels::gated_delta_rule(in.q, in.k, in.v, in.g, in.beta, {.initial_state = carried(input.state, kScanSlot)});
    carry(input.state, kScanSlot, scan.state);
    return output_(scan.output, input.x);
  }

  std::string scan_path(const at::TensorOptions& options) const override {
    return "gated delta rule: " + kernels::gated_delta_rule_path(at::empty({1, 1, 1, mixer_.key_head_dim}, options),
                                                                 at::empty({1, 1, 1, mixer_.value_head_dim}, options),
                                                                 at::empty({1, 1, 1}, options));
  }

 private:
  spec::GatedDeltaNet mixer_;
  DeltaProjections inputs_;
  NormedOutput output_;
};

}  // namespace

std::unique_ptr<MixerLayer> make_mixer(const spec::GatedDeltaNet& mixer, WeightFactory weights, const LayerSite& site) {
  return std::make_unique<GatedDeltaNetLayer>(mixer, weights, site);
}

}  // namespace plait::nn
