#include "kernels/sequence/sequence.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "kernels/common/check.h"
#include "kernels/sequence/cpu_op.h"
#include "kernels/sequence/cuda_op.h"

namespace plait::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double l2norm_eps = 1e-6;

/// Activations may have any number of axes between the first and the last, which check_tensors cannot say.
void check_activations(std::string_view op, const at::Tensor& x, std::int64_t least_dim) {
  std::ostringstream message;
  message << op << ": x is ";
  if (!x.defined())
    message << "undefined";
  else if (!x.is_floating_point())
    message << x.scalar_type();
  else if (x.dim() < least_dim || x.numel() == 0)
    message << x.sizes();
  else
    return;
  message << "; allowed is a floating point tensor of at least " << least_dim << " axes, none of them 0";
  throw std::invalid_argument(message.str());
}

/// A parameter [M, D] as [M, 1, ..., 1, D], beside x [M, ..., D].
at::Tensor beside(const at::Tensor& parameter, const at::Tensor& x) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(x.dim()), 1);
  sizes.front() = parameter.size(0);
  sizes.back() = parameter.size(1);
  return parameter.view(sizes);
}

/// Sums over all axes but the first and the last: the gradient of a parameter [M, D].
at::Tensor sum_to_parameter(const at::Tensor& x) { return x.reshape({x.size(0), -1, x.size(-1)}).sum(1); }

/// weight [M, D, W] as [W, M, 1, 1, D]: row W - 1 - s is what multiplies the token s steps back.
at::Tensor taps_of(const at::Tensor& weight, at::ScalarType type) {
  return weight.to(type).permute({2, 0, 1}).contiguous().unsqueeze(2).unsqueeze(3);
}

/// Sums of products of shifted sequences. The history is added to the first tokens alone, so that no padded copy is
/// made.
struct ShortConv : torch::autograd::Function<ShortConv> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& maybe_bias,
                            const std::optional<at::Tensor>& maybe_history) {
    const auto bias = maybe_bias.value_or(at::Tensor()), history = maybe_history.value_or(at::Tensor());
    context->save_for_backward({x, weight, bias, history});
    const auto type = accumulation_type(x);
    const at::Tensor input = x.to(type), taps = taps_of(weight, type);
    const auto T = x.size(2), W = weight.size(2);
    const at::Tensor now = taps.select(0, W - 1);
    at::Tensor y = bias.defined() ? at::addcmul(beside(bias.to(type), x), input, now) : input * now;
    for (std::int64_t s = 1; s < std::min(W, T); ++s)
      y.narrow(2, s, T - s).addcmul_(input.narrow(2, 0, T - s), taps.select(0, W - 1 - s));
    for (std::int64_t s = 1; history.defined() && s < W; ++s) {
      const auto rows = std::min(s, T);
      y.narrow(2, 0, rows).addcmul_(history.narrow(2, W - 1 - s, rows).to(type), taps.select(0, W - 1 - s));
    }
    return y.to(x.scalar_type());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &bias = saved[2], &history = saved[3];
    const auto type = accumulation_type(x);
    const at::Tensor dy = gradients[0].to(type), input = x.to(type), taps = taps_of(weight, type);
    const auto T = x.size(2), W = weight.size(2);
    at::Tensor dx, dweight, dbias, dhistory;
    if (context->needs_input_grad(0)) {
      dx = dy * taps.select(0, W - 1);
      for (std::int64_t s = 1; s < std::min(W, T); ++s)
        dx.narrow(2, 0, T - s).addcmul_(dy.narrow(2, s, T - s), taps.select(0, W - 1 - s));
      dx = dx.to(x.scalar_type());
    }
    if (context->needs_input_grad(1)) {
      std::vector<at::Tensor> columns(static_cast<std::size_t>(W));
      for (std::int64_t s = 0; s < W; ++s) {
        at::Tensor sum = s < T ? sum_to_parameter(dy.narrow(2, s, T - s) * input.narrow(2, 0, T - s))
                               : at::zeros({x.size(0), x.size(3)}, dy.options());
        if (const auto rows = std::min(s, T); history.defined() && rows > 0)
          sum += sum_to_parameter(dy.narrow(2, 0, rows) * history.narrow(2, W - 1 - s, rows).to(type));
        columns[static_cast<std::size_t>(W - 1 - s)] = sum;
      }
      dweight = at::stack(columns, 2).to(weight.scalar_type());
    }
    if (bias.defined() && context->needs_input_grad(2)) dbias = sum_to_parameter(dy).to(bias.scalar_type());
    if (history.defined() && context->needs_input_grad(bias.defined() ? 3 : 2)) {
      dhistory = at::zeros(history.sizes(), dy.options());
      for (std::int64_t s = 1; s < W; ++s) {
        const auto rows = std::min(s, T);
        dhistory.narrow(2, W - 1 - s, rows).addcmul_(dy.narrow(2, 0, rows), taps.select(0, W - 1 - s));
      }
      dhistory = dhistory.to(history.scalar_type());
    }
    return {dx, dweight, dbias, dhistory};
  }
};

