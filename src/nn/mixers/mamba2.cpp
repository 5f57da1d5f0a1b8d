#include <cmath>

#include "kernels/linear_attention/linear_attention.h"
#include "src/nn/mixers/linear_parts.h"

namespace plait::nn {
namespace {

class Mamba2Layer : public MixerLayer {
 public:
  Mamba2Layer(const spec::Mamba2& mixer, WeightFactory weights, const LayerSite& site)
      : mixer_(mixer),
        inner_(mixer.heads * mixer.head_dim),
        keys_(mixer.groups * mixer.state_dim),
        eps_(site.norm_eps),
        in_(weights.linear("in_proj.weight", 2 * inner_ + 2 * keys_ + mixer.heads, site.d_model)),
        conv_(weights.convolution("conv1d.weight", inner_ + 2 * keys_, mixer.conv_width)),
        dt_bias_(weights.vector("dt_bias", mixer.heads, time_step_bias())),
        a_log_(weights.vector("A_log", mixer.heads, log_uniform(1, 16))),
        d_(weights.vector("D", mixer.heads, constant(1))),
        norm_(weights.vector("norm.weight", inner_, constant(1))) {
    if (mixer.conv_bias) conv_bias_ = weights.vector("conv1d.bias", inner_ + 2 * keys_, constant(0));
    // The residual branch shrinks with depth (rescale_prenorm_residual, on by default).
    const double bound = 1.0 / std::sqrt(static_cast<double>(inner_ * site.layers));
    out_ = weights.add("out_proj.weight", {site.d_model, inner_}, uniform(-bound, bound));
  }

  // Slots: convolution history of [x, B, C], then the recurrent state.
  at::Tensor forward(const LayerInput& input) const override {
    const at::Tensor& x = input.x;
    const auto type = x.scalar_type();
    const std::vector<at::Tensor> parts =
        project(x, in_).split_with_sizes({inner_, inner_ + 2 * keys_, mixer_.heads}, -1);
    const std::vector<at::Tensor> convolved =
        continued_conv(parts[1], conv_, conv_bias_, input.state, 0, kernels::ConvActivation::silu)
            .split_with_sizes({inner_, keys_, keys_}, -1);
    const at::Tensor values = split_heads(convolved[0], mixer_.heads);
    const at::Tensor b = repeat_heads(split_heads(convolved[1], mixer_.groups), mixer_.heads);
    const at::Tensor c = repeat_heads(split_heads(convolved[2], mixer_.groups), mixer_.heads);
    const at::Tensor dt = at::softplus(in_full_precision(parts[2]) + beside_tokens(dt_bias_));  // [G, B, T, H]
    const at::Tensor g = fold_members(-beside_tokens(a_log_.exp()) * dt);
    const at::Tensor stepped = (fold_members(dt).unsqueeze(-1) * values).to(type);
    const kernels::Scan scan =
        kernels::linear_attention(c, b, stepped, g, {.scale = 1.0, .initial_state = carried(input.state, 1)});
    carry(input.state, 1, scan.state);
    // y = C^T h + D x, gated before the norm.
    const at::Tensor skip = d_.view({x.size(0), 1, 1, mixer_.heads, 1}) * values.unflatten(0, {x.size(0), -1});
    const at::Tensor y = (scan.output.unflatten(0, {x.size(0), -1}) + skip).to(type).flatten(-2);
    return project(group_norm(y * at::silu(parts[0])), out_);
  }

  std::string scan_path(const at::TensorOptions& options) const override {
    return linear_attention_scan_path(mixer_.state_dim, mixer_.head_dim, /*channel_gates=*/false, options);
  }

 private:
  /// RMSNorm of each group's channels on their own: groups stand beside the members.
  at::Tensor group_norm(const at::Tensor& y) const {
    const std::int64_t members = y.size(0);
    const at::Tensor grouped = y.unflatten(-1, {mixer_.groups, -1}).permute({0, 3, 1, 2, 4}).flatten(0, 1);
    const at::Tensor normed =
        kernels::rms_norm(grouped, norm_.view({members * mixer_.groups, inner_ / mixer_.groups}), eps_);
    return normed.unflatten(0, {members, mixer_.groups}).permute({0, 2, 3, 1, 4}).flatten(-2);
  }

  spec::Mamba2 mixer_;
  std::int64_t inner_, keys_;
  double eps_;
  at::Tensor in_, conv_, conv_bias_, dt_bias_, a_log_, d_, norm_, out_;
};

}  // namespace

std::unique_ptr<MixerLayer> make_mixer(const spec::Mamba2& mixer, WeightFactory weights, const LayerSite& site) {
  return std::make_unique<Mamba2Layer>(mixer, weights, site);
}

}  // namespace plait::nn
