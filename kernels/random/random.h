#pragma once

#include <torch/torch.h>

#include <cstdint>

/// Random words and orders: one kernel each on a GPU, bit for bit what the CPU's operations give.
namespace plait::kernels {

/// Words used + 1 ... used + count of the streams with these keys [S] int64: [S, count] int64 (mix.h; the last shift
/// is arithmetic).
at::Tensor random_words(const at::Tensor& keys, std::int64_t used, std::int64_t count);

/// x [..., n] of int64, each row ascending.
at::Tensor sorted_rows(const at::Tensor& x);

/// Places [..., n] int64 that put each row of x, int64 or fp64, in ascending order.
at::Tensor row_order(const at::Tensor& x);

/// The first `count` different ones of each row's x % range, in the order in which they stand: x [..., n] int64, none
/// negative, -> [..., count]. A row that has fewer ends in repeats.
at::Tensor distinct(const at::Tensor& x, std::int64_t range, std::int64_t count);

}  // namespace plait::kernels
