#include "kernels/sequence/cuda_op.h"

#include <optional>

#include "kernels/common/check.h"
#include "kernels/common/cuda_call.h"
#include "kernels/common/cuda_library.h"

namespace plait::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

bool fits(const at::Tensor& x) { return on_kernels(x) && has_kernel_type(x); }

PlaitNorm norm_of(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& gate, double divisor, double eps,
                  std::int64_t activation, at::ScalarType type) {
  PlaitNorm out{};
  out.members = weight.defined() ? x.size(0) : 1;
  out.width = x.size(-1);
  out.rows = x.numel() / (out.members * out.width);
  out.data_type = data_type_of(x);
  out.out_type = type == at::kFloat ? PLAIT_FLOAT32 : PLAIT_BFLOAT16;
  out.activation = static_cast<PlaitActivation>(activation);
  out.divisor = static_cast<float>(divisor);
  out.eps = static_cast<float>(eps);
  out.x = data(x);
  out.weight = numbers(weight);
  out.gate = data(gate);
  return out;
}

/// Runs the backward pass for arguments that lack what is its own to allocate.
NormGradients norm_backward(PlaitNorm arguments, const at::Tensor& x, const at::Tensor& weight) {
  const at::Tensor dx = at::empty_like(x);
  at::Tensor partials;
  if (weight.defined()) {
    const std::int64_t count = cuda_library().norm_partials(&arguments);
    partials = at::empty({weight.size(0), count, weight.size(1)}, weight.options());
  }
  arguments.dx = data(dx);
  arguments.weight_partials = numbers(partials);
  enqueue(cuda_library().norm_backward, arguments, x.device());
  return {dx, partials};
}

/// That of a norm whose weight has no company.
at::Tensor weight_gradient(const NormGradients& of) { return sums_of_parts<1>({of.weight_parts})[0]; }

/// x and gate dense, gate of the result's dtype, weight fp32.
struct CudaNorm : torch::autograd::Function<CudaNorm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const std::optional<at::Tensor>& weight,
                            const std::optional<at::Tensor>& gate, double divisor, double eps, std::int64_t activation,
                            at::ScalarType type) {
    const at::Tensor w = weight.value_or(at::Tensor()), z = gate.value_or(at::Tensor());
    context->save_for_backward({x, w, z});
    context->saved_data["divisor"] = divisor;
    context->saved_data["eps"] = eps;
    context->saved_data["activation"] = activation;
    context->saved_data["type"] = static_cast<std::int64_t>(type);
    PlaitNorm arguments = norm_of(x, w, z, divisor, eps, activation, type);
    const at::Tensor y = at::empty_like(x, x.options().dtype(type));
    arguments.y = data(y);
    enqueue(cuda_library().norm_forward, arguments, x.device());
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &gate = saved[2];
    PlaitNorm arguments = norm_of(x, weight, gate, context->saved_data["divisor"].toDouble(),
                                  context->saved_data["eps"].toDouble(), context->saved_data["activation"].toInt(),
                                  static_cast<at::ScalarType>(context->saved_data["type"].toInt()));
    const at::Tensor dy = dense(gradients[0]), dgate = empty_if(gate);
    arguments.dy = data(dy);
    arguments.dgate = data(dgate);
    const NormGradients d = norm_backward(arguments, x, weight);
    return {d.dx, weight_gradient(d), dgate, {}, {}, {}, {}};
  }
};

/// x, y and weight dense, weight fp32. Gives sum, x itself without y, and normed.
struct CudaNormedSum : torch::autograd::Function<CudaNormedSum> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x, const std::optional<at::Tensor>& y,
                               const at::Tensor& weight, double eps, at::ScalarType type) {
    PlaitNorm arguments = norm_of(x, weight, {}, static_cast<double>(x.size(-1)), eps, PLAIT_NO_ACTIVATION, type);
    const at::Tensor sum = y ? at::empty_like(x) : x, normed = at::empty_like(x, x.options().dtype(type));
    if (y) {
      arguments.add = data(*y);
      arguments.sum = data(sum);
    }
    arguments.y = data(normed);
    enqueue(cuda_library().norm_forward, arguments, x.device());
    context->save_for_backward({sum, weight});
    context->saved_data["eps"] = eps;
    context->saved_data["type"] = static_cast<std::int64_t>(type);
    context->saved_data["adds"] = y.has_value();
    context->set_materialize_grads(false);
    return {sum, normed};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &sum = saved[0], &weight = saved[1];
    const auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
    PlaitNorm arguments = norm_of(sum, weight, {}, static_cast<double>(sum.size(-1)),
                                  context->saved_data["eps"].toDouble(), PLAIT_NO_ACTIVATION, type);
    const at::TensorOptions of_type = sum.options().dtype(type);
    const at::Tensor d_add = context->saved_data["adds"].toBool() ? at::empty_like(sum, of_type) : at::Tensor();
    const at::Tensor d_sum = dense(gradients[0]);
    const at::Tensor dy = gradients[1].defined() ? dense(gradients[1]) : at::zeros_like(sum, of_type);
    arguments.dy = data(dy);
    arguments.d_sum = data(d_sum);
    arguments.d_add = data(d_add);
    const NormGradients d = norm_backward(arguments, sum, weight);
    return {d.dx, d_add, weight_gradient(d), {}, {}};
  }
};

/// u dense.
struct CudaSwiGlu : torch::autograd::Function<CudaSwiGlu> {
  static PlaitSwiGlu arguments_of(const at::Tensor& u) {
    PlaitSwiGlu out{};
    out.width = u.size(-1) / 2;
    out.rows = u.numel() / u.size(-1);
    out.data_type = data_type_of(u);
    out.u = data(u);
    return out;
  }

