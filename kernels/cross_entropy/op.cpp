#include "kernels/common/check.h"
#include "kernels/common/cuda_call.h"
#include "kernels/common/cuda_library.h"
#include "kernels/cross_entropy/cross_entropy.h"

namespace plait::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

PlaitCrossEntropy arguments_of(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& lse) {
  PlaitCrossEntropy out{};
  out.rows = labels.numel();
  out.classes = logits.size(-1);
  out.data_type = data_type_of(logits);
  out.logits = data(logits);
  out.labels = labels.const_data_ptr<std::int64_t>();
  out.lse = numbers(lse);
  return out;
}

struct CudaCrossEntropy : torch::autograd::Function<CudaCrossEntropy> {
  static variable_list forward(AutogradContext* context, const at::Tensor& logits, const at::Tensor& labels) {
    const at::TensorOptions numbers_there = logits.options().dtype(at::kFloat);
    const at::Tensor loss = at::empty(labels.sizes(), numbers_there), lse = at::empty(labels.sizes(), numbers_there);
    const at::Tensor hits = at::empty(labels.sizes(), logits.options().dtype(at::kBool));
    PlaitCrossEntropy arguments = arguments_of(logits, labels, lse);
    arguments.loss = numbers(loss);
    arguments.hits = hits.mutable_data_ptr<bool>();
    enqueue(cuda_library().cross_entropy_forward, arguments, logits.device());
    context->save_for_backward({logits, labels, lse});
    context->mark_non_differentiable({hits});
    return {loss, hits};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor d_loss = dense(gradients[0]), d_logits = at::empty_like(saved[0]);
    PlaitCrossEntropy arguments = arguments_of(saved[0], saved[1], saved[2]);
    arguments.d_loss = numbers(d_loss);
    arguments.d_logits = data(d_logits);
    enqueue(cuda_library().cross_entropy_backward, arguments, saved[0].device());
    return {d_logits, {}};
  }
};

/// x and labels dense, x bf16; weight dense, bf16 or fp32.
struct CudaLinearCrossEntropy : torch::autograd::Function<CudaLinearCrossEntropy> {
  static PlaitLinearCrossEntropy arguments_of(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& labels,
                                              const at::Tensor& lse) {
    PlaitLinearCrossEntropy out{};
    out.members = x.size(0);
    out.rows = x.size(1);
    out.classes = weight.size(1);
    out.width = x.size(2);
    out.x = data(x);
    out.weight = data(weight);
    out.labels = labels.const_data_ptr<std::int64_t>();
    out.lse = numbers(lse);
    return out;
  }

  static variable_list forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& given_weight,
                               const at::Tensor& labels) {
    const at::Tensor weight = given_weight.to(at::kBFloat16);
    const at::TensorOptions numbers_there = x.options().dtype(at::kFloat);
    const at::Tensor loss = at::empty(labels.sizes(), numbers_there), lse = at::empty(labels.sizes(), numbers_there);
    const at::Tensor hits = at::empty(labels.sizes(), x.options().dtype(at::kBool));
    PlaitLinearCrossEntropy arguments = arguments_of(x, weight, labels, lse);
    const at::Tensor parts =
        at::empty({cuda_library().linear_cross_entropy_class_bytes(&arguments)}, x.options().dtype(at::kByte));
    arguments.loss = numbers(loss);
    arguments.hits = hits.mutable_data_ptr<bool>();
    arguments.class_parts = data(parts);
    enqueue(cuda_library().linear_cross_entropy_forward, arguments, x.device());
    context->save_for_backward({x, weight, labels, lse});
    context->saved_data["weight_type"] = static_cast<std::int64_t>(given_weight.scalar_type());
    context->mark_non_differentiable({hits});
    return {loss, hits};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1];
    const at::Tensor d_loss = dense(gradients[0]), d_x = at::empty_like(x);
    PlaitLinearCrossEntropy arguments = arguments_of(x, weight, saved[2], saved[3]);
    const at::Tensor parts = at::empty(
        {cuda_library().linear_cross_entropy_row_parts(&arguments), weight.size(0), weight.size(1), weight.size(2)},
        d_loss.options());
    arguments.d_loss = numbers(d_loss);
    arguments.d_x = data(d_x);
    arguments.d_weight_parts = numbers(parts);
    enqueue(cuda_library().linear_cross_entropy_backward, arguments, x.device());
    const at::Tensor d_weight = parts.size(0) == 1 ? parts.select(0, 0) : parts.sum(0);
    return {d_x, d_weight.to(static_cast<at::ScalarType>(context->saved_data["weight_type"].toInt())), {}};
  }
};

bool fits_cuda_linear(const at::Tensor& x, const at::Tensor& weight) {
  const std::int64_t width = x.size(2);
  return on_kernels(x) && x.scalar_type() == at::kBFloat16 && has_kernel_type(weight) && weight.size(1) % 64 == 0 &&
         (width == 32 || width == 64 || width == 128);
}

}  // namespace

CrossEntropy linear_cross_entropy(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& labels) {
  if (fits_cuda_linear(x, weight)) {
    const auto result = CudaLinearCrossEntropy::apply(dense(x), dense(weight), labels.contiguous());
    return {result[0], result[1]};
  }
  return cross_entropy(at::bmm(x, weight.to(x.scalar_type()).transpose(1, 2)), labels);
}

CrossEntropy cross_entropy(const at::Tensor& logits, const at::Tensor& labels) {
  if (on_kernels(logits) && has_kernel_type(logits) && logits.size(-1) % 8 == 0) {
    const auto result = CudaCrossEntropy::apply(dense(logits), labels.contiguous());
    return {result[0], result[1]};
  }
  const at::Tensor numbers = logits.to(accumulation_type(logits));
  return {-at::log_softmax(numbers, -1).gather(-1, labels.unsqueeze(-1)).squeeze(-1), numbers.argmax(-1).eq(labels)};
}

}  // namespace plait::kernels
