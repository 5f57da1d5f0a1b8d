#pragma once

#include <torch/torch.h>

namespace plait::kernels {

struct CrossEntropy {
  at::Tensor loss;  ///< [M] fp32 (fp64 for fp64 x), nats, the mean over rows
  at::Tensor hits;  ///< [M, R] bool, whether the label is the first of the largest logits
};

/// -log softmax(x weight^T)[label] for x [M, R, D], weight [M, V, D] of x's dtype or fp32, labels [M, R] int64.
/// Differentiable in x and weight. Logits have x's dtype. On a GPU, for bf16 x and V a multiple of 8 up to 32,768, a
/// part of them at a time is there, and gradients are computed with the loss.
CrossEntropy linear_cross_entropy(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& labels);

}  // namespace plait::kernels
