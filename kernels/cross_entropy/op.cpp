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

}  // namespace

CrossEntropy cross_entropy(const at::Tensor& logits, const at::Tensor& labels) {
  if (logits.is_cuda() && has_kernel_type(logits) && logits.size(-1) % 8 == 0 && cuda_library().missing.empty()) {
    const auto result = CudaCrossEntropy::apply(dense(logits), labels.contiguous());
    return {result[0], result[1]};
  }
  const at::Tensor numbers = logits.to(accumulation_type(logits));
  return {-at::log_softmax(numbers, -1).gather(-1, labels.unsqueeze(-1)).squeeze(-1), numbers.argmax(-1).eq(labels)};
}

}  // namespace plait::kernels
