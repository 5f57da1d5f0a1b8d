#include "costmodel/mixers/mixer_shape.h"

namespace plait::costmodel {

// One input projection to z, x, B, C and dt; a convolution on x, B, C; A_log, D and dt_bias per head; a gated norm over
// the inner width. B is the key and C the query of linear attention, shared by the heads of a group.
MixerShape mixer_shape(const spec::Mamba2& m, Dim d_model) {
  const Dim inner = m.heads * m.head_dim;
  const Count groups = Count(2) * m.groups * m.state_dim;
  const Count convolved = groups + inner;
  MixerShape shape;
  const Count in = Count(inner) + convolved + m.heads;
  shape.projections = in * d_model;
  shape.projection_io = in + d_model;
  shape.project(inner, d_model);
  shape.convolve(convolved, m.conv_width, 1, m.conv_bias);
  shape.vectors += Count(3) * m.heads + inner;
  shape.projections_apart = 2;
  shape.norm_output(inner, true);
  shape.saved_width = convolved + inner;
  shape.recurrence = {ChunkKernel::state_space, m.heads, m.state_dim, m.head_dim, m.groups};
  shape.sharding = {.heads = m.heads,
                    .kv_heads = m.groups,
                    .kv_parameters = groups * (Count(d_model) + m.conv_width + (m.conv_bias ? 1 : 0)),
                    .kv_conv_window = groups * (m.conv_width - 1),
                    .replicated = 0};
  return shape;
}

}  // namespace plait::costmodel
