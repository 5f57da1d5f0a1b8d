#include <algorithm>
#include <numeric>

#include "kernels/common/cuda_call.h"
#include "kernels/joined_weights/joined_weights.h"

namespace plait::kernels {

bool fits_joined_weights(std::span<const at::Tensor> parts) {
  return std::ranges::all_of(parts, [](const at::Tensor& part) {
    return on_kernels(part) && part.scalar_type() == at::kFloat && part.is_contiguous();
  });
}

JoinedWeights joined_weights(std::vector<at::Tensor> parts, std::int64_t rows, at::ScalarType dtype) {
  std::vector<std::int64_t> sizes = parts[0].sizes().vec();
  sizes[1] = rows;
  const at::Tensor joined = at::zeros(sizes, parts[0].options().dtype(dtype).requires_grad(false));
  return {std::move(parts), joined};
}

void join(std::span<const JoinedWeights> weights) {
  PlaitCopyWeights arguments{};
  for (const JoinedWeights& of : weights) {
    const std::int64_t member_size = of.joined.stride(0), row_size = of.joined.stride(1);
    std::int64_t row = 0;
    for (const at::Tensor& part : of.parts) {
      arguments.of[arguments.count++] = {
          .from = numbers(part),
          .to = static_cast<char*>(data(of.joined)) + row * row_size * of.joined.element_size(),
          .count = part.numel() / part.size(0),
          .stride = member_size,
          .members = part.size(0),
          .data_type = data_type_of(of.joined)};
      row += part.size(1);
      if (arguments.count < PLAIT_WEIGHTS_AT_ONCE) continue;
      enqueue(cuda_library().copy_weights, arguments, of.joined.device());
      arguments.count = 0;
    }
  }
  if (arguments.count > 0) enqueue(cuda_library().copy_weights, arguments, weights[0].joined.device());
}

std::vector<std::int64_t> rows_of(at::TensorList parts) {
  std::vector<std::int64_t> rows;
  for (const at::Tensor& part : parts) rows.push_back(part.size(1));
  return rows;
}

std::vector<at::Tensor> parted(const at::Tensor& joined, const std::vector<std::int64_t>& rows) {
  return joined.narrow(1, 0, std::reduce(rows.begin(), rows.end())).split_with_sizes(rows, 1);
}

}  // namespace plait::kernels
