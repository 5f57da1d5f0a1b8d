#include "costmodel/mixers/mixer_shape.h"

namespace plait::costmodel {

// Gated DeltaNet with two more per-head projections (momentum decay, step size) and four more per-head scalars
// (Mu_log, mu_bias, log_factor, D_log).
MixerShape mixer_shape(const spec::MomentumDeltaNet& m, Dim d_model) {
  const Dim keys = m.heads * m.key_head_dim;
  const Dim values = m.heads * m.value_head_dim;
  MixerShape shape;
  shape.project(d_model, keys);
  shape.project(d_model, keys);
  shape.project(d_model, values);
  for (int i = 0; i < 4; ++i) shape.project(d_model, m.heads);
  if (m.output_gate) shape.project(d_model, values);
  shape.project(values, d_model);
  shape.convolve(Count(2) * keys + values, m.conv_width, 3);
  shape.vectors += Count(6) * m.heads + m.value_head_dim;
  shape.norm_output(values, m.output_gate);
  shape.saved_width = Count(2) * keys + Count(2) * values;
  shape.recurrence = {ChunkKernel::momentum_delta, m.heads, m.key_head_dim, m.value_head_dim};
  shape.sharding.heads = shape.sharding.kv_heads = m.heads;
  shape.sharding.replicated = m.value_head_dim;
  return shape;
}

}  // namespace plait::costmodel
