#include "costmodel/mixers/mixer_shape.h"

namespace plait::costmodel {

// q, k, v, o, one beta per head, convolutions on q, k, v, a per-head norm; the output gate is optional.
MixerShape mixer_shape(const spec::DeltaNet& m, Dim d_model) {
  const Dim keys = m.heads * m.key_head_dim;
  const Dim values = m.heads * m.value_head_dim;
  MixerShape shape;
  shape.project(d_model, keys);
  shape.project(d_model, keys);
  shape.project(d_model, values);
  shape.project(d_model, m.heads);
  if (m.output_gate) shape.project(d_model, values);
  shape.project(values, d_model);
  shape.convolve(Count(2) * keys + values, m.conv_width, 3);
  shape.vectors += m.value_head_dim;
  shape.norm_output(values, m.output_gate);
  shape.saved_width = Count(2) * keys + Count(2) * values;
  shape.recurrence = {ChunkKernel::delta, m.heads, m.key_head_dim, m.value_head_dim};
  shape.sharding.heads = shape.sharding.kv_heads = m.heads;
  shape.sharding.replicated = m.value_head_dim;
  return shape;
}

}  // namespace plait::costmodel
