#include "costmodel/mixers/mixer_shape.h"

namespace plait::costmodel {

// Input, forget gate, output gate and output; the short convolution covers input and forget gate. The table of lower
// bounds belongs to the model.
MixerShape mixer_shape(const spec::Hgrn& m, Dim d_model) {
  MixerShape shape;
  for (int i = 0; i < 3; ++i) shape.project(d_model, m.width);
  shape.project(m.width, d_model);
  shape.convolve(Count(2) * m.width, m.conv_width, 2);
  shape.vectors += m.width;                               // output norm
  shape.pass(Count(2) * m.width, Count(2) * m.width, 2);  // forget gate, gated input
  shape.norm_output(m.width, true);
  shape.saved_width = Count(3) * m.width;
  shape.recurrence = {ChunkKernel::elementwise_scan, 1, 1, m.width};
  shape.sharding.heads = shape.sharding.kv_heads = m.width;
  return shape;
}

}  // namespace plait::costmodel
