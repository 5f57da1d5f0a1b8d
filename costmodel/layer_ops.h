#pragma once

#include <algorithm>
#include <vector>

#include "costmodel/mixers/mixer_shape.h"
#include "costmodel/op.h"
#include "src/spec/model_spec.h"

namespace plait::costmodel {

/// What one device does of a layer: one part in each of these (Parallelism). Embedding-wide passes are split by
/// `norms`.
struct Share {
  double tensor = 1;
  double expert = 1;
  double context = 1;
  double norms = 1;
};

/// A whole sequence at once, or one step of decoding.
enum class Phase { prefill, decode };

/// Operators of a token mixer over the whole workload: projections, elementwise passes, the core.
OpList prefill_ops(const MixerShape& shape, const spec::ModelSpec& model, const spec::Workload& workload);

/// The same for one token of every sequence, with `workload.context` tokens in the cache.
OpList decode_ops(const MixerShape& shape, const spec::ModelSpec& model, const spec::Workload& workload);

/// Every operator of one layer on one device, `workload.batch` being the sequences of its replica.
std::vector<Op> layer_ops(const spec::LayerSpec& layer, const spec::ModelSpec& model, const spec::Workload& workload,
                          Phase phase, const Share& share);

/// What a model does outside its layers on one device: embeddings and final norm of `tokens` tokens, and the output
/// head at `rows` of them.
OpList head_ops(const spec::ModelSpec& model, double rows, double tokens, const Share& share);

/// Narrow weights stand beside activations of 16 bits.
inline double activation_element_bytes(const spec::ModelSpec& model) {
  return static_cast<double>(std::max<spec::Dim>(16, spec::bits_of(model.dtype))) / 8;
}

/// Cores of attention are computed in the type of keys and values, everything else in the model's.
inline spec::DType arithmetic_type(const Op& op, const spec::ModelSpec& model) {
  const bool core = op.kind == OpKind::attention_prefill || op.kind == OpKind::attention_decode;
  return core && spec::bits_of(model.kv_dtype) > spec::bits_of(model.dtype) ? model.kv_dtype : model.dtype;
}

}  // namespace plait::costmodel
