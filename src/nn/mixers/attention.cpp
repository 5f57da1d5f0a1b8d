#include "kernels/attention/attention.h"

#include "src/nn/layer.h"

/// Full and sliding-window attention.
namespace plait::nn {
namespace {

constexpr double kQkNormEps = 1e-5;  // whatever the model's

class SoftmaxAttentionLayer : public MixerLayer {
 public:
  SoftmaxAttentionLayer(const spec::SoftmaxAttention& mixer, std::int64_t window, WeightFactory weights,
                        const LayerSite& site)
      : mixer_(mixer), window_(window) {
    const std::int64_t queries = mixer.heads * mixer.head_dim;
    const std::int64_t keys = mixer.kv_heads * mixer.head_dim;
    q_ = Projection(mixer, weights, "q", queries, site.d_model);
    if (!site.shares_kv) {
      k_ = Projection(mixer, weights, "k", keys, site.d_model);
      v_.weight = weights.linear("v_proj.weight", keys, site.d_model);
      if (mixer.qkv_bias) v_.bias = weights.vector("v_proj.bias", keys, constant(0));
    }
    if (mixer.output_gate) gate_ = weights.linear("g_proj.weight", queries, site.d_model);
    o_ = weights.linear("o_proj.weight", site.d_model, queries);
  }

  at::Tensor forward(const LayerInput& input) const override {
    const at::Tensor& x = input.x;
    const std::int64_t first = input.state != nullptr ? input.state->position : 0;
    const at::Tensor q = rotated(heads_of(x, q_, mixer_.heads), first);
    const KeysValues kv = input.shared != nullptr ? *input.shared : keys_values(input, first);
    if (input.publish != nullptr) *input.publish = kv;
    at::Tensor output =
        merge_heads(kernels::attention(q, kv.keys, kv.values, {.scale = 0.0, .window = window_}), x.size(0));
    if (mixer_.output_gate) output = output * at::sigmoid(project(x, gate_));
    return project(output, o_);
  }

 private:
  struct Projection {
    at::Tensor weight, bias, norm;

    Projection() = default;
    /// With the norm that queries and keys have.
    Projection(const spec::SoftmaxAttention& mixer, WeightFactory& weights, const std::string& letter,
               std::int64_t width, std::int64_t d_model) {
      weight = weights.linear(letter + "_proj.weight", width, d_model);
      if (mixer.qkv_bias) bias = weights.vector(letter + "_proj.bias", width, constant(0));
      if (mixer.qk_norm == spec::QkNorm::none) return;
      const std::int64_t normed = mixer.qk_norm == spec::QkNorm::per_head ? mixer.head_dim : width;
      norm = weights.vector(letter + "_norm.weight", normed, constant(1));
    }
  };

  /// Projected, normed if it has a norm, split: [G * B, T, heads, head_dim].
  at::Tensor heads_of(const at::Tensor& x, const Projection& projection, std::int64_t heads) const {
    at::Tensor y = project(x, projection.weight, projection.bias);
    if (projection.norm.defined() && mixer_.qk_norm == spec::QkNorm::full_width) {
      y = kernels::rms_norm(y, projection.norm, kQkNormEps);
    }
    y = split_heads(y, heads);
    const bool per_head = projection.norm.defined() && mixer_.qk_norm == spec::QkNorm::per_head;
    return per_head ? head_norm(y, projection.norm, kQkNormEps) : y;
  }

  at::Tensor rotated(const at::Tensor& x, std::int64_t first) const {
    const auto width = 2 * static_cast<std::int64_t>(static_cast<double>(mixer_.head_dim) * mixer_.rope_fraction / 2);
    return mixer_.rope_theta > 0 && width > 0 ? kernels::rotary(x, mixer_.rope_theta, first, width) : x;
  }

  /// Of all tokens so far (within the window, unless other layers read them too).
  KeysValues keys_values(const LayerInput& input, std::int64_t first) const {
    KeysValues kv{rotated(heads_of(input.x, k_, mixer_.kv_heads), first), heads_of(input.x, v_, mixer_.kv_heads)};
    if (input.state == nullptr) return kv;
    const at::Tensor keys = carried(input.state, 0);
    if (keys.defined()) kv = {at::cat({keys, kv.keys}, 1), at::cat({carried(input.state, 1), kv.values}, 1)};
    const std::int64_t length = kv.keys.size(1);
    const bool all = window_ == 0 || input.publish != nullptr;
    const std::int64_t kept = all ? length : std::min(length, window_ - 1);
    carry(input.state, 0, kv.keys.narrow(1, length - kept, kept));
    carry(input.state, 1, kv.values.narrow(1, length - kept, kept));
    return kv;
  }

  spec::SoftmaxAttention mixer_;
  std::int64_t window_;
  Projection q_, k_, v_;
  at::Tensor gate_, o_;
};

}  // namespace

std::unique_ptr<MixerLayer> make_mixer(const spec::FullAttention& mixer, WeightFactory weights, const LayerSite& site) {
  return std::make_unique<SoftmaxAttentionLayer>(mixer, 0, weights, site);
}

std::unique_ptr<MixerLayer> make_mixer(const spec::SlidingWindowAttention& mixer, WeightFactory weights,
                                       const LayerSite& site) {
  return std::make_unique<SoftmaxAttentionLayer>(mixer, mixer.window, weights, site);
}

}  // namespace plait::nn
