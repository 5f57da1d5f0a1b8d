#include <vector>

#include "kernels/common/check.h"
#include "kernels/linear_attention/linear_attention.h"

namespace plait::kernels {

Scan linear_attention_reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                                const ScanOptions& options) {
  const auto N = k.size(0), T = k.size(1), H = k.size(2), K = k.size(3), V = v.size(3);
  const double scale = scale_of(options.scale, K);
  at::Tensor S = initial_or_zeros(options.initial_state, {N, H, K, V}, q, q.scalar_type());
  const at::Tensor decay = !g.defined() ? at::Tensor() : g.dim() == 3 ? g.unsqueeze(3).exp() : g.exp();
  std::vector<at::Tensor> outputs;
  for (std::int64_t t = 0; t < T; ++t) {
    if (decay.defined()) S = decay.select(1, t).unsqueeze(3) * S;
    S = S + k.select(1, t).unsqueeze(3) * v.select(1, t).unsqueeze(2);
    outputs.push_back(scale * at::matmul(q.select(1, t).unsqueeze(2), S).squeeze(2));
  }
  return {at::stack(outputs, 1), S.to(accumulation_type(q))};
}

}  // namespace plait::kernels
