#include "costmodel/mixers/softmax_attention.h"

namespace plait::costmodel {

MixerShape mixer_shape(const spec::SlidingWindowAttention& mixer, Dim d_model, bool shares_kv) {
  return softmax_attention_shape(mixer, mixer.window, d_model, shares_kv);
}

}  // namespace plait::costmodel
