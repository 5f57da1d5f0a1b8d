#include "kernels/linear_attention/cuda_op.h"

#include <optional>

#include "kernels/common/check.h"
#include "kernels/common/kernel_heads.h"

namespace plait::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// Of q, k, v, g and the initial state.
PlaitLinearAttention arguments_of(const tensor_list& inputs, double scale) {
  const auto &q = inputs[0], &k = inputs[1], &v = inputs[2], &g = inputs[3], &initial = inputs[4];
  PlaitLinearAttention out{};
  out.sequences = k.size(0);
  out.tokens = k.size(1);
  out.heads = k.size(2);
  out.key_dim = k.size(3);
  out.value_dim = v.size(3);
  out.gate_dim = g.defined() && g.dim() == 4 ? g.size(3) : 1;
  out.data_type = data_type_of(k);
  out.gate_type = PLAIT_FLOAT32;
  out.scale = static_cast<float>(scale);
  out.q = data(q);
  out.k = data(k);
  out.v = data(v);
  out.g = data(g);
  out.initial_state = numbers(initial);
  return out;
}

struct CudaLinearAttention : torch::autograd::Function<CudaLinearAttention> {
  /// Gives output and final state. Inputs dense; q, k and v of one dtype, the others fp32.
  static tensor_list forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const std::optional<at::Tensor>& g, const std::optional<at::Tensor>& initial, double scale,
                             bool differentiated) {
    const tensor_list inputs = {q, k, v, g.value_or(at::Tensor()), initial.value_or(at::Tensor())};
    context->set_materialize_grads(false);
    PlaitLinearAttention arguments = arguments_of(inputs, scale);
    const at::Tensor output = at::empty_like(v);
    const at::Tensor state = at::empty({k.size(0), k.size(2), k.size(3), v.size(3)}, v.options().dtype(at::kFloat));
    at::Tensor workspace;
    if (differentiated) {
      const std::int64_t bytes = cuda_library().linear_attention_workspace_bytes(&arguments);
      if (bytes > 0) workspace = at::empty({bytes}, v.options().dtype(at::kByte));
    }
    arguments.output = data(output);
    arguments.final_state = numbers(state);
    arguments.workspace = data(workspace);
    enqueue(cuda_library().linear_attention_forward, arguments, v.device());
    context->save_for_backward({inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], workspace});
    context->saved_data["scale"] = scale;
    return {output, state};
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const tensor_list saved = context->get_saved_variables();
    const at::Tensor& v = saved[2];
    const at::Tensor d_output = gradients[0].defined() ? dense(gradients[0]) : at::zeros_like(v);
    const at::Tensor d_state = dense(gradients[1]);
    tensor_list out;
    for (std::size_t i = 0; i < 5; ++i)
      out.push_back(i == 3 && !context->needs_input_grad(3) ? at::Tensor() : empty_if(saved[i]));
    PlaitLinearAttention arguments = arguments_of(saved, context->saved_data["scale"].toDouble());
    arguments.workspace = data(saved[5]);
    arguments.d_output = data(d_output);
    arguments.d_final_state = numbers(d_state);
    arguments.d_q = data(out[0]);
    arguments.d_k = data(out[1]);
    arguments.d_v = data(out[2]);
    arguments.d_g = data(out[3]);
    arguments.d_initial_state = numbers(out[4]);
    enqueue(cuda_library().linear_attention_backward, arguments, v.device());
    out.resize(7);
    return out;
  }
};

}  // namespace

std::string linear_attention_cuda_refusal(const at::Tensor& k, const at::Tensor& v, const at::Tensor& g) {
  PlaitLinearAttention arguments{};
  arguments.g = data(g);
  arguments.gate_dim = g.defined() && g.dim() == 4 ? kernel_width(k.size(3)) : 1;
  return kernel_refusal(k, v, cuda_library().linear_attention_check, arguments);
}

Scan linear_attention_cuda(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                           const at::Tensor& initial_state, double scale) {
  const std::int64_t keys = k.size(3), values = v.size(3), wide_keys = kernel_width(keys),
                     wide_values = kernel_width(values);
  at::Tensor gates = dense_fp32(g), initial = dense_fp32(initial_state);
  if (gates.defined() && gates.dim() == 4) gates = dense(filled_up(gates, wide_keys));
  if (initial.defined()) initial = dense(filled_up(initial, wide_values, wide_keys));
  const auto result = CudaLinearAttention::apply(dense(filled_up(q, wide_keys)), dense(filled_up(k, wide_keys)),
                                                 dense(filled_up(v, wide_values)), given(gates), given(initial), scale,
                                                 at::GradMode::is_enabled());
  return {taken(result[0], 3, values), taken(taken(result[1], 2, keys), 3, values)};
}

}  // namespace plait::kernels
