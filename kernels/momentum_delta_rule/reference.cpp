#include "kernels/common/check.h"
#include "kernels/momentum_delta_rule/momentum_delta_rule.h"

namespace plait::kernels {

MomentumScan momentum_delta_rule_reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& p,
                                           const at::Tensor& v, const at::Tensor& alpha, const at::Tensor& mu,
                                           const at::Tensor& eta, const at::Tensor& beta,
                                           const MomentumScanOptions& options) {
  const auto batch = k.size(0), heads = k.size(2), key_width = k.size(3), value_width = v.size(3);
  const double scale = scale_of(options.scale, key_width);
  const std::vector<std::int64_t> sizes = {batch, heads, key_width, value_width};
  auto state = initial_or_zeros(options.initial_state, sizes, v, v.scalar_type());
  auto momentum = initial_or_zeros(options.initial_momentum, sizes, v, v.scalar_type());
  const auto gate = [](const at::Tensor& x, std::int64_t t) { return x.select(1, t).unsqueeze(-1).unsqueeze(-1); };
  std::vector<at::Tensor> outputs;
  for (std::int64_t t = 0; t < k.size(1); ++t) {
    const auto error = (state * p.select(1, t).unsqueeze(-1)).sum(-2) - v.select(1, t);  // [N, H, V]
    momentum = gate(mu, t) * momentum + gate(eta, t) * k.select(1, t).unsqueeze(-1) * error.unsqueeze(-2);
    state = gate(alpha, t) * state - gate(beta, t) * momentum;                  // [N, H, K, V]
    outputs.push_back(scale * (state * q.select(1, t).unsqueeze(-1)).sum(-2));  // [N, H, V]
  }
  const auto type = accumulation_type(v);
  return {at::stack(outputs, 1), state.to(type), momentum.to(type)};
}

}  // namespace plait::kernels
