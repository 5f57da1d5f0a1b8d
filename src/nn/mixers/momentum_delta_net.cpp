#include <cmath>

#include "kernels/momentum_delta_rule/momentum_delta_rule.h"
#include "src/nn/mixers/linear_parts.h"

namespace plait::nn {
namespace {

constexpr double kLeastLogMu = -2.0;  ///< without this clamp training diverges (arXiv 2605.05838)
constexpr std::size_t kStateSlot = 3, kMomentumSlot = 4;

class MomentumDeltaNetLayer : public MixerLayer {
 public:
  MomentumDeltaNetLayer(const spec::MomentumDeltaNet& mixer, WeightFactory weights, const LayerSite& site)
      : mixer_(mixer),
        temperature_(std::sqrt(static_cast<double>(site.d_model))),
        q_(weights, "q", mixer.heads * mixer.key_head_dim, site.d_model, mixer.conv_width),
        k_(weights, "k", mixer.heads * mixer.key_head_dim, site.d_model, mixer.conv_width),
        v_(weights, "v", mixer.heads * mixer.value_head_dim, site.d_model, mixer.conv_width),
        a_(weights.linear("a_proj.weight", mixer.heads, site.d_model)),
        b_(weights.linear("b_proj.weight", mixer.heads, site.d_model)),
        m_(weights.linear("m_proj.weight", mixer.heads, site.d_model)),
        e_(weights.linear("e_proj.weight", mixer.heads, site.d_model)),
        a_log_(weights.vector("A_log", mixer.heads, log_uniform(0, 16))),
        dt_bias_(weights.vector("dt_bias", mixer.heads, time_step_bias())),
        mu_log_(weights.vector("Mu_log", mixer.heads, log_uniform(0, 16))),
        mu_bias_(weights.vector("mu_bias", mixer.heads, constant(0))),
        log_factor_(weights.vector("log_factor", mixer.heads, log_uniform(0, 4))),
        d_log_(weights.vector("D_log", mixer.heads, log_uniform(0, 1))),
        output_(weights, site, "o_norm.weight", mixer.heads, mixer.value_head_dim, mixer.output_gate) {
    const at::NoGradGuard initial;
    mu_bias_.copy_(dt_bias_);  // both start as one draw
  }

  at::Tensor forward(const LayerInput& input) const override {
    const at::Tensor& x = input.x;
    const auto heads = [&](const at::Tensor& y) { return split_heads(y, mixer_.heads); };
    const at::Tensor q = heads(at::silu(q_(x, input.state, 0)));
    const at::Tensor k = heads(at::silu(k_(x, input.state, 1)));
    const at::Tensor v = heads(at::silu(v_(x, input.state, 2)));

    // Gates [G, B, T, H]; decays lie close to 1, so they and the scan stay in full precision.
    const auto logits = [&](const at::Tensor& weight) { return in_full_precision(project(x, weight)); };
    const auto rate = [&](const at::Tensor& weight, const at::Tensor& log, const at::Tensor& bias) {
      return -beside_tokens(log.exp()) * at::softplus(logits(weight) + beside_tokens(bias));
    };
    const at::Tensor eta = 1 + at::tanh(logits(e_) / temperature_);
    const at::Tensor tangent = (eta * beside_tokens(log_factor_.exp())).square();  // tan^2 theta
    const at::Tensor alpha = rate(a_, a_log_, dt_bias_).exp() / (1 + tangent);     // times cos^2 theta
    const at::Tensor mu = rate(m_, mu_log_, mu_bias_).clamp_min(kLeastLogMu).exp();
    const at::Tensor beta = at::sigmoid(logits(b_)) * tangent / (1 + tangent);  // times sin^2 theta

    // The output correction takes k before its norm; p is what the state is asked for, alpha k.
    const at::Tensor correction = d_log_.exp().view({x.size(0), 1, 1, mixer_.heads, 1});
    const at::Tensor corrected = in_full_precision(q) - (correction * k.unflatten(0, {x.size(0), -1})).flatten(0, 1);
    const at::Tensor query = kernels::l2norm(corrected);
    const at::Tensor key = kernels::l2norm(in_full_precision(k));
    const at::Tensor retention = fold_members(alpha);
    const kernels::MomentumScan scan = kernels::momentum_delta_rule(
        query, key, retention.unsqueeze(-1) * key, in_full_precision(v), retention, fold_members(mu), fold_members(eta),
        fold_members(beta),
        {.initial_state = carried(input.state, kStateSlot), .initial_momentum = carried(input.state, kMomentumSlot)});
    carry(input.state, kStateSlot, scan.state);
    carry(input.state, kMomentumSlot, scan.momentum);
    return output_(scan.output.to(x.scalar_type()), x);
  }

 private:
  spec::MomentumDeltaNet mixer_;
  double temperature_;  ///< tau of the step size
  ConvolvedProjection q_, k_, v_;
  at::Tensor a_, b_, m_, e_, a_log_, dt_bias_, mu_log_, mu_bias_, log_factor_, d_log_;
  NormedOutput output_;
};

}  // namespace

std::unique_ptr<MixerLayer> make_mixer(const spec::MomentumDeltaNet& mixer, WeightFactory weights,
                                       const LayerSite& site) {
  return std::make_unique<MomentumDeltaNetLayer>(mixer, weights, site);
}

}  // namespace plait::nn
