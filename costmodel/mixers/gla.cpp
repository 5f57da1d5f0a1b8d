#include <algorithm>

#include "costmodel/mixers/mixer_shape.h"

namespace plait::costmodel {

// As RetNet, with a low-rank, biased projection of the decays. The state is kept per query head, as
// flash-linear-attention does: it repeats k, v and the decays of a group.
MixerShape mixer_shape(const spec::Gla& m, Dim d_model) {
  const Dim q = m.heads * m.key_head_dim;
  const Dim k = m.kv_heads * m.key_head_dim;
  const Dim v = m.kv_heads * m.value_head_dim;
  const Dim out = m.heads * m.value_head_dim;
  MixerShape shape;
  shape.project(d_model, q);
  shape.project(d_model, k);
  shape.project(d_model, v);
  shape.project(d_model, m.gate_rank);
  shape.project(m.gate_rank, k);
  if (m.output_gate) shape.project(d_model, out);
  shape.project(out, d_model);
  shape.projection_kernels = 3;
  shape.convolve(Count(q) + k + v, m.conv_width, 3);
  shape.vectors += Count(k) + m.value_head_dim;  // bias of the decays, output norm
  shape.pass(Count(2) * k, Count(2) * k, 2);     // log sigmoid of the decays, and their scale
  shape.norm_output(out, m.output_gate);
  shape.saved_width = Count(q) + Count(2) * k + v + out;
  shape.recurrence = {ChunkKernel::gated_linear, m.heads, m.key_head_dim, m.value_head_dim};
  shape.sharding = {.heads = m.heads,
                    .kv_heads = m.kv_heads,
                    .kv_parameters = (Count(k) + v) * (Count(d_model) + m.conv_width) + Count(k) * (m.gate_rank + 1),
                    .kv_conv_window = (Count(k) + v) * std::max<Dim>(0, m.conv_width - 1),
                    .replicated = Count(d_model) * m.gate_rank + m.value_head_dim};
  return shape;
}

}  // namespace plait::costmodel
