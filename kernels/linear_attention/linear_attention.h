#pragma once

#include <string>

#include "kernels/common/scan.h"

/// Gated linear attention, the chunk program L: S_t = diag(exp g_t) S_{t-1} + k_t v_t^T, o_t = scale S_t^T q_t.
/// RetNet (arXiv 2307.08621: one constant g per head), Mamba-2 (2405.21060: scalar g, scale 1), mLSTM (2405.04517), GLA
/// (2312.06635) and HGRN2 (2404.07904: g per key channel) are this with their own gates.
namespace plait::kernels {

/// q, k [N, T, H, K]; v [N, T, H, V]; g, the log decay, never above 0: undefined (no decay), [N, T, H] or [N, T, H, K].
/// Differentiable in all of them and in the initial state. Throws std::invalid_argument naming the tensor, what it is
/// and what is allowed.
Scan linear_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                      const ScanOptions& options = {});

/// What computes these arguments when the chunk is left to the operator: "plait's CUDA kernel", "token by token on the
/// CPU", or "chunks through ATen: " and why.
std::string linear_attention_path(const at::Tensor& k, const at::Tensor& v, const at::Tensor& g);

/// The recurrence token by token in the dtype of its inputs, differentiable by autograd: what the above is tested
/// against.
Scan linear_attention_reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                                const ScanOptions& options = {});

}  // namespace plait::kernels
