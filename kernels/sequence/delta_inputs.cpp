#include "kernels/sequence/delta_inputs.h"

#include <bit>
#include <optional>

#include "kernels/common/check.h"
#include "kernels/common/cuda_call.h"
#include "kernels/common/cuda_library.h"

namespace plait::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

PlaitDeltaInputs arguments_of(const at::Tensor& u, const DeltaParameters& parameters, const DeltaShape& shape) {
  PlaitDeltaInputs out{};
  out.members = u.size(0);
  out.batch = u.size(1);
  out.tokens = u.size(2);
  out.columns = u.size(3);
  out.row_stride = u.stride(2);
  out.heads = shape.heads;
  out.value_heads = shape.value_heads;
  out.key_dim = shape.key_dim;
  out.value_dim = shape.value_dim;
  out.width = shape.conv_width;
  out.data_type = data_type_of(u);
  out.beta_scale = static_cast<float>(shape.beta_scale);
  out.u = data(u);
  out.weight = numbers(parameters.weight);
  out.a_log = numbers(parameters.a_log);
  out.dt_bias = numbers(parameters.dt_bias);
  return out;
}

/// u dense, the others dense and fp32. Gives q, k, v, beta and, where it decays, g.
struct CudaDeltaInputs : torch::autograd::Function<CudaDeltaInputs> {
  static variable_list forward(AutogradContext* context, const at::Tensor& u, const at::Tensor& weight,
                               const std::optional<at::Tensor>& a_log, const std::optional<at::Tensor>& dt_bias,
                               const DeltaShape& shape) {
    const DeltaParameters parameters{weight, a_log.value_or(at::Tensor()), dt_bias.value_or(at::Tensor())};
    const DeltaInputs out = delta_inputs_forward(u, parameters, shape);
    context->save_for_backward({u, parameters.weight, parameters.a_log, parameters.dt_bias});
    context->saved_data["shape"] = saved_shape(shape);
    variable_list given = {out.q, out.k, out.v, out.beta};
    if (shape.decays) given.push_back(out.g);
    return given;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const DeltaShape shape = shape_from(context->saved_data["shape"].toDoubleVector());
    const DeltaInputs d{.q = dense(gradients[0]),
                        .k = dense(gradients[1]),
                        .v = dense(gradients[2]),
                        .g = shape.decays ? dense(gradients[4]) : at::Tensor(),
                        .beta = dense(gradients[3])};
    const at::Tensor d_u = at::empty_like(saved[0]);
    const DeltaParameterParts parts = delta_inputs_backward(saved[0], {saved[1], saved[2], saved[3]}, shape, d, d_u);
    const auto [d_weight, d_gates] = sums_of_parts<2>({parts.weight, parts.gates});
    if (!shape.decays) return {d_u, d_weight, {}, {}, {}};
    return {d_u, d_weight, d_gates.select(1, 0), d_gates.select(1, 1), {}};
  }
};

}  // namespace

DeltaInputs delta_inputs_forward(const at::Tensor& u, const DeltaParameters& parameters, const DeltaShape& shape) {
  const std::int64_t N = u.size(0) * u.size(1), T = u.size(2);
  const at::TensorOptions numbers_there = u.options().dtype(at::kFloat);
  DeltaInputs out;
  out.q = at::empty({N, T, shape.heads, shape.key_dim}, u.options());
  out.k = at::empty_like(out.q);
  out.v = at::empty({N, T, shape.value_heads, shape.value_dim}, u.options());
  out.beta = at::empty({N, T, shape.value_heads}, numbers_there);
  if (shape.decays) out.g = at::empty_like(out.beta);
  PlaitDeltaInputs arguments = arguments_of(u, parameters, shape);
  arguments.q = data(out.q);
  arguments.k = data(out.k);
  arguments.v = data(out.v);
  arguments.g = numbers(out.g);
  arguments.beta = numbers(out.beta);
  enqueue(cuda_library().delta_inputs_forward, arguments, u.device());
  return out;
}

DeltaParameterParts delta_inputs_backward(const at::Tensor& u, const DeltaParameters& parameters,
                                          const DeltaShape& shape, const DeltaInputs& d, const at::Tensor& d_u) {
  PlaitDeltaInputs arguments = arguments_of(u, parameters, shape);
  const at::Tensor& weight = parameters.weight;
  const std::int64_t members = weight.size(0);
  DeltaParameterParts parts;
  parts.weight =
      at::empty({members, cuda_library().delta_inputs_weight_partials(&arguments), weight.size(1), weight.size(2)},
                weight.options());
  if (shape.decays) {
    parts.gates = at::empty({members, cuda_library().delta_inputs_gate_partials(&arguments), 2, shape.value_heads},
                            weight.options());
  }
  arguments.d_q = data(d.q);
  arguments.d_k = data(d.k);
  arguments.d_v = data(d.v);
  arguments.d_beta = numbers(d.beta);
  arguments.d_g = numbers(d.g);
  arguments.d_u = data(d_u);
  arguments.weight_partials = numbers(parts.weight);
  arguments.gate_partials = numbers(parts.gates);
  enqueue(cuda_library().delta_inputs_backward, arguments, u.device());
  return parts;
}

std::vector<double> saved_shape(const DeltaShape& shape) {
  const auto number = [](std::int64_t x) { return static_cast<double>(x); };
  return {number(shape.heads),      number(shape.value_heads), number(shape.key_dim), number(shape.value_dim),
          number(shape.conv_width), shape.decays ? 1.0 : 0.0,  shape.beta_scale};
}

DeltaShape shape_from(const std::vector<double>& saved) {
  const auto whole = [&](std::size_t i) { return static_cast<std::int64_t>(saved[i]); };
  return {.heads = whole(0),
          .value_heads = whole(1),
          .key_dim = whole(2),
          .value_dim = whole(3),
          .conv_width = whole(4),
          .decays = saved[5] != 0,
          .beta_scale = saved[6]};
}

bool fits_delta_inputs(const at::TensorOptions& options, const DeltaShape& shape) {
  const at::ScalarType type = c10::typeMetaToScalarType(options.dtype());
  return options.device().is_cuda() && (type == at::kFloat || type == at::kBFloat16) && shape.conv_width >= 2 &&
         shape.conv_width <= 4 && shape.key_dim >= 4 && shape.key_dim <= 128 &&
         std::has_single_bit(static_cast<std::uint64_t>(shape.key_dim)) && shape.channels() % shape.key_dim == 0 &&
         shape.channels() <= 1536 && shape.value_heads <= 128 && cuda_library().missing.empty();
}

DeltaInputs delta_inputs(const at::Tensor& u, const at::Tensor& weight, const at::Tensor& a_log,
                         const at::Tensor& dt_bias, const DeltaShape& shape) {
  check_tensors("delta_inputs", {{"u", u, {-1, -1, -1, shape.padded_columns()}}});
  const auto parameter = [](const at::Tensor& x) { return dense(x.to(at::kFloat)); };
  const auto gate = [&](const at::Tensor& x) { return shape.decays ? given(parameter(x)) : std::nullopt; };
  const auto out = CudaDeltaInputs::apply(dense(u), parameter(weight), gate(a_log), gate(dt_bias), shape);
  return {out[0], out[1], out[2], shape.decays ? out[4] : at::Tensor(), out[3]};
}

}  // namespace plait::kernels
