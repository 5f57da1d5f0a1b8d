#include <algorithm>

#include "kernels/adamw/adamw.h"
#include "kernels/common/cuda_call.h"

namespace plait::kernels {

bool fits_cuda_adamw(const at::Tensor& value) { return on_kernels(value) && value.scalar_type() == at::kFloat; }

at::Tensor cuda_take_gradients(std::span<const GradientRuns> runs, std::span<const std::vector<at::Tensor>> gradients,
                               std::span<const at::Tensor> to, const at::Tensor& runs_of_member) {
  std::int64_t all = 0;
  for (const GradientRuns& of : runs) all += of.table.size(0);
  const at::Tensor squares = at::empty({all}, to[0].options());
  const at::Tensor norms = at::empty({runs_of_member.size(0)}, to[0].options());
  float* squares_there = numbers(squares);
  for (std::size_t f = 0; f < runs.size(); ++f) {
    const GradientRuns& of = runs[f];
    for (std::size_t i = 0; i < gradients[f].size(); i += PLAIT_GRADIENTS_AT_ONCE) {
      const std::size_t end = std::min<std::size_t>(i + PLAIT_GRADIENTS_AT_ONCE, gradients[f].size());
      PlaitTakeGradients arguments{};
      arguments.runs = of.first_of[end] - of.first_of[i];
      arguments.run = of.table.const_data_ptr<std::int64_t>() + 4 * of.first_of[i];
      arguments.first = static_cast<std::int64_t>(i);
      std::vector<at::Tensor> held;
      for (std::size_t j = i; j < end; ++j)
        arguments.gradients[j - i] = numbers(held.emplace_back(dense(gradients[f][j])));
      arguments.to = numbers(to[f]);
      arguments.squares = squares_there;
      enqueue(cuda_library().take_gradients, arguments, norms.device());
      squares_there += arguments.runs;
    }
  }
  PlaitMemberNorms arguments{};
  arguments.members = runs_of_member.size(0);
  arguments.most = runs_of_member.size(1);
  arguments.squares = numbers(squares);
  arguments.runs_of = runs_of_member.const_data_ptr<std::int64_t>();
  arguments.norms = numbers(norms);
  enqueue(cuda_library().member_norms, arguments, norms.device());
  return norms;
}

StepRates step_rates(const at::Tensor& loss, const at::Tensor& norm, double clip, const at::Tensor& learning_rate,
                     const at::Tensor& factor, at::Tensor& alive, at::Tensor& loss_sum) {
  if (!fits_cuda_adamw(norm)) {
    alive.logical_and_((loss + norm).isfinite());
    loss_sum.add_(loss);
    return {(clip / (norm + 1e-6)).clamp_max(1.0), learning_rate * factor};
  }
  const StepRates out{at::empty_like(norm), at::empty_like(norm)};
  const at::Tensor of_members = dense(loss);
  PlaitStepRates arguments{};
  arguments.members = norm.size(0);
  arguments.clip = static_cast<float>(clip);
  arguments.loss = numbers(of_members);
  arguments.norm = numbers(norm);
  arguments.learning_rate = numbers(learning_rate);
  arguments.factor = numbers(factor);
  arguments.alive = alive.mutable_data_ptr<bool>();
  arguments.loss_sum = numbers(loss_sum);
  arguments.scale = numbers(out.scale);
  arguments.rate = numbers(out.rate);
  enqueue(cuda_library().step_rates, arguments, norm.device());
  return out;
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
