#pragma once

#include <cstdint>

#include "kernels/common/head_sizes.h"

/// The chunk programs L and Delta on a CPU, token by token: with the state of a head in the first-level cache, a step
/// costs less than the products within a chunk that it would save. No torch here.
namespace plait::kernels {

/// Arrays are dense and row-major in the given shape; Real is float or double.
template <class Real>
struct Recurrence : HeadSizes {
  std::int64_t decay_dim;  ///< 1 or K: the decay is per head or per key channel
  Real scale;              ///< factor on q

  const Real* q;              ///< [N, T, H, K]
  const Real* k;              ///< [N, T, H, K]
  const Real* v;              ///< [N, T, H, V]
  const Real* decay;          ///< [N, T, H, decay_dim], exp g, 0 to 1; null is no decay
  const Real* beta;           ///< [N, T, H] of Delta; null for L
  const Real* initial_state;  ///< [N, H, K, V]; null is zero

  Real* output;       ///< [N, T, H, V]; forward only
  Real* final_state;  ///< [N, H, K, V]; forward only

  // Written by the forward pass, read by the backward pass; null in a forward pass that no backward pass follows.
  Real* checkpoints;  ///< checkpoint_size() of them: the state before every so many tokens
  Real* errors;       ///< [N, T, H, V], v - S^T k of Delta; not read or written for L

  // Of the backward pass only.
  const Real* d_output;       ///< [N, T, H, V]; null is zero
  const Real* d_final_state;  ///< [N, H, K, V]; null is zero
  Real* d_q;                  ///< [N, T, H, K]
  Real* d_k;                  ///< [N, T, H, K]
  Real* d_v;                  ///< [N, T, H, V]
  Real* d_decay;              ///< [N, T, H, decay_dim]; not null exactly if decay is not
  Real* d_beta;               ///< [N, T, H]; not null exactly if beta is not
  Real* d_initial_state;      ///< [N, H, K, V]; may be null
};

/// The heads [begin, end) of the N * H; different heads may be computed at the same time.
template <class Real>
void recurrence_forward(const Recurrence<Real>& x, std::int64_t begin, std::int64_t end);
template <class Real>
void recurrence_backward(const Recurrence<Real>& x, std::int64_t begin, std::int64_t end);

}  // namespace plait::kernels
