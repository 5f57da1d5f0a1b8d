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

}  // namespace plait::kernels
