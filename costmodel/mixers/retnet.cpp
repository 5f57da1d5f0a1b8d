#include <algorithm>

#include "costmodel/mixers/mixer_shape.h"

namespace plait::costmodel {

// q, k, v, o, the output gate and a per-head norm; the decays are constants. With fewer kv heads the projections
// shrink, not the state: every query head has its own decay.
MixerShape mixer_shape(const spec::RetNet& m, Dim d_model) {
  const Dim q = m.heads * m.key_head_dim;
  const Dim k = m.kv_heads * m.key_head_dim;
  const Dim v = m.kv_heads * m.value_head_dim;
  const Dim out = m.heads * m.value_head_dim;
  MixerShape shape;
  shape.project(d_model, q);
  shape.project(d_model, k);
  shape.project(d_model, v);
  if (m.output_gate) shape.project(d_model, out);
  shape.project(out, d_model);
  shape.convolve(Count(q) + k + v, m.conv_width, 3);
  shape.vectors += m.value_head_dim;
  shape.pass(Count(q) + k, Count(q) + k, 2);  // rotary
  shape.norm_output(out, m.output_gate);
  shape.saved_width = Count(q) + k + v + out;
  shape.recurrence = {ChunkKernel::scalar_linear, m.heads, m.key_head_dim, m.value_head_dim};
  shape.sharding = {.heads = m.heads,
                    .kv_heads = m.kv_heads,
                    .kv_parameters = (Count(k) + v) * (Count(d_model) + m.conv_width),
                    .kv_conv_window = (Count(k) + v) * std::max<Dim>(0, m.conv_width - 1),
                    .replicated = m.value_head_dim};
  return shape;
}

}  // namespace plait::costmodel