/// y = x r with r = 1 / sqrt(mean x^2 + eps) per row, times the weight, times the activated gate, either of which may
/// be undefined; the l2norm is the same with the sum in place of the mean. Keeps the inputs and r.
struct Norm : torch::autograd::Function<Norm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const std::optional<at::Tensor>& maybe_weight, const std::optional<at::Tensor>& maybe_gate,
                            double divisor, double eps, bool swish) {
    const auto weight = maybe_weight.value_or(at::Tensor()), gate = maybe_gate.value_or(at::Tensor());
    const auto type = accumulation_type(x);
    const at::Tensor input = x.to(type);
    const at::Tensor r =
        at::linalg_vector_norm(input, 2, at::IntArrayRef{-1}, true).square_().div_(divisor).add_(eps).rsqrt_();
    context->save_for_backward({x, weight, gate, r});
    context->saved_data["divisor"] = divisor;
    context->saved_data["swish"] = swish;
    at::Tensor y = input * r;
    if (weight.defined()) y.mul_(beside(weight.to(type), x));
    if (gate.defined()) y.mul_(swish ? at::silu(gate.to(type)) : at::sigmoid(gate.to(type)));
    return y.to(x.scalar_type());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &gate = saved[2], &r = saved[3];
    const double divisor = context->saved_data["divisor"].toDouble();
    const bool swish = context->saved_data["swish"].toBool();
    const auto type = accumulation_type(x);
    const at::Tensor dy = gradients[0].to(type), normed = x.to(type) * r;
    const at::Tensor w = weight.defined() ? weight.to(type) : at::Tensor();
    at::Tensor dx, dweight, dgate, e = dy;  // e: the gradient of the normed row times the weight
    if (gate.defined()) {
      const at::Tensor z = gate.to(type), activated = swish ? at::silu(z) : at::sigmoid(z);
      if (context->needs_input_grad(2)) {
        dgate = (dy * normed).mul_(beside(w, x));
        dgate = (swish ? at::silu_backward(dgate, z) : at::sigmoid_backward(dgate, activated)).to(gate.scalar_type());
      }
      e = dy * activated;
    }
    const at::Tensor product = e * normed;
    at::Tensor along;  // the row's gradient along the normed row, [M, ..., 1]
    if (weight.defined()) {
      const at::Tensor rows = product.view({x.size(0), -1, x.size(-1)});
      if (context->needs_input_grad(1)) dweight = rows.sum(1).to(weight.scalar_type());
      along = at::bmm(rows, w.unsqueeze(2)).view_as(r);
      e = e * beside(w, x);
    } else {
      along = product.sum(-1, true);
    }
    if (context->needs_input_grad(0))
      dx = at::addcmul(e, normed, along.div_(divisor), -1.0).mul_(r).to(x.scalar_type());
    return {dx, dweight, dgate, {}, {}, {}};
  }
};

/// Rotates the pairs (i, i + width / 2); its backward is the rotation by the opposite angles.
struct Rotary : torch::autograd::Function<Rotary> {
  static at::Tensor rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, double direction) {
    const auto half = cosine.size(-1);
    const at::Tensor input = x.to(cosine.scalar_type());
    const at::Tensor first = input.narrow(-1, 0, half), second = input.narrow(-1, half, half);
    at::Tensor y = at::empty(input.sizes(), input.options());
    at::Tensor y_first = y.narrow(-1, 0, half), y_second = y.narrow(-1, half, half);
    at::mul_out(y_first, first, cosine);
    y_first.addcmul_(second, sine, -direction);
    at::mul_out(y_second, second, cosine);
    y_second.addcmul_(first, sine, direction);
    if (const auto rest = x.size(-1) - 2 * half; rest > 0)
      y.narrow(-1, 2 * half, rest).copy_(input.narrow(-1, 2 * half, rest));
    return y.to(x.scalar_type());
  }

  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cosine,
                            const at::Tensor& sine) {
    context->save_for_backward({cosine, sine});
    return rotate(x, cosine, sine, 1.0);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    return {rotate(gradients[0], saved[0], saved[1], -1.0), {}, {}};
  }
};

}  // namespace

