#pragma once

#include "costmodel/count.h"
#include "src/spec/channel_mixer.h"

namespace plait::costmodel {

/// What there is to count about a channel mixer.
struct ChannelShape {
  Count dense;   ///< weights that every token meets: a dense MLP; of experts the router and the shared expert
  Count expert;  ///< weights of one routed expert
  spec::Dim experts = 0;
  spec::Dim active = 0;        ///< routed experts per token
  spec::Dim routed_width = 0;  ///< of the vector that a routed expert takes and gives
  Count hidden;                ///< activations per token between the products, gate included
  Count product;               ///< activations per token after the gate or activation function
  int products = 0;            ///< kernel launches of its matrix products
  int products_apart = 0;      ///< when gate and up projection are not one product; 0: as many

  Count parameters() const { return dense + expert * experts; }
  Count active_parameters() const { return dense + expert * active; }
};

ChannelShape channel_shape(const spec::ChannelMixer& mixer, spec::Dim d_model);

/// Distinct experts that `tokens` tokens hit, each drawing `active` of `experts` evenly: E (1 - (1 - k / E)^n).
double expected_experts(const ChannelShape& shape, double tokens);

}  // namespace plait::costmodel
