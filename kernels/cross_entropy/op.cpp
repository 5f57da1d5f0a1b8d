#include <algorithm>

#include "kernels/common/check.h"
#include "kernels/common/cuda_call.h"
#include "kernels/common/cuda_library.h"
#include "kernels/cross_entropy/cross_entropy.h"

namespace plait::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kLogitsAtOnce = std::int64_t{1} << 27;  // 256 MiB

/// x, weight and labels dense, x bf16.
struct CudaLinearCrossEntropy : torch::autograd::Function<CudaLinearCrossEntropy> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& given_weight,
                               const at::Tensor& labels, bool with_gradients) {
    const at::Tensor weight = given_weight.to(at::kBFloat16);
    const std::int64_t members = x.size(0), rows = x.size(1), classes = weight.size(1);
    const at::TensorOptions numbers_there = x.options().dtype(at::kFloat);
    const at::Tensor loss = at::empty(labels.sizes(), numbers_there);
    const at::Tensor hits = at::empty(labels.sizes(), x.options().dtype(at::kBool));
    const at::Tensor d_x = with_gradients ? at::empty_like(x) : at::Tensor();
    const at::Tensor d_weight = with_gradients ? at::empty(weight.sizes(), numbers_there) : at::Tensor();
    // Several members at once, or a part of the rows of one.
    const std::int64_t members_at_once = std::clamp<std::int64_t>(kLogitsAtOnce / (rows * classes), 1, members);
    const std::int64_t rows_at_once = std::clamp<std::int64_t>(kLogitsAtOnce / classes, 1, rows);
    for (std::int64_t m = 0; m < members; m += members_at_once) {
      const auto of_members = [&](const at::Tensor& t) {
        return t.narrow(0, m, std::min(members_at_once, members - m));
      };
      const at::Tensor w = of_members(weight);
      for (std::int64_t r = 0; r < rows; r += rows_at_once) {
        const auto part = [&](const at::Tensor& t) {
          return of_members(t).narrow(1, r, std::min(rows_at_once, rows - r));
        };
        const at::Tensor logits = at::bmm(part(x), w.transpose(1, 2));
        PlaitCrossEntropy arguments{};
        arguments.rows = part(labels).numel();
        arguments.classes = classes;
        arguments.logits = data(logits);
        arguments.labels = part(labels).const_data_ptr<std::int64_t>();
        arguments.d_loss = with_gradients ? 1.0f / static_cast<float>(rows) : 0.0f;
        arguments.loss = numbers(part(loss));
        arguments.hits = part(hits).mutable_data_ptr<bool>();
        enqueue(cuda_library().cross_entropy, arguments, x.device());
        if (!with_gradients) continue;
        at::Tensor d_x_part = part(d_x), d_weight_part = of_members(d_weight);
        at::bmm_out(d_x_part, logits, w);
        if (r == 0) {
          at::bmm_out(d_weight_part, logits.transpose(1, 2), part(x), at::kFloat);
        } else {
          at::baddbmm_out(d_weight_part, d_weight_part, logits.transpose(1, 2), part(x), at::kFloat);
        }
      }
    }
    context->save_for_backward({d_x, d_weight});
    context->saved_data["weight_type"] = static_cast<std::int64_t>(given_weight.scalar_type());
    context->mark_non_differentiable({hits});
    return {loss.mean(-1), hits};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor d_loss = gradients[0].view({-1, 1, 1});
    at::Tensor d_x = at::empty_like(saved[0]);
    at::mul_out(d_x, saved[0], d_loss);
    const auto weight_type = static_cast<at::ScalarType>(context->saved_data["weight_type"].toInt());
    return {d_x, (saved[1] * d_loss).to(weight_type), {}, {}};
  }
};

}  // namespace

CrossEntropy linear_cross_entropy(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& labels) {
  const std::int64_t classes = weight.size(1);
  if (on_kernels(x) && x.scalar_type() == at::kBFloat16 && has_kernel_type(weight) && classes % 8 == 0 &&
      classes <= PLAIT_CROSS_ENTROPY_CLASSES) {
    const bool with_gradients = at::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad());
    const auto result = CudaLinearCrossEntropy::apply(dense(x), dense(weight), labels.contiguous(), with_gradients);
    return {result[0], result[1]};
  }
  const at::Tensor logits = at::bmm(x, weight.to(x.scalar_type()).transpose(1, 2)).to(accumulation_type(x));
  const at::Tensor of_labels = at::log_softmax(logits, -1).gather(-1, labels.unsqueeze(-1)).squeeze(-1);
  return {-of_labels.mean(-1), logits.argmax(-1).eq(labels)};
}

}  // namespace plait::kernels
