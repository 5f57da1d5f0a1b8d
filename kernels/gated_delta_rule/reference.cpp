#include "kernels/common/check.h"
#include "kernels/gated_delta_rule/gated_delta_rule.h"

namespace plait::kernels {

Scan gated_delta_rule_reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                                const at::Tensor& beta, const ScanOptions& options) {
  const auto batch = k.size(0), heads = k.size(2), key_width = k.size(3), value_width = v.size(3);
  const double scale = scale_of(options.scale, key_width);
  auto state = initial_or_zeros(options.initial_state, {batch, heads, key_width, value_width}, v, v.scalar_type());
  std::vector<at::Tensor> outputs;
  for (std::int64_t t = 0; t < k.size(1); ++t) {
    const auto key = k.select(1, t).unsqueeze(-1);  // [N, H, K, 1]
    if (g.defined()) {
      const auto decay = g.select(1, t).exp();  // [N, H] or [N, H, K]
      state = state * (g.dim() == 3 ? decay.unsqueeze(-1).unsqueeze(-1) : decay.unsqueeze(-1));
    }
    const auto error = v.select(1, t) - (state * key).sum(-2);                  // [N, H, V]
    const auto step = beta.select(1, t).unsqueeze(-1) * error;                  // [N, H, V]
    state = state + key * step.unsqueeze(-2);                                   // [N, H, K, V]
    outputs.push_back(scale * (state * q.select(1, t).unsqueeze(-1)).sum(-2));  // [N, H, V]
  }
  return {at::stack(outputs, 1), state.to(accumulation_type(v))};
}

}  // namespace plait::kernels
