#pragma once

#include <string>

#include "kernels/common/scan.h"

/// The gated delta rule, the chunk program Delta: S <- diag(exp g_t) S; S <- S + beta_t k_t (v_t - S^T k_t)^T;
/// o_t = scale S^T q_t. DeltaNet (arXiv 2406.06484: no g), Gated DeltaNet (2412.06464: scalar g) and Kimi Delta
/// Attention (2510.26692: g per key channel) are this with their own gates.
namespace plait::kernels {

/// q, k [N, T, H, K], k (and usually q) of unit length per head; v [N, T, H, V]; g, the log decay, never above 0:
/// undefined (no decay), [N, T, H] or [N, T, H, K]; beta [N, T, H] in [0, 2]. Differentiable in all of them and in the
/// initial state. Throws std::invalid_argument naming the tensor, what it is and what is allowed.
Scan gated_delta_rule(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                      const at::Tensor& beta, const ScanOptions& options = {});

/// What computes these arguments when the chunk is left to the operator: "plait's CUDA kernel", "token by token on the
/// CPU", or "chunks through ATen: " and why.
std::string gated_delta_rule_path(const at::Tensor& k, const at::Tensor& v, const at::Tensor& g);

/// The recurrence token by token in the dtype of its inputs, differentiable by autograd: what the above is tested
/// against.
Scan gated_delta_rule_reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                                const at::Tensor& beta, const ScanOptions& options = {});

}  // namespace plait::kernels
