#include "costmodel/mixers/mixer_shape.h"

#include <algorithm>

namespace plait::costmodel {
namespace {

Count value_columns(const Recurrence& r) { return Count(r.value_dim) + (r.normalized ? 1 : 0); }

/// One chunk of n tokens, one head.
Count chunk_flops(const Recurrence& r, Dim n) {
  const Count k = r.key_dim;
  const Count v = value_columns(r);
  const Count rows = n;
  const Count square = rows * rows;
  // Masked Q K^T and its product with V, then the state: read by every row, updated by every row.
  const Count linear = square * 2 * (k + v) + rows * 4 * k * v;
  switch (r.kernel) {
    case ChunkKernel::none:
    case ChunkKernel::elementwise_scan: return 0;
    case ChunkKernel::gated_linear:
    case ChunkKernel::scalar_linear:
    case ChunkKernel::state_space: return linear;
    case ChunkKernel::delta:
    case ChunkKernel::channel_delta:
      // WY form: K K^T, the triangular inverse, W and U, and the state's part of the values.
      return linear + square * 2 * k + Count(n * n * n / 3) + square * 2 * (k + v) + rows * 2 * k * v;
    case ChunkKernel::momentum_delta:
      // Two states are read (for values and for outputs) and updated; one triangular solve.
      return square * 4 * (k + v) + rows * 12 * k * v + Count(n * n * n / 3);
  }
  return 0;
}

}  // namespace

void MixerShape::project(Dim in, Dim out) {
  projections += Count(in) * out;
  projection_io += Count(in) + out;
  ++projections_apart;
}

void MixerShape::convolve(Count channels, Dim width, int inputs, bool bias) {
  if (width == 0) return;
  pass(channels, channels, inputs);
  convolutions += channels * width;
  convolved += channels;
  if (bias) vectors += channels;
  conv_window += channels * (width - 1);
}

void MixerShape::pass(Count in, Count out, int apart) {
  pass_io += in + out;
  ++passes;
  passes_apart += apart;
}

Count core_prefill_flops(const MixerShape& shape, Dim tokens) {
  const auto& r = shape.recurrence;
  Count flops = causal_pairs(tokens, shape.attention.window) * shape.attention.prefill_pair_flops;
  if (r.kernel == ChunkKernel::elementwise_scan) {
    flops += Count(5) * r.heads * r.value_dim * tokens;
  } else if (r.kernel != ChunkKernel::none) {
    flops += Count(r.heads) * (chunk_flops(r, kChunk) * (tokens / kChunk) + chunk_flops(r, tokens % kChunk));
  }
  return flops;
}

Count core_decode_flops(const MixerShape& shape, Dim cached) {
  const auto& r = shape.recurrence;
  const Dim seen = shape.attention.window == 0 ? cached : std::min(cached, shape.attention.window);
  Count per_element = 0;
  switch (r.kernel) {
    case ChunkKernel::none: break;
    case ChunkKernel::elementwise_scan: per_element = 5; break;
    case ChunkKernel::gated_linear:
    case ChunkKernel::scalar_linear:
    case ChunkKernel::state_space: per_element = 6; break;
    case ChunkKernel::delta:
    case ChunkKernel::channel_delta: per_element = 8; break;
    case ChunkKernel::momentum_delta: per_element = 11; break;
  }
  return Count(seen) * shape.attention.decode_pair_flops + per_element * r.heads * r.key_dim * value_columns(r);
}

Count state_elements(const MixerShape& shape) {
  const auto& r = shape.recurrence;
  const Count states = r.kernel == ChunkKernel::momentum_delta ? 2 : 1;
  return Count(r.heads) * (states * r.key_dim * value_columns(r) + (r.normalized ? 1 : 0));
}

Count cached_elements(const MixerShape& shape, Dim tokens) {
  const Dim kept = shape.attention.window == 0 ? tokens : std::min(tokens, shape.attention.window);
  return shape.attention.cached_per_token * kept;
}

}  // namespace plait::costmodel
