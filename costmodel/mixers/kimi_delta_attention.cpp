#include "costmodel/mixers/mixer_shape.h"

namespace plait::costmodel {

// Gated DeltaNet whose decay is a vector: a low-rank projection (rank = value_head_dim) to one number per key channel
// of every value head, with A_log per head and dt_bias per channel. The output gate is low-rank too, with a bias.
MixerShape mixer_shape(const spec::KimiDeltaAttention& m, Dim d_model) {
  const Dim keys = m.heads * m.key_head_dim;
  const Dim values = m.value_heads * m.value_head_dim;
  const Dim decays = m.value_heads * m.key_head_dim;
  const Dim rank = m.value_head_dim;
  MixerShape shape;
  shape.project(d_model, keys);
  shape.project(d_model, keys);
  shape.project(d_model, values);
  shape.project(d_model, m.value_heads);
  shape.project(d_model, rank);
  shape.project(rank, decays);
  shape.project(d_model, rank);
  shape.project(rank, values);
  shape.project(values, d_model);
  shape.projection_kernels = 4;
  shape.convolve(Count(2) * keys + values, m.conv_width, 3);
  shape.vectors += Count(m.value_heads) + decays + values + m.value_head_dim;
  shape.norm_output(values, true);
  shape.saved_width = Count(2) * keys + Count(2) * values + decays;
  shape.recurrence = {ChunkKernel::channel_delta, m.value_heads, m.key_head_dim, m.value_head_dim, m.heads};
  shape.sharding.heads = shape.sharding.kv_heads = m.heads;
  shape.sharding.replicated = Count(2) * d_model * rank + m.value_head_dim;
  return shape;
}

}  // namespace plait::costmodel
