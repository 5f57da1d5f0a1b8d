#pragma once

#include <cstdint>

/// Norms and short convolution on a CPU, each in one pass over its tensors. No torch here. Arrays are dense and
/// row-major in the given shape; Real is float or double.
namespace plait::kernels {

/// y = x / sqrt(sum(x^2) / divisor + eps) * weight * factor over the last axis.
template <class Real>
struct NormRows {
  std::int64_t members, rows, width;  ///< M, rows of a member, D
  Real divisor, eps;
  const Real* x;       ///< [M, rows, D]
  const Real* weight;  ///< [M, D]; null is ones
  const Real* factor;  ///< [M, rows, D], the activated gate; null is ones
  Real* y;             ///< [M, rows, D]; forward only

  // Of the backward pass only.
  const Real* dy;  ///< [M, rows, D]
  Real* dx;        ///< [M, rows, D]
  Real* d_factor;  ///< [M, rows, D]; not null exactly if factor is not
  Real* d_weight;  ///< [shares of the backward pass, D], summed by the caller; not null exactly if weight is not
};

/// The rows [begin, end) of the M * rows.
template <class Real>
void norm_forward(const NormRows<Real>& x, std::int64_t begin, std::int64_t end);
/// The rows [begin, end), all of one member; their sum goes to d_weight[share].
template <class Real>
void norm_backward(const NormRows<Real>& x, std::int64_t begin, std::int64_t end, std::int64_t share);

/// y_t = bias + sum_s taps[s] x_{t-s}, zero before the start.
template <class Real>
struct ConvRows {
  std::int64_t members, batch, tokens, channels, width;  ///< M, B, T, D, W
  const Real* x;                                         ///< [M, B, T, D]
  const Real* taps;                                      ///< [M, W, D], s steps back first to last
  const Real* bias;                                      ///< [M, D]; null is zero
  Real* y;                                               ///< [M, B, T, D]; forward only

  // Of the backward pass only.
  const Real* dy;  ///< [M, B, T, D]
  Real* dx;        ///< [M, B, T, D]
  Real* d_taps;    ///< [M, B, W + 1, D], the bias last; summed over B by the caller
};

/// The sequences [begin, end) of the M * B.
template <class Real>
void conv_forward(const ConvRows<Real>& x, std::int64_t begin, std::int64_t end);
template <class Real>
void conv_backward(const ConvRows<Real>& x, std::int64_t begin, std::int64_t end);

}  // namespace plait::kernels
