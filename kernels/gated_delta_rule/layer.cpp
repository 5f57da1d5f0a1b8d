#include "kernels/gated_delta_rule/layer.h"

#include <cmath>
#include <optional>

#include "kernels/common/check.h"
#include "kernels/common/cuda_call.h"
#include "kernels/gated_delta_rule/cuda_op.h"
#include "kernels/sequence/cuda_op.h"

namespace plait::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

bool has_kernel_dim(std::int64_t dim) { return dim == 32 || dim == 64 || dim == 128; }

/// The two parts of u's, or of its gradient's, columns.
struct Columns {
  at::Tensor gate;  ///< undefined where there is none
  at::Tensor inputs;
};
Columns columns_of(const at::Tensor& u, const DeltaShape& shape) {
  const std::int64_t inputs = shape.padded_columns(), gate = u.size(3) - inputs;
  return {gate > 0 ? u.narrow(3, 0, gate) : at::Tensor(), u.narrow(3, gate, inputs)};
}

double scale_of_keys(const DeltaShape& shape) { return 1 / std::sqrt(static_cast<double>(shape.key_dim)); }

/// All dense, parameters fp32.
struct CudaDeltaLayer : torch::autograd::Function<CudaDeltaLayer> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& u, const at::Tensor& filters,
                            at::TensorList filter_parts, const std::optional<at::Tensor>& a_log,
                            const std::optional<at::Tensor>& dt_bias, const at::Tensor& norm, const DeltaShape& shape,
                            double eps, bool differentiated) {
    const DeltaParameters parameters{filters, a_log.value_or(at::Tensor()), dt_bias.value_or(at::Tensor())};
    const Columns columns = columns_of(u, shape);
    const DeltaInputs in = delta_inputs_forward(columns.inputs, parameters, shape);
    const DeltaRuleOutput scan =
        delta_rule_forward({in.q, in.k, in.v, in.g, in.beta, {}}, scale_of_keys(shape), differentiated);
    const std::int64_t M = u.size(0), B = u.size(1), T = u.size(2);
    const at::Tensor x = scan.output.view({M, B, T, shape.value_heads, shape.value_dim});
    context->save_for_backward({u, parameters.weight, parameters.a_log, parameters.dt_bias, norm, in.q, in.k, in.v,
                                in.g, in.beta, scan.workspace, x});
    context->saved_data["shape"] = saved_shape(shape);
    context->saved_data["eps"] = eps;
    context->saved_data["rows"] = rows_of(filter_parts);
    return cuda_head_norm(x, norm, columns.gate, eps).flatten(3);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &u = saved[0], &norm = saved[4], &x = saved[11];
    const DeltaParameters parameters{saved[1], saved[2], saved[3]};
    const DeltaRuleTensors in{saved[5], saved[6], saved[7], saved[8], saved[9], {}};
    const DeltaShape shape = shape_from(context->saved_data["shape"].toDoubleVector());
    const at::Tensor d_u = at::empty_like(u);
    const Columns columns = columns_of(u, shape), d_columns = columns_of(d_u, shape);
    const NormGradients d_norm = cuda_head_norm_backward(x, norm, columns.gate, context->saved_data["eps"].toDouble(),
                                                         dense(gradients[0]), d_columns.gate);
    const DeltaRuleTensors d_in =
        delta_rule_backward(in, scale_of_keys(shape), saved[10], d_norm.dx.view(in.v.sizes()));
    const DeltaParameterParts parts = delta_inputs_backward(
        columns.inputs, parameters, shape, {.q = d_in.q, .k = d_in.k, .v = d_in.v, .g = d_in.g, .beta = d_in.beta},
        d_columns.inputs);
    const auto [d_filters, d_gates, d_norm_weight] = sums_of_parts<3>({parts.weight, parts.gates, d_norm.weight_parts});
    const auto gate = [&](std::int64_t index) { return shape.decays ? d_gates.select(1, index) : at::Tensor(); };
    variable_list out = {d_u, {}};
    for (const at::Tensor& part : parted(d_filters.unsqueeze(2), context->saved_data["rows"].toIntVector()))
      out.push_back(part);
    out.insert(out.end(), {gate(0), gate(1), d_norm_weight, {}, {}, {}});
    return out;
  }
};

}  // namespace

bool fits_delta_layer(const at::TensorOptions& options, const DeltaShape& shape) {
  return fits_delta_inputs(options, shape) && shape.heads == shape.value_heads && has_kernel_dim(shape.key_dim) &&
         has_kernel_dim(shape.value_dim) &&
         gated_delta_rule_cuda_refusal(at::empty({1, 1, 1, shape.key_dim}, options),
                                       at::empty({1, 1, 1, shape.value_dim}, options), {})
             .empty();
}

at::Tensor delta_layer(const at::Tensor& u, const JoinedWeights& filters, const at::Tensor& a_log,
                       const at::Tensor& dt_bias, const at::Tensor& norm, const DeltaShape& shape, double eps) {
  const std::int64_t inputs = shape.padded_columns(), gate = shape.value_heads * shape.value_dim;
  check_tensors("delta_layer", {{"u", u, {-1, -1, -1, u.size(3) == inputs ? inputs : gate + inputs}}});
  const auto parameter = [](const at::Tensor& x) { return dense(x.to(at::kFloat)); };
  const auto of_decay = [&](const at::Tensor& x) { return shape.decays ? given(parameter(x)) : std::nullopt; };
  return CudaDeltaLayer::apply(dense(u), filters.joined.squeeze(2), at::TensorList(filters.parts), of_decay(a_log),
                               of_decay(dt_bias), parameter(norm), shape, eps, at::GradMode::is_enabled());
}

}  // namespace plait::kernels
