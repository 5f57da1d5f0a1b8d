#pragma once

#include "costmodel/mixers/mixer_shape.h"

namespace plait::costmodel {

/// MHA or GQA over the last `window` tokens (0: all). Parameters: D (2 H + 2 H_kv) hd; a gate adds D H hd, biases
/// (H + 2 H_kv) hd, q/k norms 2 hd per head or (H + H_kv) hd over the full width. A layer that shares another one's
/// cache has neither k and v projections nor a norm on k.
MixerShape softmax_attention_shape(const spec::SoftmaxAttention& attention, Dim window, Dim d_model, bool shares_kv);

}  // namespace plait::costmodel
