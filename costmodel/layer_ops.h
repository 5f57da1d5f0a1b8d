#pragma once

#include "costmodel/mixers/mixer_shape.h"
#include "costmodel/op.h"
#include "src/spec/model_spec.h"

namespace plait::costmodel {

/// Operators of a token mixer over the whole workload: projections, elementwise passes, the core.
OpList prefill_ops(const MixerShape& shape, const spec::ModelSpec& model, const spec::Workload& workload);

/// The same for one token of every sequence, with `workload.context` tokens in the cache.
OpList decode_ops(const MixerShape& shape, const spec::ModelSpec& model, const spec::Workload& workload);

}  // namespace plait::costmodel
