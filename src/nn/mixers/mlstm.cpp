#include "kernels/mlstm/mlstm.h"

#include "src/nn/mixers/linear_parts.h"

namespace plait::nn {
namespace {

constexpr double kGateCap = 15.0;  ///< arXiv 2503.13427, sec. 4.2

at::Tensor soft_cap(const at::Tensor& x) { return kGateCap * at::tanh(x / kGateCap); }

/// Forget biases spread over the heads, so that heads forget at different speeds.
Init linspace(double first, double last) {
  return [first, last](at::Tensor& weight, at::Generator&) {
    weight.copy_(at::linspace(first, last, weight.numel(), weight.options()));
  };
}

/// Names of NX-AI's xlstm_large. The gates start as in its smaller cell: with the large model's input bias of -10 the
/// state lies below the eps of the norm for longer than a short training lasts.
class MLstmLayer : public MixerLayer {
 public:
  MLstmLayer(const spec::MLstm& mixer, WeightFactory weights, const LayerSite& site)
      : mixer_(mixer),
        eps_(site.norm_eps),
        q_(weights.linear("q.weight", mixer.heads * mixer.key_head_dim, site.d_model)),
        k_(weights.linear("k.weight", mixer.heads * mixer.key_head_dim, site.d_model)),
        v_(weights.linear("v.weight", mixer.heads * mixer.value_head_dim, site.d_model)),
        o_gate_(weights.linear("ogate_preact.weight", mixer.heads * mixer.value_head_dim, site.d_model)),
        i_(weights.add("igate_preact.weight", {mixer.heads, site.d_model}, constant(0))),
        i_bias_(weights.vector("igate_preact.bias", mixer.heads, normal(0.1))),
        f_(weights.add("fgate_preact.weight", {mixer.heads, site.d_model}, constant(0))),
        f_bias_(weights.vector("fgate_preact.bias", mixer.heads, linspace(3, 6))),
        norm_(weights.vector("multihead_norm.weight", mixer.heads * mixer.value_head_dim, constant(1))),
        out_(weights.linear("out_proj.weight", site.d_model, mixer.heads * mixer.value_head_dim)) {}

  // Slots: C, n and m.
  at::Tensor forward(const LayerInput& input) const override {
    const at::Tensor& x = input.x;
    const auto type = x.scalar_type();
    const auto gate = [&](const at::Tensor& weight, const at::Tensor& bias) {
      return fold_members(soft_cap(in_full_precision(project(x, weight, bias)))).to(type);
    };
    const kernels::MLstmScan scan =
        kernels::mlstm(split_heads(project(x, q_), mixer_.heads), split_heads(project(x, k_), mixer_.heads),
                       split_heads(project(x, v_), mixer_.heads), gate(i_, i_bias_), gate(f_, f_bias_),
                       {carried(input.state, 0), carried(input.state, 1), carried(input.state, 2)});
    carry(input.state, 0, scan.state.cell);
    carry(input.state, 1, scan.state.normaliser);
    carry(input.state, 2, scan.state.maximum);
    // LayerNorm per head, one weight per value channel of all heads.
    const at::Tensor normed =
        merge_heads(at::layer_norm(in_full_precision(scan.output), {mixer_.value_head_dim}, {}, {}, eps_), x.size(0));
    const at::Tensor weighted = (normed * beside_tokens(norm_)).to(type);
    return project(at::sigmoid(project(x, o_gate_)) * weighted, out_);
  }

  /// Linear attention in fp32, the normaliser one more value.
  std::string scan_path(const at::TensorOptions& options) const override {
    return linear_attention_scan_path(mixer_.key_head_dim, mixer_.value_head_dim + 1, /*channel_gates=*/false,
                                      options.dtype(at::kFloat));
  }

 private:
  spec::MLstm mixer_;
  double eps_;
  at::Tensor q_, k_, v_, o_gate_, i_, i_bias_, f_, f_bias_, norm_, out_;
};

}  // namespace

std::unique_ptr<MixerLayer> make_mixer(const spec::MLstm& mixer, WeightFactory weights, const LayerSite& site) {
  return std::make_unique<MLstmLayer>(mixer, weights, site);
}

}  // namespace plait::nn
