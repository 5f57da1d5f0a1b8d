#include "kernels/gated_delta_rule/cuda_op.h"

#include <optional>

#include "kernels/common/check.h"
#include "kernels/common/cuda_call.h"
#include "kernels/common/cuda_library.h"
#include "kernels/common/kernel_heads.h"

namespace plait::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

PlaitGatedDeltaRule arguments_of(const DeltaRuleTensors& x, double scale) {
  PlaitGatedDeltaRule out{};
  out.sequences = x.k.size(0);
  out.tokens = x.k.size(1);
  out.heads = x.k.size(2);
  out.key_dim = x.k.size(3);
  out.value_dim = x.v.size(3);
  out.data_type = data_type_of(x.k);
  out.gate_type = PLAIT_FLOAT32;
  out.scale = static_cast<float>(scale);
  out.q = data(x.q);
  out.k = data(x.k);
  out.v = data(x.v);
  out.g = data(x.g);
  out.beta = data(x.beta);
  out.initial_state = numbers(x.initial_state);
  return out;
}

class CudaGatedDeltaRule : public torch::autograd::Function<CudaGatedDeltaRule> {
 public:
  /// Gives output and final state. Inputs dense; q, k and v of one dtype, the others fp32.
  static tensor_list forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const std::optional<at::Tensor>& g, const at::Tensor& beta,
                             const std::optional<at::Tensor>& initial, double scale, bool differentiated) {
    const DeltaRuleTensors x{q, k, v, g.value_or(at::Tensor()), beta, initial.value_or(at::Tensor())};
    context->set_materialize_grads(false);
    const at::Tensor state = at::empty({k.size(0), k.size(2), k.size(3), v.size(3)}, v.options().dtype(at::kFloat));
    const auto [output, workspace] = delta_rule_forward(x, scale, differentiated, state);
    context->save_for_backward({x.q, x.k, x.v, x.g, x.beta, x.initial_state, workspace});
    context->saved_data["scale"] = scale;
    return {output, state};
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const tensor_list saved = context->get_saved_variables();
    const DeltaRuleTensors x{saved[0], saved[1], saved[2], saved[3], saved[4], saved[5]};
    const at::Tensor d_output = gradients[0].defined() ? dense(gradients[0]) : at::zeros_like(x.v);
    const DeltaRuleTensors d =
        delta_rule_backward(x, context->saved_data["scale"].toDouble(), saved[6], d_output, dense(gradients[1]));
    return {d.q, d.k, d.v, d.g, d.beta, d.initial_state, {}, {}};
  }
};

}  // namespace

DeltaRuleOutput delta_rule_forward(const DeltaRuleTensors& x, double scale, bool differentiated,
                                   const at::Tensor& final_state) {
  PlaitGatedDeltaRule arguments = arguments_of(x, scale);
  DeltaRuleOutput out{.output = at::empty_like(x.v), .workspace = {}};
  if (differentiated) {
    const std::int64_t bytes = cuda_library().gated_delta_rule_workspace_bytes(&arguments);
    if (bytes > 0) out.workspace = at::empty({bytes}, x.v.options().dtype(at::kByte));
  }
  arguments.output = data(out.output);
  arguments.final_state = numbers(final_state);
  arguments.workspace = data(out.workspace);
  enqueue(cuda_library().gated_delta_rule_forward, arguments, x.v.device());
  return out;
}

DeltaRuleTensors delta_rule_backward(const DeltaRuleTensors& x, double scale, const at::Tensor& workspace,
                                     const at::Tensor& d_output, const at::Tensor& d_final_state) {
  PlaitGatedDeltaRule arguments = arguments_of(x, scale);
  const DeltaRuleTensors d{empty_if(x.q), empty_if(x.k),    empty_if(x.v),
                           empty_if(x.g), empty_if(x.beta), empty_if(x.initial_state)};
  arguments.workspace = data(workspace);
  arguments.d_output = data(d_output);
  arguments.d_final_state = numbers(d_final_state);
  arguments.d_q = data(d.q);
  arguments.d_k = data(d.k);
  arguments.d_v = data(d.v);
  arguments.d_g = data(d.g);
  arguments.d_beta = data(d.beta);
  arguments.d_initial_state = numbers(d.initial_state);
  enqueue(cuda_library().gated_delta_rule_backward, arguments, x.v.device());
  return d;
}

std::string gated_delta_rule_cuda_refusal(const at::Tensor& k, const at::Tensor& v, const at::Tensor& g) {
  if (g.defined() && g.dim() == 4) return "the gate is per key channel";
  return kernel_refusal(k, v, cuda_library().gated_delta_rule_check, PlaitGatedDeltaRule{});
}

Scan gated_delta_rule_cuda(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                           const at::Tensor& beta, const at::Tensor& initial_state, double scale) {
  const std::int64_t keys = k.size(3), values = v.size(3), wide_keys = kernel_width(keys),
                     wide_values = kernel_width(values);
  at::Tensor initial = dense_fp32(initial_state);
  if (initial.defined()) initial = filled_up(initial, wide_values, wide_keys);
  const auto result = CudaGatedDeltaRule::apply(
      dense(filled_up(q, wide_keys)), dense(filled_up(k, wide_keys)), dense(filled_up(v, wide_values)),
      given(dense_fp32(g)), dense_fp32(beta), given(dense(initial)), scale, at::GradMode::is_enabled());
  return {taken(result[0], 3, values), taken(taken(result[1], 2, keys), 3, values)};
}

}  // namespace plait::kernels
