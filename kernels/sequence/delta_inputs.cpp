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

PlaitDeltaInputs arguments_of(const at::Tensor& u, const at::Tensor& weight, const at::Tensor& a_log,
                              const at::Tensor& dt_bias, const DeltaShape& shape) {
  PlaitDeltaInputs out{};
  out.members = u.size(0);
  out.batch = u.size(1);
  out.tokens = u.size(2);
  out.columns = u.size(3);
  out.heads = shape.heads;
  out.value_heads = shape.value_heads;
  out.key_dim = shape.key_dim;
  out.value_dim = shape.value_dim;
  out.width = shape.conv_width;
  out.data_type = data_type_of(u);
  out.beta_scale = static_cast<float>(shape.beta_scale);
  out.u = data(u);
  out.weight = numbers(weight);
  out.a_log = numbers(a_log);
  out.dt_bias = numbers(dt_bias);
  return out;
}

/// u dense, the others dense and fp32. Gives q, k, v, beta and, where it decays, g.
struct CudaDeltaInputs : torch::autograd::Function<CudaDeltaInputs> {
  static variable_list forward(AutogradContext* context, const at::Tensor& u, const at::Tensor& weight,
                               const std::optional<at::Tensor>& maybe_a_log,
                               const std::optional<at::Tensor>& maybe_dt_bias, const DeltaShape& shape) {
    const at::Tensor a_log = maybe_a_log.value_or(at::Tensor()), dt_bias = maybe_dt_bias.value_or(at::Tensor());
    const std::int64_t N = u.size(0) * u.size(1), T = u.size(2);
    const at::Tensor q = at::empty({N, T, shape.heads, shape.key_dim}, u.options()), k = at::empty_like(q);
    const at::Tensor v = at::empty({N, T, shape.value_heads, shape.value_dim}, u.options());
    const at::Tensor beta = at::empty({N, T, shape.value_heads}, weight.options());
    variable_list out = {q, k, v, beta};
    PlaitDeltaInputs arguments = arguments_of(u, weight, a_log, dt_bias, shape);
    arguments.q = data(q);
    arguments.k = data(k);
    arguments.v = data(v);
    arguments.beta = numbers(beta);
    if (shape.decays) arguments.g = numbers(out.emplace_back(at::empty_like(beta)));
    enqueue(cuda_library().delta_inputs_forward, arguments, u.device());
    context->save_for_backward({u, weight, a_log, dt_bias});
    context->saved_data["dims"] = std::vector<std::int64_t>{shape.heads,     shape.value_heads, shape.key_dim,
                                                            shape.value_dim, shape.conv_width,  shape.decays};
    context->saved_data["beta_scale"] = shape.beta_scale;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &u = saved[0], &weight = saved[1];
    const std::vector<std::int64_t> dims = context->saved_data["dims"].toIntVector();
    const DeltaShape shape{.heads = dims[0],
                           .value_heads = dims[1],
                           .key_dim = dims[2],
                           .value_dim = dims[3],
                           .conv_width = dims[4],
                           .decays = dims[5] != 0,
                           .beta_scale = context->saved_data["beta_scale"].toDouble()};
    PlaitDeltaInputs arguments = arguments_of(u, weight, saved[2], saved[3], shape);
    const variable_list d = {dense(gradients[0]), dense(gradients[1]), dense(gradients[2]), dense(gradients[3]),
                             shape.decays ? dense(gradients[4]) : at::Tensor()};
    const at::Tensor d_u = at::empty_like(u);
    const at::Tensor weight_partials = at::empty(
        {weight.size(0), cuda_library().delta_inputs_weight_partials(&arguments), weight.size(1), weight.size(2)},
        weight.options());
    at::Tensor gate_partials;
    if (shape.decays) {
      gate_partials =
          at::empty({weight.size(0), cuda_library().delta_inputs_gate_partials(&arguments), 2, shape.value_heads},
                    weight.options());
    }
    arguments.d_q = data(d[0]);
    arguments.d_k = data(d[1]);
    arguments.d_v = data(d[2]);
    arguments.d_beta = numbers(d[3]);
    arguments.d_g = numbers(d[4]);
    arguments.d_u = data(d_u);
    arguments.weight_partials = numbers(weight_partials);
    arguments.gate_partials = numbers(gate_partials);
    enqueue(cuda_library().delta_inputs_backward, arguments, u.device());
    at::Tensor d_a_log, d_dt_bias;
    if (shape.decays) {
      const at::Tensor sums = sum_of_parts(gate_partials);  // [M, 2, Hv]
      d_a_log = sums.select(1, 0);
      d_dt_bias = sums.select(1, 1);
    }
    return {d_u, sum_of_parts(weight_partials), d_a_log, d_dt_bias, {}};
  }
};

}  // namespace

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
