#include "costmodel/mixers/mixer_shape.h"

namespace plait::costmodel {

// q and the forget gate (whose complement is k) of the key width, input and output of the value width, a norm over the
// full value width, no gate. The table of lower bounds belongs to the model.
MixerShape mixer_shape(const spec::Hgrn2& m, Dim d_model) {
  const Dim keys = m.heads * m.key_head_dim;
  const Dim values = m.heads * m.value_head_dim;
  MixerShape shape;
  shape.project(d_model, keys);
  shape.project(d_model, keys);
  shape.project(d_model, values);
  shape.project(values, d_model);
  shape.convolve(Count(2) * keys + values, m.conv_width, 3);
  shape.vectors += values;
  shape.pass(Count(2) * keys, Count(3) * keys, 3);  // Swish of q, forget gate and its complement
  shape.norm_output(values, false);
  shape.saved_width = Count(2) * keys + Count(2) * values;
  shape.recurrence = {ChunkKernel::gated_linear, m.heads, m.key_head_dim, m.value_head_dim};
  shape.sharding.heads = shape.sharding.kv_heads = m.heads;
  return shape;
}

}  // namespace plait::costmodel
