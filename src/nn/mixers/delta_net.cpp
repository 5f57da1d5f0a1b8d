#include "src/nn/mixers/delta_rule_layer.h"

namespace plait::nn {

std::unique_ptr<MixerLayer> make_mixer(const spec::DeltaNet& mixer, WeightFactory weights, const LayerSite& site) {
  const kernels::DeltaShape shape{.heads = mixer.heads,
                                  .value_heads = mixer.heads,
                                  .key_dim = mixer.key_head_dim,
                                  .value_dim = mixer.value_head_dim,
                                  .conv_width = mixer.conv_width,
                                  .beta_scale = mixer.negative_eigenvalues ? 2.0 : 1.0};
  return std::make_unique<DeltaRuleLayer>(weights, site, shape, mixer.output_gate);
}

}  // namespace plait::nn
