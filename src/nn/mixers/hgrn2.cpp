#include "kernels/linear_attention/linear_attention.h"
#include "src/nn/mixers/forget_gate.h"
#include "src/nn/mixers/linear_parts.h"

namespace plait::nn {
namespace {

constexpr double kNormEps = 1e-5;  ///< flash-linear-attention's fused norm and projection ignores the model's norm_eps

class Hgrn2Layer : public MixerLayer {
 public:
  Hgrn2Layer(const spec::Hgrn2& mixer, WeightFactory weights, const LayerSite& site)
      : mixer_(mixer),
        q_(weights, "q", mixer.heads * mixer.key_head_dim, site.d_model, mixer.conv_width),
        f_(weights, "f", mixer.heads * mixer.key_head_dim, site.d_model, mixer.conv_width),
        i_(weights, "i", mixer.heads * mixer.value_head_dim, site.d_model, mixer.conv_width),
        norm_(weights.vector("g_norm.weight", mixer.heads * mixer.value_head_dim, constant(1))),
        o_(weights.linear("o_proj.weight", site.d_model, mixer.heads * mixer.value_head_dim)) {}

  at::Tensor forward(const LayerInput& input) const override {
    const at::Tensor& x = input.x;
    const auto heads = [&](const at::Tensor& y) { return split_heads(y, mixer_.heads); };
    const at::Tensor q = heads(at::silu(q_(x, input.state, 0)));
    const ForgetGate gate = forget_gate(f_(x, input.state, 1), input.lower_bound);
    const at::Tensor v = heads(i_(x, input.state, 2));
    const kernels::Scan scan = kernels::linear_attention(q, heads(gate.input), v, heads(gate.log_decay),
                                                         {.initial_state = carried(input.state, kLinearScanSlot)});
    carry(input.state, kLinearScanSlot, scan.state);
    return project(kernels::rms_norm(merge_heads(scan.output, x.size(0)), norm_, kNormEps), o_);
  }

  std::string scan_path(const at::TensorOptions& options) const override {
    return linear_attention_scan_path(mixer_.key_head_dim, mixer_.value_head_dim, /*channel_gates=*/true, options);
  }

 private:
  spec::Hgrn2 mixer_;
  ConvolvedProjection q_, f_, i_;
  at::Tensor norm_, o_;
};

}  // namespace

std::unique_ptr<MixerLayer> make_mixer(const spec::Hgrn2& mixer, WeightFactory weights, const LayerSite& site) {
  return std::make_unique<Hgrn2Layer>(mixer, weights, site);
}

}  // namespace plait::nn
