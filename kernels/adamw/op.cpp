#include "kernels/adamw/adamw.h"
#include "kernels/common/cuda_call.h"

namespace plait::kernels {

bool fits_cuda_adamw(const at::Tensor& value) { return on_kernels(value) && value.scalar_type() == at::kFloat; }

at::Tensor cuda_member_norms(const std::vector<at::Tensor>& gradients, const at::Tensor& rows_of_member) {
  std::int64_t all = 0;
  for (const at::Tensor& gradient : gradients) all += gradient.size(0);
  const at::TensorOptions options = gradients[0].options();
  const at::Tensor squares = at::empty({all + 1}, options), norms = at::empty({rows_of_member.size(0)}, options);
  squares.narrow(0, all, 1).zero_();
  std::int64_t row = 0;
  for (const at::Tensor& gradient : gradients) {
    PlaitRowSquares arguments{};
    arguments.rows = gradient.size(0);
    arguments.width = gradient.size(1);
    arguments.x = numbers(gradient);
    arguments.squares = numbers(squares) + row;
    enqueue(cuda_library().row_squares, arguments, gradient.device());
    row += gradient.size(0);
  }
  PlaitMemberNorms arguments{};
  arguments.members = rows_of_member.size(0);
  arguments.most = rows_of_member.size(1);
  arguments.squares = numbers(squares);
  arguments.rows_of = rows_of_member.const_data_ptr<std::int64_t>();
  arguments.norms = numbers(norms);
  enqueue(cuda_library().member_norms, arguments, norms.device());
  return norms;
}

void cuda_adamw(const AdamWRows& rows, const AdamWRates& rates) {
  PlaitAdamW arguments{};
  arguments.rows = rows.value.size(0);
  arguments.width = rows.value.size(1);
  arguments.beta1 = static_cast<float>(rates.beta1);
  arguments.beta2 = static_cast<float>(rates.beta2);
  arguments.eps = static_cast<float>(rates.eps);
  arguments.gradient = numbers(rows.gradient);
  arguments.weight_decay = numbers(rows.weight_decay);
  arguments.member = rows.member.const_data_ptr<std::int64_t>();
  arguments.scale = numbers(rates.scale);
  arguments.rate = numbers(rates.rate);
  arguments.alive = rates.alive.const_data_ptr<bool>();
  arguments.corrections = numbers(rates.corrections);
  arguments.value = numbers(rows.value);
  arguments.first = numbers(rows.first);
  arguments.second = numbers(rows.second);
  enqueue(cuda_library().adamw, arguments, rows.value.device());
}

}  // namespace plait::kernels
