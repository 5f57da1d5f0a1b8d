#pragma once

#include "src/proxy/task_table.h"
#include "src/spec/model_spec.h"

/// From a layout at full size to the small model that stands for it in a proxy training.
namespace plait::proxy {

/// Sizes of a proxy model. Recurrent states are small on purpose (heads x key_head_dim x d_model / heads): at ordinary
/// widths every mixer solves every recall task of this length, and what tells mixers apart is a state that is too small
/// for the load (arXiv 2609.16183). Attention keeps a head of ordinary size: its cache is no state that could be too
/// small.
struct ProxyShape {
  spec::Dim layers = 4;  ///< at most; a layout with fewer keeps its own
  spec::Dim d_model = 32;
  spec::Dim heads = 2;
  spec::Dim key_head_dim = 8;
  spec::Dim attention_head_dim = 32;
};

ProxyShape proxy_shape(Tier tier);

/// The layout with at most `layers` layers: as many full-attention layers as their share of the depth says (at least
/// one when there is any, none when there is none, and never in place of all others), at their relative depth; the
/// first layer is full exactly when the layout's first is. The other mixers share the rest likewise. Links between
/// layers are dropped.
spec::Layout reduce_depth(const spec::Layout& layout, std::size_t layers);

/// The proxy of `model` for a vocabulary and sequences of `length` tokens: depth and widths reduced; gates,
/// convolutions and position encoding stay; windows keep their share of the context; embeddings are tied. Every layer
/// gets a SwiGLU of 2 d_model unless it has no channel mixer.
spec::ModelSpec proxy_model(const spec::ModelSpec& model, const ProxyShape& shape, spec::Dim vocab_size,
                            spec::Dim length);

}  // namespace plait::proxy
