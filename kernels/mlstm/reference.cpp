#include <vector>

#include "kernels/common/check.h"
#include "kernels/mlstm/mlstm.h"

namespace plait::kernels {

MLstmScan mlstm_reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& i,
                          const at::Tensor& f, const MLstmState& initial_state) {
  const auto N = k.size(0), T = k.size(1), H = k.size(2), K = k.size(3), V = v.size(3);
  const double scale = scale_of(0.0, K);
  const auto dtype = q.scalar_type();
  at::Tensor C = initial_or_zeros(initial_state.cell, {N, H, K, V}, q, dtype);
  at::Tensor n = initial_or_zeros(initial_state.normaliser, {N, H, K}, q, dtype);
  at::Tensor m = initial_or_zeros(initial_state.maximum, {N, H}, q, dtype).detach();
  const at::Tensor log_forget = at::log_sigmoid(f);
  std::vector<at::Tensor> outputs;
  for (std::int64_t t = 0; t < T; ++t) {
    const at::Tensor kept = log_forget.select(1, t) + m, input = i.select(1, t);
    m = at::maximum(kept, input).detach();  // cancels in h, so it takes no gradient
    const at::Tensor forget = (kept - m).exp().unsqueeze(2), weight = (input - m).exp().unsqueeze(2);
    const at::Tensor key = weight * k.select(1, t), query = scale * q.select(1, t);
    C = forget.unsqueeze(3) * C + key.unsqueeze(3) * v.select(1, t).unsqueeze(2);
    n = forget * n + key;
    const at::Tensor denominator = at::maximum((n * query).sum(2).abs(), (-m).exp());
    outputs.push_back(at::matmul(query.unsqueeze(2), C).squeeze(2) / denominator.unsqueeze(2));
  }
  const auto accumulation = accumulation_type(q);
  return {at::stack(outputs, 1), {C.to(accumulation), n.to(accumulation), m.to(accumulation)}};
}

}  // namespace plait::kernels
