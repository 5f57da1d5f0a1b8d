#include "kernels/linear_attention/linear_attention.h"
#include "src/nn/mixers/linear_parts.h"
#include "src/spec/error.h"

namespace plait::nn {
namespace {

constexpr double kRotaryBase = 10000.0;

/// log(1 - 2^(-5-h)), the fixed decay of head h, [H] (arXiv 2307.08621, eq. 8).
at::Tensor log_decays(std::int64_t heads, const at::TensorOptions& options) {
  return at::log1p(-at::exp2(-5 - at::arange(heads, options)));
}

class RetNetLayer : public MixerLayer {
 public:
  RetNetLayer(const spec::RetNet& mixer, WeightFactory weights, const LayerSite& site)
      : mixer_(mixer),
        q_(weights, "q", mixer.heads * mixer.key_head_dim, site.d_model, mixer.conv_width),
        k_(weights, "k", mixer.kv_heads * mixer.key_head_dim, site.d_model, mixer.conv_width),
        v_(weights, "v", mixer.kv_heads * mixer.value_head_dim, site.d_model, mixer.conv_width),
        output_(weights, site, mixer.output_gate ? "g_norm_swish_gate.weight" : "g_norm.weight", mixer.heads,
                mixer.value_head_dim, mixer.output_gate) {
    if (mixer.key_head_dim % 2 != 0) {
      throw spec::SpecError("layers[" + std::to_string(site.layer) + "].mixer.key_head_dim",
                            std::to_string(mixer.key_head_dim) + " is odd; rotary embedding pairs the channels");
    }
  }

  at::Tensor forward(const LayerInput& input) const override {
    const at::Tensor& x = input.x;
    const std::int64_t first = input.state != nullptr ? input.state->position : 0;
    const at::Tensor q =
        kernels::rotary(split_heads(q_.activated(x, input.state, 0), mixer_.heads), kRotaryBase, first);
    const at::Tensor k =
        kernels::rotary(split_heads(k_.activated(x, input.state, 1), mixer_.kv_heads), kRotaryBase, first);
    const at::Tensor v = split_heads(v_.activated(x, input.state, 2), mixer_.kv_heads);
    const auto precision = x.options().dtype(x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
    const at::Tensor g = log_decays(mixer_.heads, precision).expand({q.size(0), q.size(1), mixer_.heads});
    const kernels::Scan scan =
        kernels::linear_attention(q, repeat_heads(k, mixer_.heads), repeat_heads(v, mixer_.heads), g,
                                  {.initial_state = carried(input.state, kLinearScanSlot)});
    carry(input.state, kLinearScanSlot, scan.state);
    return output_(scan.output, x);
  }

  std::string scan_path(const at::TensorOptions& options) const override {
    return linear_attention_scan_path(mixer_.key_head_dim, mixer_.value_head_dim, /*channel_gates=*/false, options);
  }

 private:
  spec::RetNet mixer_;
  ConvolvedProjection q_, k_, v_;
  NormedOutput output_;
};

}  // namespace

std::unique_ptr<MixerLayer> make_mixer(const spec::RetNet& mixer, WeightFactory weights, const LayerSite& site) {
  return std::make_unique<RetNetLayer>(mixer, weights, site);
}

}  // namespace plait::nn
