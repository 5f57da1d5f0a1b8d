#include "kernels/gated_delta_rule/gated_delta_rule.h"
#include "src/nn/layer.h"
#include "src/nn/mixers/delta_inputs.h"

namespace plait::nn {
namespace {

class DeltaNetLayer : public MixerLayer {
 public:
  DeltaNetLayer(const spec::DeltaNet& mixer, WeightFactory weights, const LayerSite& site)
      : mixer_(mixer),
        inputs_(weights, site.d_model, mixer.heads * mixer.key_head_dim, mixer.heads * mixer.value_head_dim,
                mixer.conv_width),
        b_(weights.linear("b_proj.weight", mixer.heads, site.d_model)),
        output_(weights, site, "o_norm.weight", mixer.heads, mixer.value_head_dim, mixer.output_gate) {}

  at::Tensor forward(const LayerInput& input) const override {
    const at::Tensor& x = input.x;
    const DeltaInputs in = inputs_(x, mixer_.heads, mixer_.heads, input.state);
    const at::Tensor beta = write_strength(project(x, b_), mixer_.negative_eigenvalues);
    const kernels::Scan scan =
        kernels::gated_delta_rule(in.q, in.k, in.v, {}, beta, {.initial_state = carried(input.state, kScanSlot)});
    carry(input.state, kScanSlot, scan.state);
    return output_(scan.output, x);
  }

  std::string scan_path(const at::TensorOptions& options) const override {
    return "gated delta rule: " + kernels::gated_delta_rule_path(at::empty({1, 1, 1, mixer_.key_head_dim}, options),
                                                                 at::empty({1, 1, 1, mixer_.value_head_dim}, options),
                                                                 {});
  }

 private:
  spec::DeltaNet mixer_;
  DeltaProjections inputs_;
  at::Tensor b_;
  NormedOutput output_;
};

}  // namespace

std::unique_ptr<MixerLayer> make_mixer(const spec::DeltaNet& mixer, WeightFactory weights, const LayerSite& site) {
  return std::make_unique<DeltaNetLayer>(mixer, weights, site);
}

}  // namespace plait::nn
