#include "kernels/common/cuda_call.h"
#include "kernels/embedding/embedding.h"

namespace plait::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor look_up(const at::Tensor& weight, const at::Tensor& tokens) {
  std::vector<std::int64_t> beside(static_cast<std::size_t>(tokens.dim()), 1);
  beside[0] = -1;
  // Where a member's rows begin when all are one table.
  const at::Tensor first = at::arange(weight.size(0), tokens.options()).mul_(weight.size(1)).view(beside);
  return at::embedding(weight.flatten(0, 1), tokens + first);
}

/// Both dense.
struct CudaEmbedding : torch::autograd::Function<CudaEmbedding> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& weight, const at::Tensor& tokens) {
    const at::Tensor short_tokens = at::empty_like(tokens, tokens.options().dtype(at::kInt));
    context->save_for_backward({short_tokens});
    context->saved_data["classes"] = weight.size(1);
    std::vector<std::int64_t> sizes = tokens.sizes().vec();
    sizes.push_back(weight.size(2));
    const at::Tensor y = at::empty(sizes, weight.options());
    PlaitEmbedding arguments{};
    arguments.members = weight.size(0);
    arguments.tokens = tokens.numel() / weight.size(0);
    arguments.classes = weight.size(1);
    arguments.width = weight.size(2);
    arguments.token = tokens.const_data_ptr<std::int64_t>();
    arguments.weight = numbers(weight);
    arguments.y = numbers(y);
    arguments.short_token = short_tokens.mutable_data_ptr<std::int32_t>();
    enqueue(cuda_library().embedding, arguments, weight.device());
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor tokens = context->get_saved_variables()[0], dy = dense(gradients[0]);
    PlaitEmbeddingGradient arguments{};
    arguments.members = tokens.size(0);
    arguments.tokens = tokens.numel() / tokens.size(0);
    arguments.classes = context->saved_data["classes"].toInt();
    arguments.width = dy.size(-1);
    const at::Tensor d_weight = at::empty({arguments.members, arguments.classes, arguments.width}, dy.options());
    arguments.token = tokens.const_data_ptr<std::int32_t>();
    arguments.dy = numbers(dy);
    arguments.d_weight = numbers(d_weight);
    enqueue(cuda_library().embedding_gradient, arguments, dy.device());
    return {d_weight, {}};
  }
};

}  // namespace

at::Tensor embedding(const at::Tensor& weight, const at::Tensor& tokens) {
  const std::int64_t width = weight.size(2);
  const bool fits = on_kernels(weight) && weight.scalar_type() == at::kFloat &&
                    tokens.numel() < (std::int64_t{1} << 30) &&
                    (width == 32 || width == 64 || width == 128 || width == 256);
  return fits ? CudaEmbedding::apply(dense(weight), tokens.contiguous()) : look_up(weight, tokens);
}

}  // namespace plait::kernels
