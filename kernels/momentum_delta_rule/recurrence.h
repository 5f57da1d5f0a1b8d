#pragma once

#include "kernels/common/head_sizes.h"

/// The momentum delta rule on a CPU, token by token, as kernels/common/recurrence.h. No torch here.
namespace plait::kernels {

/// Arrays are dense and row-major in the given shape; Real is float or double.
template <class Real>
struct MomentumRecurrence : HeadSizes {
  Real scale;  ///< factor on q

  const Real* q;                 ///< [N, T, H, K]
  const Real* k;                 ///< [N, T, H, K]
  const Real* p;                 ///< [N, T, H, K]
  const Real* v;                 ///< [N, T, H, V]
  const Real* alpha;             ///< [N, T, H], as mu, eta and beta
  const Real* mu;                //
  const Real* eta;               //
  const Real* beta;              //
  const Real* initial_state;     ///< S, [N, H, K, V]; null is zero
  const Real* initial_momentum;  ///< M, likewise

  Real* output;          ///< [N, T, H, V]; forward only
  Real* final_state;     ///< [N, H, K, V]; forward only
  Real* final_momentum;  ///< [N, H, K, V]; forward only

  // Written by the forward pass, read by the backward pass; null in a forward pass that no backward pass follows.
  Real* states;   ///< checkpoint_size() of them: S before every so many tokens
  Real* moments;  ///< M, likewise
  Real* errors;   ///< w, [N, T, H, V]

  // Of the backward pass only.
  const Real* d_output;          ///< [N, T, H, V]; null is zero
  const Real* d_final_state;     ///< [N, H, K, V]; null is zero
  const Real* d_final_momentum;  ///< likewise
  Real* d_q;                     ///< [N, T, H, K]
  Real* d_k;                     ///< [N, T, H, K]
  Real* d_p;                     ///< [N, T, H, K]
  Real* d_v;                     ///< [N, T, H, V]
  Real* d_alpha;                 ///< [N, T, H], as d_mu, d_eta and d_beta
  Real* d_mu;                    //
  Real* d_eta;                   //
  Real* d_beta;                  //
  Real* d_initial_state;         ///< [N, H, K, V]; may be null
  Real* d_initial_momentum;      ///< likewise
};

/// The heads [begin, end) of the N * H; different heads may be computed at the same time.
template <class Real>
void momentum_forward(const MomentumRecurrence<Real>& x, std::int64_t begin, std::int64_t end);
template <class Real>
void momentum_backward(const MomentumRecurrence<Real>& x, std::int64_t begin, std::int64_t end);

}  // namespace plait::kernels
