#include "kernels/gated_delta_rule/gated_delta_rule.h"
#include "src/nn/layer.h"
#include "src/nn/mixers/delta_inputs.h"

namespace plait::nn {
namespace {

class KimiDeltaAttentionLayer : public MixerLayer {
 public:
  KimiDeltaAttentionLayer(const spec::KimiDeltaAttention& mixer, WeightFactory weights, const LayerSite& site)
      : mixer_(mixer),
        eps_(site.norm_eps),
        inputs_(weights, site.d_model,
                {.heads = mixer.heads,
                 .value_heads = mixer.value_heads,
                 .key_dim = mixer.key_head_dim,
                 .value_dim = mixer.value_head_dim,
                 .conv_width = mixer.conv_width,
                 .beta_scale = mixer.negative_eigenvalues ? 2.0 : 1.0}) {
    const std::int64_t decays = mixer.value_heads * mixer.key_head_dim;
    const std::int64_t values = mixer.value_heads * mixer.value_head_dim;
    const std::int64_t rank = mixer.value_head_dim;
    f_down_ = weights.linear("f_proj.0.weight", rank, site.d_model);
    f_up_ = weights.linear("f_proj.1.weight", decays, rank);
    a_log_ = weights.vector("A_log", mixer.value_heads, bounded() ? constant(0) : log_uniform(1, 16));
    dt_bias_ = weights.vector("dt_bias", decays, time_step_bias());
    gate_down_ = weights.linear("g_proj.0.weight", rank, site.d_model);
    gate_up_ = weights.linear("g_proj.1.weight", values, rank);
    gate_bias_ = weights.vector("g_proj.1.bias", values, constant(0));
    o_norm_ = weights.vector("o_norm.weight", mixer.value_head_dim, constant(1));
    o_ = weights.linear("o_proj.weight", site.d_model, values);
  }

  at::Tensor forward(const LayerInput& input) const override {
    const at::Tensor& x = input.x;
    const kernels::DeltaInputs in = inputs_(x, input.state);
    const kernels::Scan scan = kernels::gated_delta_rule(in.q, in.k, in.v, log_decay(x), in.beta,
                                                         {.initial_state = carried(input.state, kScanSlot)});
    carry(input.state, kScanSlot, scan.state);
    const at::Tensor gate = split_heads(project(project(x, gate_down_), gate_up_, gate_bias_), mixer_.value_heads);
    const at::Tensor output = gated_head_norm(scan.output, gate, o_norm_, eps_, kernels::GateActivation::sigmoid);
    return project(merge_heads(output, x.size(0)), o_);
  }

 private:
  bool bounded() const { return mixer_.gate_lower_bound < 0; }

  /// -exp(A_log) softplus(f + dt_bias), or bound * sigmoid(exp(A_log) (f + dt_bias)): [G * B, T, Hv, K].
  at::Tensor log_decay(const at::Tensor& x) const {
    const at::Tensor f = in_full_precision(project(project(x, f_down_), f_up_)) + beside_tokens(dt_bias_);
    const at::Tensor per_head = f.unflatten(3, {mixer_.value_heads, mixer_.key_head_dim});  // [G, B, T, Hv, K]
    const at::Tensor rate = beside_tokens(a_log_.exp()).unsqueeze(4);
    const at::Tensor g =
        bounded() ? mixer_.gate_lower_bound * at::sigmoid(rate * per_head) : -rate * at::softplus(per_head);
    return fold_members(g);
  }

  spec::KimiDeltaAttention mixer_;
  double eps_;
  DeltaProjections inputs_;
  at::Tensor f_down_, f_up_, a_log_, dt_bias_, gate_down_, gate_up_, gate_bias_, o_norm_, o_;
};

}  // namespace

std::unique_ptr<MixerLayer> make_mixer(const spec::KimiDeltaAttention& mixer, WeightFactory weights,
                                       const LayerSite& site) {
  return std::make_unique<KimiDeltaAttentionLayer>(mixer, weights, site);
}

}  // namespace plait::nn