  static at::Tensor forward(AutogradContext* context, const at::Tensor& u) {
    context->save_for_backward({u});
    std::vector<std::int64_t> sizes = u.sizes().vec();
    sizes.back() /= 2;
    const at::Tensor y = at::empty(sizes, u.options());
    PlaitSwiGlu arguments = arguments_of(u);
    arguments.y = data(y);
    enqueue(cuda_library().swiglu_forward, arguments, u.device());
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor u = context->get_saved_variables()[0];
    const at::Tensor dy = dense(gradients[0]), du = at::empty_like(u);
    PlaitSwiGlu arguments = arguments_of(u);
    arguments.dy = data(dy);
    arguments.du = data(du);
    enqueue(cuda_library().swiglu_backward, arguments, u.device());
    return {du};
  }
};

PlaitShortConv conv_of(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, std::int64_t activation) {
  PlaitShortConv out{};
  out.members = x.size(0);
  out.batch = x.size(1);
  out.tokens = x.size(2);
  out.channels = x.size(3);
  out.width = weight.size(2);
  out.data_type = data_type_of(x);
  out.activation = static_cast<PlaitActivation>(activation);
  out.x = data(x);
  out.weight = numbers(weight);
  out.bias = numbers(bias);
  return out;
}

/// x dense, weight and bias fp32.
struct CudaShortConv : torch::autograd::Function<CudaShortConv> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, std::int64_t activation) {
    const at::Tensor offset = bias.value_or(at::Tensor());
    context->save_for_backward({x, weight, offset});
    context->saved_data["activation"] = activation;
    PlaitShortConv arguments = conv_of(x, weight, offset, activation);
    const at::Tensor y = at::empty_like(x);
    arguments.y = data(y);
    enqueue(cuda_library().short_conv_forward, arguments, x.device());
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &bias = saved[2];
    PlaitShortConv arguments = conv_of(x, weight, bias, context->saved_data["activation"].toInt());
    const at::Tensor dy = dense(gradients[0]), dx = at::empty_like(x);
    const std::int64_t W = weight.size(2), count = cuda_library().short_conv_partials(&arguments);
    const at::Tensor partials = at::empty({x.size(0), count, x.size(3), W + 1}, weight.options());
    arguments.dy = data(dy);
    arguments.dx = data(dx);
    arguments.partials = numbers(partials);
    enqueue(cuda_library().short_conv_backward, arguments, x.device());
    const at::Tensor sums = sums_of_parts<1>({partials})[0];  // [M, D, W + 1]
    return {dx, sums.narrow(2, 0, W), bias.defined() ? sums.select(2, W) : at::Tensor(), {}};
  }
};

}  // namespace

bool fits_cuda_norm(const at::Tensor& x) { return fits(x) && x.size(-1) % 8 == 0 && x.size(-1) <= 1024; }

at::Tensor cuda_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& gate, double divisor, double eps,
                     GateActivation activation, at::ScalarType out) {
  const std::int64_t kind = !gate.defined()                       ? PLAIT_NO_ACTIVATION
                            : activation == GateActivation::swish ? PLAIT_SWISH
                                                                  : PLAIT_SIGMOID;
  return CudaNorm::apply(dense(x), given(weight.defined() ? dense(weight.to(at::kFloat)) : weight),
                         given(gate.defined() ? dense(gate.to(out)) : gate), divisor, eps, kind, out);
}

NormedSum cuda_normed_sum(const at::Tensor& x, const at::Tensor& y, const at::Tensor& weight, double eps,
                          at::ScalarType dtype) {
  const auto result = CudaNormedSum::apply(dense(x), given(dense(y)), dense(weight.to(at::kFloat)), eps, dtype);
  return {result[0], result[1]};
}

namespace {

PlaitNorm head_norm_of(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& gate, double eps) {
  PlaitNorm out = norm_of(x, weight, gate, static_cast<double>(x.size(-1)), eps,
                          gate.defined() ? PLAIT_SWISH : PLAIT_NO_ACTIVATION, x.scalar_type());
  if (gate.defined()) {
    out.gate_group = x.size(3);
    out.gate_stride = gate.stride(2);
  }
  return out;
}

}  // namespace

at::Tensor cuda_head_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& gate, double eps) {
  PlaitNorm arguments = head_norm_of(x, weight, gate, eps);
  const at::Tensor y = at::empty_like(x);
  arguments.y = data(y);
  enqueue(cuda_library().norm_forward, arguments, x.device());
  return y;
}

NormGradients cuda_head_norm_backward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& gate, double eps,
                                      const at::Tensor& dy, const at::Tensor& d_gate) {
  PlaitNorm arguments = head_norm_of(x, weight, gate, eps);
  arguments.dy = data(dy);
  arguments.dgate = data(d_gate);
  return norm_backward(arguments, x, weight);
}

bool fits_cuda_swiglu(const at::Tensor& u) { return fits(u) && u.size(-1) % 16 == 0; }

at::Tensor cuda_swiglu(const at::Tensor& u) { return CudaSwiGlu::apply(dense(u)); }

bool fits_cuda_short_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& history) {
  return fits(x) && weight.size(2) >= 2 && weight.size(2) <= 4 && !history.defined() && x.size(3) % 4 == 0 &&
         x.size(3) <= 2048;
}

at::Tensor cuda_short_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                           ConvActivation activation) {
  const std::int64_t kind = activation == ConvActivation::silu ? PLAIT_SWISH : PLAIT_NO_ACTIVATION;
  return CudaShortConv::apply(dense(x), dense(weight.to(at::kFloat)),
                              given(bias.defined() ? dense(bias.to(at::kFloat)) : bias), kind);
}

}  // namespace plait::kernels
