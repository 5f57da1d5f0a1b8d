#include <optional>

#include "kernels/common/check.h"
#include "kernels/hgrn/hgrn.h"

namespace plait::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Steps of fewer elements than this cost more in calls than in work.
constexpr std::int64_t kSmallStep = 4096;

/// Tokens per block, so that the calls are 2 W + T / W instead of T: worth its second pass where calls dominate.
std::int64_t block_width(const at::Tensor& x) {
  const auto T = x.size(1);
  if (x.is_cpu() && x.size(0) * x.size(2) >= kSmallStep) return T;
  std::int64_t width = 1;
  while (2 * width * width < T) width *= 2;
  return width;
}

/// h_t = decay_t h_{t-1} + x_t over axis 1 from h_{-1} = initial, [N, T, D]; in reverse h_t = decay_t h_{t+1} + x_t.
at::Tensor scan(const at::Tensor& decay, const at::Tensor& x, const at::Tensor& initial, bool reverse) {
  const auto N = x.size(0), T = x.size(1), D = x.size(2), W = block_width(x), L = (T + W - 1) / W;
  const auto step = [&](const at::Tensor& tensor, std::int64_t axis, std::int64_t i) {
    return tensor.select(axis, reverse ? tensor.size(axis) - 1 - i : i);
  };
  if (L == 1) {
    auto h = at::empty({N, T, D}, x.options());
    auto before = initial;
    for (std::int64_t t = 0; t < T; ++t) {
      auto out = step(h, 1, t);
      at::addcmul_out(out, step(x, 1, t), step(decay, 1, t), before);
      before = out;
    }
    return h;
  }
  const auto in_blocks = [&](const at::Tensor& tensor, double padding) {
    const auto missing = L * W - T;
    return at::constant_pad_nd(tensor, reverse ? at::IntArrayRef{0, 0, missing, 0} : at::IntArrayRef{0, 0, 0, missing},
                               padding)
        .view({N, L, W, D});
  };
  auto product = in_blocks(decay, 1.0).clone(), h = in_blocks(x, 0.0).clone();  // over the block up to the token
  for (std::int64_t w = 1; w < W; ++w) {
    auto h_now = step(h, 2, w), product_now = step(product, 2, w);
    h_now.addcmul_(product_now, step(h, 2, w - 1));
    product_now.mul_(step(product, 2, w - 1));
  }
  auto before = at::empty({N, L, D}, x.options());
  step(before, 1, 0).copy_(initial);
  for (std::int64_t l = 1; l < L; ++l) {
    auto out = step(before, 1, l);
    at::addcmul_out(out, step(step(h, 1, l - 1), 1, W - 1), step(step(product, 1, l - 1), 1, W - 1),
                    step(before, 1, l - 1));
  }
  return h.addcmul_(product, before.unsqueeze(2)).view({N, L * W, D}).narrow(1, reverse ? L * W - T : 0, T);
}

struct Hgrn : torch::autograd::Function<Hgrn> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& f,
                               const std::optional<at::Tensor>& initial) {
    const auto initial_state = initial.value_or(at::Tensor());
    context->set_materialize_grads(false);
    const auto type = accumulation_type(x);
    const auto start = initial_or_zeros(initial_state, {x.size(0), x.size(2)}, x, type);
    const auto h = scan(f.to(type).exp(), x.to(type), start, false);
    context->save_for_backward({f, h, initial_state});
    return {h.to(x.scalar_type()), h.select(1, -1).clone()};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto &f = saved[0], &h = saved[1], &initial_state = saved[2];
    const auto type = h.scalar_type();
    const auto T = h.size(1);
    const auto decay = f.to(type).exp();
    const auto d_output = gradients[0].defined() ? gradients[0].to(type) : at::zeros_like(h);
    const auto d_last = gradients[1].defined() ? d_output.select(1, -1) + gradients[1] : d_output.select(1, -1);
    auto d_h = d_last.unsqueeze(1);
    if (T > 1) d_h = at::cat({scan(decay.narrow(1, 1, T - 1), d_output.narrow(1, 0, T - 1), d_last, true), d_h}, 1);
    at::Tensor d_f, d_initial;
    if (context->needs_input_grad(1)) {
      d_f = decay * d_h;
      d_f.narrow(1, 1, T - 1).mul_(h.narrow(1, 0, T - 1));
      initial_state.defined() ? d_f.select(1, 0).mul_(initial_state) : d_f.select(1, 0).zero_();
      d_f = d_f.to(f.scalar_type());
    }
    if (initial_state.defined()) d_initial = (decay.select(1, 0) * d_h.select(1, 0)).to(initial_state.scalar_type());
    return {d_h.to(f.scalar_type()), d_f, d_initial};
  }
};

}  // namespace

ElementwiseScan hgrn(const at::Tensor& x, const at::Tensor& f, const at::Tensor& initial_state) {
  constexpr auto op = "hgrn";
  check_tensors(op, {{"x", x, {-1, -1, -1}}});
  check_tensors(op, {{"x", x, {-1, -1, -1}}, {"f", f, {x.size(0), x.size(1), x.size(2)}}});
  check_state(op, {"initial_state", initial_state, {x.size(0), x.size(2)}}, x);
  const auto result = Hgrn::apply(x, f, given(initial_state));
  return {result[0], result[1]};
}

}  // namespace plait::kernels
