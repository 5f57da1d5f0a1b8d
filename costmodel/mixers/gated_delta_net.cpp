#include "costmodel/mixers/mixer_shape.h"

namespace plait::costmodel {

// DeltaNet with a decay and a beta per value head (projection, A_log and dt_bias of the decay) and an output gate.
// Value heads share the q and k of their group; each has its own state.
MixerShape mixer_shape(const spec::GatedDeltaNet& m, Dim d_model) {
  const Dim keys = m.heads * m.key_head_dim;
  const Dim values = m.value_heads * m.value_head_dim;
  MixerShape shape;
  shape.project(d_model, keys);
  shape.project(d_model, keys);
  shape.project(d_model, values);
  shape.project(d_model, m.value_heads);
  shape.project(d_model, m.value_heads);
  if (m.output_gate) shape.project(d_model, values);
  shape.project(values, d_model);
  shape.convolve(Count(2) * keys + values, m.conv_width, 3);
  shape.vectors += Count(2) * m.value_heads + m.value_head_dim;
  shape.norm_output(values, m.output_gate);
  shape.saved_width = Count(2) * keys + Count(2) * values;
  shape.recurrence = {ChunkKernel::delta, m.value_heads, m.key_head_dim, m.value_head_dim, m.heads};
  shape.sharding.heads = shape.sharding.kv_heads = m.heads;
  shape.sharding.replicated = m.value_head_dim;
  return shape;
}

}  // namespace plait::costmodel
