#include "kernels/gated_delta_rule/gated_delta_rule.h"
#include "src/nn/layer.h"
#include "src/nn/mixers/delta_inputs.h"

namespace plait::nn {
namespace {

class DeltaNetLayer : public MixerLayer {
 public:
  DeltaNetLayer(const spec::DeltaNet& mixer, WeightFactory weights, const LayerSite& site)
      : mixer_(mixer),
        eps_(site.norm_eps),
        inputs_(weights, site.d_model, mixer.heads * mixer.key_head_dim, mixer.heads * mixer.value_head_dim,
                mixer.conv_width),
        b_(weights.linear("b_proj.weight", mixer.heads, site.d_model)),
        o_norm_(weights.vector("o_norm.weight", mixer.value_head_dim, constant(1))),
        o_(weights.linear("o_proj.weight", site.d_model, mixer.heads * mixer.value_head_dim)) {
    if (mixer.output_gate) {
      gate_ = weights.linear("g_proj.weight", mixer.heads * mixer.value_head_dim, site.d_model);
    }
  }

  at::Tensor forward(const LayerInput& input) const override {
    const at::Tensor& x = input.x;
    const DeltaInputs in = inputs_(x, mixer_.heads, mixer_.heads, input.state);
    const at::Tensor beta = write_strength(project(x, b_), mixer_.negative_eigenvalues);
    const kernels::Scan scan =
        kernels::gated_delta_rule(in.q, in.k, in.v, {}, beta, {.initial_state = carried(input.state, kScanSlot)});
    carry(input.state, kScanSlot, scan.state);
    const at::Tensor output = mixer_.output_gate
                                  ? gated_head_norm(scan.output, split_heads(project(x, gate_), mixer_.heads), o_norm_,
                                                    eps_, kernels::GateActivation::swish)
                                  : head_norm(scan.output, o_norm_, eps_);
    return project(merge_heads(output, x.size(0)), o_);
  }

  std::string scan_path(const at::TensorOptions& options) const override {
    return "gated delta rule: " + kernels::gated_delta_rule_path(at::empty({1, 1, 1, mixer_.key_head_dim}, options),
                                                                 at::empty({1, 1, 1, mixer_.value_head_dim}, options),
                                                                 {});
  }

 private:
  spec::DeltaNet mixer_;
  double eps_;
  DeltaProjections inputs_;
  at::Tensor b_, gate_, o_norm_, o_;
};

}  // namespace

std::unique_ptr<MixerLayer> make_mixer(const spec::DeltaNet& mixer, WeightFactory weights, const LayerSite& site) {
  return std::make_unique<DeltaNetLayer>(mixer, weights, site);
}

}  // namespace plait::nn
