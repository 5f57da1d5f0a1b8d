#include "kernels/gated_delta_rule/gated_delta_rule.h"
#include "src/nn/layer.h"
#include "src/nn/mixers/delta_inputs.h"

namespace plait::nn {
namespace {

class GatedDeltaNetLayer : public MixerLayer {
 public:
  GatedDeltaNetLayer(const spec::GatedDeltaNet& mixer, WeightFactory weights, const LayerSite& site)
      : mixer_(mixer),
        inputs_(weights, site.d_model, mixer.heads * mixer.key_head_dim, mixer.value_heads * mixer.value_head_dim,
                mixer.conv_width),
        a_(weights.linear("a_proj.weight", mixer.value_heads, site.d_model)),
        b_(weights.linear("b_proj.weight", mixer.value_heads, site.d_model)),
        a_log_(weights.vector("A_log", mixer.value_heads, log_uniform(0, 16))),
        dt_bias_(weights.vector("dt_bias", mixer.value_heads, time_step_bias())),
        output_(weights, site, "o_norm.weight", mixer.value_heads, mixer.value_head_dim, mixer.output_gate) {}

  at::Tensor forward(const LayerInput& input) const override {
    const at::Tensor& x = input.x;
    const DeltaInputs in = inputs_(x, mixer_.heads, mixer_.value_heads, input.state);
    // g = -exp(A_log) softplus(a + dt_bias), [G, B, T, Hv]
    const at::Tensor step = at::softplus(in_full_precision(project(x, a_)) + beside_tokens(dt_bias_));
    const at::Tensor g = fold_members(-beside_tokens(a_log_.exp()) * step);
    const at::Tensor beta = write_strength(project(x, b_), mixer_.negative_eigenvalues);
    const kernels::Scan scan =
        kernels::gated_delta_rule(in.q, in.k, in.v, g, beta, {.initial_state = carried(input.state, kScanSlot)});
    carry(input.state, kScanSlot, scan.state);
    return output_(scan.output, x);
  }

  std::string scan_path(const at::TensorOptions& options) const override {
    return "gated delta rule: " + kernels::gated_delta_rule_path(at::empty({1, 1, 1, mixer_.key_head_dim}, options),
                                                                 at::empty({1, 1, 1, mixer_.value_head_dim}, options),
                                                                 at::empty({1, 1, 1}, options));
  }

 private:
  spec::GatedDeltaNet mixer_;
  DeltaProjections inputs_;
  at::Tensor a_, b_, a_log_, dt_bias_;
  NormedOutput output_;
};

}  // namespace

std::unique_ptr<MixerLayer> make_mixer(const spec::GatedDeltaNet& mixer, WeightFactory weights, const LayerSite& site) {
  return std::make_unique<GatedDeltaNetLayer>(mixer, weights, site);
}

}  // namespace plait::nn