at::Tensor short_conv(const at::Tensor& x, const at::Tensor& given_weight, const at::Tensor& given_bias,
                      const at::Tensor& history, ConvActivation activation) {
  check_tensors("short_conv", {{"x", x, {-1, -1, -1, -1}}});
  const auto like_x = [&](const at::Tensor& parameter) {
    return parameter.defined() && parameter.scalar_type() == at::kFloat ? parameter.to(x.scalar_type()) : parameter;
  };
  const at::Tensor weight = like_x(given_weight), bias = like_x(given_bias);
  check_tensors("short_conv", {{"x", x, {-1, -1, -1, -1}}, {"weight", weight, {x.size(0), x.size(3), -1}}});
  if (bias.defined()) check_tensors("short_conv", {{"x", x, {-1, -1, -1, -1}}, {"bias", bias, {x.size(0), x.size(3)}}});
  const auto before = weight.size(2) - 1;
  at::Tensor past = before == 0 ? at::Tensor() : history;  // width 1 looks at no token before
  check_state("short_conv", {"history", past, {x.size(0), x.size(1), before, x.size(3)}}, x);
  if (fits_cuda_short_conv(x, weight, past)) return cuda_short_conv(x, given_weight, given_bias, activation);
  const at::Tensor y = fits_cpu_rows(x) && !past.defined() ? cpu_short_conv(x, weight, bias)
                                                           : ShortConv::apply(x, weight, given(bias), given(past));
  return activation == ConvActivation::silu ? at::silu(y) : y;
}

at::Tensor l2norm(const at::Tensor& x) {
  check_activations("l2norm", x, 1);
  if (fits_cuda_norm(x)) return cuda_norm(x, {}, {}, 1.0, l2norm_eps, GateActivation::swish, x.scalar_type());
  if (fits_cpu_rows(x)) return cpu_norm(x, {}, {}, 1.0, l2norm_eps);
  return Norm::apply(x, given({}), given({}), 1.0, l2norm_eps, false);
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, std::optional<at::ScalarType> dtype) {
  check_activations("rms_norm", x, 2);
  check_tensors("rms_norm", {{"weight", weight, {x.size(0), x.size(-1)}}});
  const at::ScalarType out = dtype.value_or(x.scalar_type());
  if (fits_cuda_norm(x) && (out == x.scalar_type() || out == at::kBFloat16))
    return cuda_norm(x, weight, {}, static_cast<double>(x.size(-1)), eps, GateActivation::swish, out);
  if (fits_cpu_rows(x)) return cpu_norm(x, weight, {}, static_cast<double>(x.size(-1)), eps).to(out);
  return Norm::apply(x, given(weight), given({}), static_cast<double>(x.size(-1)), eps, false).to(out);
}

NormedSum normed_sum(const at::Tensor& x, const at::Tensor& y, const at::Tensor& weight, double eps,
                     at::ScalarType dtype) {
  if (fits_cuda_norm(x) && (!y.defined() || (y.sizes() == x.sizes() && y.scalar_type() == dtype)) &&
      (dtype == x.scalar_type() || dtype == at::kBFloat16))
    return cuda_normed_sum(x, y, weight, eps, dtype);
  const at::Tensor sum = y.defined() ? x + y : x;
  return {sum, rms_norm(sum, weight, eps, dtype)};
}

at::Tensor swiglu(const at::Tensor& u) {
  check_activations("swiglu", u, 1);
  if (fits_cuda_swiglu(u)) return cuda_swiglu(u);
  const auto halves = u.chunk(2, -1);
  return at::silu(halves[0]) * halves[1];
}

at::Tensor gated_rms_norm(const at::Tensor& x, const at::Tensor& gate, const at::Tensor& weight, double eps,
                          GateActivation activation) {
  check_activations("gated_rms_norm", x, 2);
  check_tensors("gated_rms_norm", {{"weight", weight, {x.size(0), x.size(-1)}}});
  if (!gate.defined() || gate.sizes() != x.sizes()) {
    std::ostringstream message;
    message << "gated_rms_norm: gate is " << (gate.defined() ? gate.sizes() : at::IntArrayRef()) << "; allowed is "
            << x.sizes();
    throw std::invalid_argument(message.str());
  }
  if (fits_cuda_norm(x))
    return cuda_norm(x, weight, gate, static_cast<double>(x.size(-1)), eps, activation, x.scalar_type());
  if (fits_cpu_rows(x)) {
    const at::Tensor factor = activation == GateActivation::swish ? at::silu(gate) : at::sigmoid(gate);
    return cpu_norm(x, weight, factor, static_cast<double>(x.size(-1)), eps);
  }
  return Norm::apply(x, given(weight), given(gate), static_cast<double>(x.size(-1)), eps,
                     activation == GateActivation::swish);
}

at::Tensor rotary(const at::Tensor& x, double base, std::int64_t first, std::int64_t width) {
  check_tensors("rotary", {{"x", x, {-1, -1, -1, -1}}});
  if (width == 0) width = x.size(3);
  if (width < 0 || width > x.size(3) || width % 2 != 0) {
    std::ostringstream message;
    message << "rotary: width is " << width << "; allowed is an even number up to " << x.size(3);
    throw std::invalid_argument(message.str());
  }
  const auto options = x.options().dtype(accumulation_type(x));
  const at::Tensor frequency = at::pow(base, at::arange(width / 2, options).mul_(-2.0 / static_cast<double>(width)));
  const at::Tensor angle = at::arange(first, first + x.size(1), options).unsqueeze(1) * frequency;  // [T, width / 2]
  return Rotary::apply(x, angle.cos().unsqueeze(1), angle.sin().unsqueeze(1));
}

}  // namespace plait::kernels
