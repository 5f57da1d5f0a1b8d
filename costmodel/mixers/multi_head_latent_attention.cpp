#include "costmodel/mixers/mixer_shape.h"

namespace plait::costmodel {

// The cache holds the latent and the one rotary key that all heads share. Prefill expands the latent to keys and
// values; decoding folds the up-projections into q and o and attends over the latents themselves (DeepSeek-V2,
// section 2.1.2), at the same projection FLOPs per token. A layer that shares a cache keeps its own up-projections.
MixerShape mixer_shape(const spec::MultiHeadLatentAttention& m, Dim d_model, bool shares_kv) {
  const Dim q = m.heads * (m.nope_dim + m.rope_dim);
  const Dim values = m.heads * m.value_dim;
  MixerShape shape;
  if (m.q_lora_rank == 0) {
    shape.project(d_model, q);
  } else {
    shape.project(d_model, m.q_lora_rank);
    shape.vectors += m.q_lora_rank;
    shape.project(m.q_lora_rank, q);
  }
  if (!shares_kv) {
    shape.project(d_model, m.rope_dim);
    shape.project(d_model, m.kv_lora_rank);
    shape.vectors += m.kv_lora_rank;
  }
  shape.project(m.kv_lora_rank, m.heads * (m.nope_dim + m.value_dim));
  shape.project(values, d_model);
  shape.projection_kernels = m.q_lora_rank == 0 ? 3 : 4;
  shape.saved_width = Count(2) * q + values + m.q_lora_rank + m.kv_lora_rank + m.rope_dim;
  const Count mixed = Count(q) + m.kv_lora_rank + m.rope_dim;
  shape.pass(mixed, mixed, 3);  // norms of the latents, rotary
  shape.attention = {.cached_per_token = Count(m.kv_lora_rank) + m.rope_dim,
                     .owns_cache = !shares_kv,
                     .window = 0,
                     .prefill_pair_flops = Count(2) * m.heads * (m.nope_dim + m.rope_dim + m.value_dim),
                     .decode_pair_flops = Count(2) * m.heads * (2 * m.kv_lora_rank + m.rope_dim),
                     .prefill_io_per_token = Count(2) * q + Count(2) * values,
                     .output = values};
  Count replicated = (Count(d_model) + 1) * m.q_lora_rank;
  if (!shares_kv) replicated += Count(d_model) * m.rope_dim + (Count(d_model) + 1) * m.kv_lora_rank;
  shape.sharding = {.heads = m.heads, .kv_heads = 1, .kv_parameters = 0, .kv_conv_window = 0, .replicated = replicated};
  return shape;
}

}  // namespace plait::costmodel
