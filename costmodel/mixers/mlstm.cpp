#include "costmodel/mixers/mixer_shape.h"

namespace plait::costmodel {

// q, k, v, the output gate and o; input and forget gates per head with biases; a per-head norm with one weight per
// value channel. The normaliser n is a further column of the state, the stabiliser m one number per head.
MixerShape mixer_shape(const spec::MLstm& m, Dim d_model) {
  const Dim keys = m.heads * m.key_head_dim;
  const Dim values = m.heads * m.value_head_dim;
  MixerShape shape;
  shape.project(d_model, keys);
  shape.project(d_model, keys);
  shape.project(d_model, values);
  shape.project(d_model, values);
  shape.project(d_model, m.heads);
  shape.project(d_model, m.heads);
  shape.project(values, d_model);
  shape.vectors += Count(2) * m.heads + values;
  shape.pass(Count(2) * values, values, 2);  // output norm, gate
  shape.saved_width = Count(2) * keys + Count(2) * values;
  shape.recurrence = {ChunkKernel::scalar_linear, m.heads, m.key_head_dim, m.value_head_dim, 0, true};
  shape.sharding.heads = shape.sharding.kv_heads = m.heads;
  return shape;
}

}  // namespace plait::costmodel
