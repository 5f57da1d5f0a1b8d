#include "kernels/attention/attention.h"
#include "src/nn/layer.h"

namespace plait::nn {
namespace {

constexpr double kInnerNormEps = 1e-5;  // whatever the model's
constexpr double kRotaryBase = 10000.0;

class MultiHeadLatentAttentionLayer : public MixerLayer {
 public:
  MultiHeadLatentAttentionLayer(const spec::MultiHeadLatentAttention& mixer, WeightFactory weights,
                                const LayerSite& site)
      : mixer_(mixer) {
    const std::int64_t queries = mixer.heads * (mixer.nope_dim + mixer.rope_dim);
    if (mixer.q_lora_rank == 0) {
      q_ = weights.linear("q_proj.weight", queries, site.d_model);
    } else {
      q_down_ = weights.linear("q_proj.0.weight", mixer.q_lora_rank, site.d_model);
      q_norm_ = weights.vector("q_proj.1.weight", mixer.q_lora_rank, constant(1));
      q_ = weights.linear("q_proj.2.weight", queries, mixer.q_lora_rank);
    }
    if (mixer.rope_dim > 0) k_rope_ = weights.linear("k_rope.weight", mixer.rope_dim, site.d_model);
    kv_down_ = weights.linear("kv_proj.0.weight", mixer.kv_lora_rank, site.d_model);
    kv_norm_ = weights.vector("kv_proj.1.weight", mixer.kv_lora_rank, constant(1));
    kv_up_ = weights.linear("kv_proj.2.weight", mixer.heads * (mixer.nope_dim + mixer.value_dim), mixer.kv_lora_rank);
    o_ = weights.linear("o_proj.weight", site.d_model, mixer.heads * mixer.value_dim);
  }

  at::Tensor forward(const LayerInput& input) const override {
    const at::Tensor& x = input.x;
    const std::int64_t first = input.state != nullptr ? input.state->position : 0;
    // The latent [G, B, S, rank] and the one rotary key of all heads [G * B, S, 1, rope] are all that is kept.
    const at::Tensor latent = continued(kernels::rms_norm(project(x, kv_down_), kv_norm_, kInnerNormEps), input, 0, 2);
    const at::Tensor kv = split_heads(project(latent, kv_up_), mixer_.heads);
    at::Tensor k = kv.narrow(3, 0, mixer_.nope_dim);
    const at::Tensor v = kv.narrow(3, mixer_.nope_dim, mixer_.value_dim);
    at::Tensor q = split_heads(queries(x), mixer_.heads);
    if (mixer_.rope_dim > 0) {
      q = at::cat({q.narrow(3, 0, mixer_.nope_dim),
                   kernels::rotary(q.narrow(3, mixer_.nope_dim, mixer_.rope_dim), kRotaryBase, first)},
                  3);
      const at::Tensor rope =
          continued(kernels::rotary(split_heads(project(x, k_rope_), 1), kRotaryBase, first), input, 1, 1);
      k = at::cat({k, rope.expand({-1, -1, mixer_.heads, -1})}, 3);
    }
    return project(merge_heads(kernels::attention(q, k, v), x.size(0)), o_);
  }

 private:
  at::Tensor queries(const at::Tensor& x) const {
    if (!q_down_.defined()) return project(x, q_);
    return project(kernels::rms_norm(project(x, q_down_), q_norm_, kInnerNormEps), q_);
  }

  /// The tokens before (of the state's slot) and these, along `axis`.
  static at::Tensor continued(const at::Tensor& tokens, const LayerInput& input, std::size_t slot, std::int64_t axis) {
    const at::Tensor before = carried(input.state, slot);
    const at::Tensor all = before.defined() ? at::cat({before, tokens}, axis) : tokens;
    carry(input.state, slot, all);
    return all;
  }

  spec::MultiHeadLatentAttention mixer_;
  at::Tensor q_down_, q_norm_, q_, k_rope_, kv_down_, kv_norm_, kv_up_, o_;
};

}  // namespace

std::unique_ptr<MixerLayer> make_mixer(const spec::MultiHeadLatentAttention& mixer, WeightFactory weights,
                                       const LayerSite& site) {
  return std::make_unique<MultiHeadLatentAttentionLayer>(mixer, weights, site);
}

}  // namespace plait::nn
