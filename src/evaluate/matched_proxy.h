#pragma once

#include "src/proxy/reduce.h"

namespace plait::evaluate {

/// The proxy of `model` (src/proxy/reduce.h) in which no layout has more parameters to learn with than another: every
/// layer with a channel mixer holds, to within half a column of its MLP, as many as one of full attention with a SwiGLU
/// of 2 d_model does; the width of its SwiGLU makes up the difference.
spec::ModelSpec matched_proxy(const spec::ModelSpec& model, const proxy::ProxyShape& shape, spec::Dim vocab_size,
                              spec::Dim length);

}  // namespace plait::evaluate
