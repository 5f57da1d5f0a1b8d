#include "kernels/linear_attention/linear_attention.h"
#include "src/nn/mixers/linear_parts.h"

namespace plait::nn {
namespace {

constexpr double kGateNormaliser = 16.0;  ///< the decay is sigmoid(.)^(1/16) (arXiv 2312.06635, sec. 4.4)

class GlaLayer : public MixerLayer {
 public:
  GlaLayer(const spec::Gla& mixer, WeightFactory weights, const LayerSite& site)
      : mixer_(mixer),
        q_(weights, "q", mixer.heads * mixer.key_head_dim, site.d_model, mixer.conv_width),
        k_(weights, "k", mixer.kv_heads * mixer.key_head_dim, site.d_model, mixer.conv_width),
        v_(weights, "v", mixer.kv_heads * mixer.value_head_dim, site.d_model, mixer.conv_width),
        gk_down_(weights.linear("gk_proj.0.weight", mixer.gate_rank, site.d_model)),
        gk_up_(weights.linear("gk_proj.1.weight", mixer.kv_heads * mixer.key_head_dim, mixer.gate_rank)),
        gk_bias_(weights.vector("gk_proj.1.bias", mixer.kv_heads * mixer.key_head_dim, constant(0))),
        output_(weights, site, mixer.output_gate ? "g_norm_swish_gate.weight" : "g_norm.weight", mixer.heads,
                mixer.value_head_dim, mixer.output_gate) {}

  at::Tensor forward(const LayerInput& input) const override {
    const at::Tensor& x = input.x;
    const at::Tensor q = split_heads(q_.activated(x, input.state, 0), mixer_.heads);
    const at::Tensor k = split_heads(k_.activated(x, input.state, 1), mixer_.kv_heads);
    const at::Tensor v = split_heads(v_.activated(x, input.state, 2), mixer_.kv_heads);
    const at::Tensor logits = in_full_precision(project(project(x, gk_down_), gk_up_, gk_bias_));
    const at::Tensor g = split_heads(at::log_sigmoid(logits) / kGateNormaliser, mixer_.kv_heads);
    const kernels::Scan scan = kernels::linear_attention(q, repeat_heads(k, mixer_.heads),
                                                         repeat_heads(v, mixer_.heads), repeat_heads(g, mixer_.heads),
                                                         {.initial_state = carried(input.state, kLinearScanSlot)});
    carry(input.state, kLinearScanSlot, scan.state);
    return output_(scan.output, x);
  }

  std::string scan_path(const at::TensorOptions& options) const override {
    return linear_attention_scan_path(mixer_.key_head_dim, mixer_.value_head_dim, /*channel_gates=*/true, options);
  }

 private:
  spec::Gla mixer_;
  ConvolvedProjection q_, k_, v_;
  at::Tensor gk_down_, gk_up_, gk_bias_;
  NormedOutput output_;
};

}  // namespace

std::unique_ptr<MixerLayer> make_mixer(const spec::Gla& mixer, WeightFactory weights, const LayerSite& site) {
  return std::make_unique<GlaLayer>(mixer, weights, site);
}

}  // namespace plait::nn
