#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <span>
#include <vector>

/// Weights in the form in which products take them. A step changes every weight once and uses most twice, so that one
/// launch a step that rounds and joins them all replaces a cast and a concatenation each.
namespace plait::kernels {

struct JoinedWeights {
  std::vector<at::Tensor> parts;  ///< [M, rows_i, ...] fp32, leaves
  at::Tensor joined;  ///< [M, rows, ...] on a GPU: the parts one after another, rows behind them zero and left alone
};

/// Whether weights on this device can be joined: they are dense fp32, and plait's kernels are there.
bool fits_joined_weights(std::span<const at::Tensor> parts);

/// Room for the parts with `rows` rows, of `dtype`, fp32 or bf16.
JoinedWeights joined_weights(std::vector<at::Tensor> parts, std::int64_t rows, at::ScalarType dtype);

/// How many rows each part has, and the parts of a tensor of `joined`'s form by them: of its gradient.
std::vector<std::int64_t> rows_of(at::TensorList parts);
std::vector<at::Tensor> parted(const at::Tensor& joined, const std::vector<std::int64_t>& rows);

/// Writes what the parts are now into all that is joined.
void join(std::span<const JoinedWeights> weights);

}  // namespace plait::kernels
