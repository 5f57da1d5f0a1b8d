#include "kernels/hgrn/hgrn.h"

#include "src/nn/mixers/forget_gate.h"
#include "src/nn/mixers/linear_parts.h"

namespace plait::nn {
namespace {

class HgrnLayer : public MixerLayer {
 public:
  HgrnLayer(const spec::Hgrn& mixer, WeightFactory weights, const LayerSite& site)
      : eps_(site.norm_eps),
        i_(weights, "i", mixer.width, site.d_model, mixer.conv_width),
        f_(weights, "f", mixer.width, site.d_model, mixer.conv_width),
        gate_(weights.linear("g_proj.weight", mixer.width, site.d_model)),
        norm_(weights.vector("g_norm.weight", mixer.width, constant(1))),
        o_(weights.linear("o_proj.weight", site.d_model, mixer.width)) {}

  // Slots: convolution histories of i and f, then the recurrent state.
  at::Tensor forward(const LayerInput& input) const override {
    const at::Tensor& x = input.x;
    const at::Tensor i = i_(x, input.state, 0);
    const ForgetGate gate = forget_gate(f_(x, input.state, 1), input.lower_bound);
    const kernels::ElementwiseScan scan =
        kernels::hgrn(fold_members(at::silu(i) * gate.input), fold_members(gate.log_decay), carried(input.state, 2));
    carry(input.state, 2, scan.state);
    const at::Tensor h = scan.output.unflatten(0, {x.size(0), x.size(1)});
    return project(kernels::gated_rms_norm(h, project(x, gate_), norm_, eps_, kernels::GateActivation::swish), o_);
  }

 private:
  double eps_;
  ConvolvedProjection i_, f_;
  at::Tensor gate_, norm_, o_;
};

}  // namespace

std::unique_ptr<MixerLayer> make_mixer(const spec::Hgrn& mixer, WeightFactory weights, const LayerSite& site) {
  return std::make_unique<HgrnLayer>(mixer, weights, site);
}

}  // namespace plait::nn
