#pragma once

#include <torch/torch.h>

#include <cstdint>

/// The momentum delta rule, the chunk program M (Momentum DeltaNet, arXiv 2605.05838), with two states per head:
/// w_t = S_{t-1}^T p_t - v_t; M_t = mu_t M_{t-1} + eta_t k_t w_t^T; S_t = alpha_t S_{t-1} - beta_t M_t; o_t = scale
/// S_t^T q_t.
namespace plait::kernels {

struct MomentumScan {
  at::Tensor output;    ///< [N, T, H, V], of v's dtype
  at::Tensor state;     ///< S after the last token, [N, H, K, V], fp32 (fp64 for fp64 inputs)
  at::Tensor momentum;  ///< M, likewise
};

struct MomentumScanOptions {
  double scale = 0.0;             ///< factor on q; 0 stands for K^(-1/2)
  at::Tensor initial_state{};     ///< S, [N, H, K, V]; undefined is zero
  at::Tensor initial_momentum{};  ///< M, likewise
  std::int64_t chunk = 0;         ///< as in ScanOptions
};

/// q, k, p [N, T, H, K]; v [N, T, H, V]; alpha, mu (decays in [0, 1]), eta, beta [N, T, H], none of them as logarithms.
/// Differentiable in all of them and in the initial states. Throws std::invalid_argument.
MomentumScan momentum_delta_rule(const at::Tensor& q, const at::Tensor& k, const at::Tensor& p, const at::Tensor& v,
                                 const at::Tensor& alpha, const at::Tensor& mu, const at::Tensor& eta,
                                 const at::Tensor& beta, const MomentumScanOptions& options = {});

/// The recurrence token by token in the dtype of its inputs, differentiable by autograd: what the above is tested
/// against.
MomentumScan momentum_delta_rule_reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& p,
                                           const at::Tensor& v, const at::Tensor& alpha, const at::Tensor& mu,
                                           const at::Tensor& eta, const at::Tensor& beta,
                                           const MomentumScanOptions& options = {});

}  // namespace plait::kernels
