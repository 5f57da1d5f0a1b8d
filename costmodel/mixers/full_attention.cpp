#include "costmodel/mixers/softmax_attention.h"

namespace plait::costmodel {

MixerShape softmax_attention_shape(const spec::SoftmaxAttention& a, Dim window, Dim d_model, bool shares_kv) {
  const Dim q = a.heads * a.head_dim;
  const Dim kv = a.kv_heads * a.head_dim;
  const Dim own_kv = shares_kv ? 0 : kv;
  MixerShape shape;
  shape.project(d_model, q);
  if (!shares_kv) {
    shape.project(d_model, kv);
    shape.project(d_model, kv);
  }
  if (a.output_gate) shape.project(d_model, q);
  shape.project(q, d_model);
  if (a.qkv_bias) shape.vectors += Count(q) + own_kv + own_kv;
  if (a.qk_norm == spec::QkNorm::per_head) shape.vectors += Count(shares_kv ? 1 : 2) * a.head_dim;
  if (a.qk_norm == spec::QkNorm::full_width) shape.vectors += Count(q) + own_kv;
  shape.saved_width = Count(q) + Count(2) * own_kv + (a.output_gate ? q : 0);
  if (a.qk_norm != spec::QkNorm::none) shape.pass(Count(q) + own_kv, Count(q) + own_kv, shares_kv ? 1 : 2);
  shape.pass(Count(q) + own_kv, Count(q) + own_kv, shares_kv ? 1 : 2);  // rotary
  if (!shares_kv) shape.pass(Count(2) * own_kv, Count(2) * own_kv, 2);  // into the cache
  if (a.output_gate) shape.pass(Count(2) * q, q, 1);

  // Q K^T and its product with V: 2 x 2 hd FLOPs per pair and head.
  shape.attention = {.cached_per_token = Count(2) * kv,
                     .owns_cache = !shares_kv,
                     .window = window,
                     .prefill_pair_flops = Count(4) * q,
                     .decode_pair_flops = Count(4) * q,
                     .prefill_io_per_token = Count(2) * q + Count(2) * kv,
                     .output = q};
  shape.sharding = {.heads = a.heads,
                    .kv_heads = a.kv_heads,
                    .kv_parameters = Count(2) * own_kv * (d_model + (a.qkv_bias ? 1 : 0)) +
                                     (a.qk_norm == spec::QkNorm::full_width ? own_kv : 0),
                    .kv_conv_window = 0,
                    .replicated = a.qk_norm == spec::QkNorm::per_head ? Count(shares_kv ? 1 : 2) * a.head_dim : 0};
  return shape;
}

MixerShape mixer_shape(const spec::FullAttention& mixer, Dim d_model, bool shares_kv) {
  return softmax_attention_shape(mixer, 0, d_model, shares_kv);
}

}  // namespace plait::costmodel
