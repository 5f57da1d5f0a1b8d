#include "kernels/common/check.h"
#include "kernels/linear_attention/linear_attention.h"
#include "kernels/mlstm/mlstm.h"

namespace plait::kernels {

MLstmScan mlstm(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& i, const at::Tensor& f,
                const MLstmState& initial_state) {
  constexpr auto op = "mlstm";
  check_tensors(op, {{"k", k, {-1, -1, -1, -1}}});
  const auto N = k.size(0), T = k.size(1), H = k.size(2), K = k.size(3);
  check_tensors(op, {{"k", k, {N, T, H, K}},
                     {"q", q, {N, T, H, K}},
                     {"v", v, {N, T, H, -1}},
                     {"i", i, {N, T, H}},
                     {"f", f, {N, T, H}}});
  const auto V = v.size(3);
  const auto& [cell, normaliser, maximum] = initial_state;
  check_state(op, {"cell", cell, {N, H, K, V}}, k);
  check_state(op, {"normaliser", normaliser, {N, H, K}}, k);
  check_state(op, {"maximum", maximum, {N, H}}, k);

  const auto type = accumulation_type(v);
  // The gates, N T H numbers, are fp64: sums over time then meet the recurrence to the last digits of fp32.
  const auto input = i.to(at::kDouble), log_forget = at::log_sigmoid(f.to(at::kDouble));
  // The running maximum m_t = max(log_forget_t + m_{t-1}, i_t). It cancels in the output, so it takes no gradient.
  at::Tensor first, m;  // [N, 1, H], [N, T, H]
  {
    const at::NoGradGuard no_grad;
    first = initial_or_zeros(maximum, {N, H}, v, at::kDouble).unsqueeze(1);
    const auto sum = log_forget.cumsum(1);
    m = at::maximum(std::get<0>((input - sum).cummax(1)), first).add_(sum);
  }
  // With both factors of a step scaled by it, this is linear attention; a column of ones beside v makes the normaliser.
  const auto decay = (log_forget + at::cat({first, m.narrow(1, 0, T - 1)}, 1) - m).to(type);
  const auto keys = k.to(type) * (input - m).exp().to(type).unsqueeze(3);
  ScanOptions options;
  if (cell.defined() || normaliser.defined())
    options.initial_state = at::cat(
        {initial_or_zeros(cell, {N, H, K, V}, v, type), initial_or_zeros(normaliser, {N, H, K}, v, type).unsqueeze(3)},
        3);
  const auto values = at::constant_pad_nd(v.to(type), {0, 1}, 1.0);
  const auto [sums, state] = linear_attention(q.to(type), keys, values, decay, options);
  const auto denominator = at::maximum(sums.narrow(3, V, 1).abs(), m.neg().exp_().to(type).unsqueeze(3));
  return {(sums.narrow(3, 0, V) / denominator).to(v.scalar_type()),
          {state.narrow(3, 0, V), state.select(3, V), m.select(1, T - 1).to(type)}};
}

}  // namespace plait::kernels
