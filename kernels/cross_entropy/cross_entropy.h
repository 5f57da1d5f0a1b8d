#pragma once

#include <torch/torch.h>

namespace plait::kernels {

struct CrossEntropy {
  at::Tensor loss;  ///< [...] fp32 (fp64 for fp64 logits), nats
  at::Tensor hits;  ///< [...] bool, whether the label is the first of the largest logits
};

/// -log softmax(logits)[label] for logits [..., V] and labels [...] int64, in fp32. Differentiable in the logits. On a
/// GPU one pass over them forward and one backward.
CrossEntropy cross_entropy(const at::Tensor& logits, const at::Tensor& labels);

/// The same for the logits x weight^T: x [M, R, D], weight [M, V, D] of x's dtype or fp32, labels [M, R] int64.
/// Differentiable in both. On a GPU the logits of bf16 products stay within the kernel where V is a multiple of 64 and
/// D is 32, 64 or 128; beyond, the products themselves take the time and the library's are quicker.
CrossEntropy linear_cross_entropy(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& labels);

}  // namespace plait::kernels
