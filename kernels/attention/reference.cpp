#include <limits>

#include "kernels/attention/attention.h"
#include "kernels/common/check.h"

namespace plait::kernels {

at::Tensor attention_reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               const AttentionOptions& options) {
  const auto T = q.size(1), S = k.size(1), group = q.size(2) / k.size(2);
  const at::Tensor queries = q.transpose(1, 2);  // [N, H, T, D]
  const at::Tensor keys = k.repeat_interleave(group, 2).transpose(1, 2);
  const at::Tensor values = v.repeat_interleave(group, 2).transpose(1, 2);
  const at::Tensor scores = scale_of(options.scale, q.size(3)) * at::matmul(queries, keys.transpose(2, 3));
  const auto positions = q.options().dtype(at::kLong);
  const at::Tensor distance = at::arange(S - T, S, positions).unsqueeze(1) - at::arange(S, positions);  // i - j, [T, S]
  at::Tensor hidden = distance < 0;
  if (options.window > 0) hidden = hidden.logical_or(distance >= options.window);
  const at::Tensor weights = scores.masked_fill(hidden, -std::numeric_limits<double>::infinity()).softmax(3);
  return at::matmul(weights, values).transpose(1, 2);
}

}  // namespace plait::kernels
