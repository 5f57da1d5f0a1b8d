#include "src/proxy/tasks/definition.h"

#include <fmt/format.h>

#include <algorithm>

namespace plait::proxy::tasks {

std::vector<Load> loads(const std::vector<std::int64_t>& counts, std::int64_t shortest, std::int64_t per_pair) {
  std::vector<Load> out;
  for (const std::int64_t count : counts) out.push_back({count, std::max(shortest, per_pair * count)});
  return out;
}

Load growing_length(const std::vector<Load>& train_loads, std::int64_t step, std::int64_t steps) {
  const Load &first = train_loads.front(), &last = train_loads.back();
  const double grown = std::min(1.0, static_cast<double>(step) / std::max(1.0, 0.6 * static_cast<double>(steps)));
  const auto more = static_cast<std::int64_t>(grown * static_cast<double>(last.length - first.length));
  return {last.pairs, std::min(last.length, first.length + more / 8 * 8)};
}

at::Tensor interleave(const at::Tensor& a, const at::Tensor& b) { return at::stack({a, b}, -1).flatten(-2); }

at::Tensor rows_of(const at::Tensor& positions, std::int64_t length) {
  const std::int64_t batch = positions.size(1);
  const at::Tensor starts = at::arange(0, batch * length, length, positions.options());
  return (positions + starts.unsqueeze(1)).flatten(1);
}

at::Tensor rows_of(const Random& random, std::int64_t first, std::int64_t count, std::int64_t stride,
                   std::int64_t length) {
  const at::Tensor positions = at::arange(first, first + count * stride, stride, random.integers());
  return rows_of(positions.expand({random.seeds(), random.batch(), count}), length);
}

std::string too_short(Load load, std::int64_t least) {
  if (load.length >= least) return {};
  return fmt::format("the length {} is too short for {} pairs, which need {}", load.length, load.pairs, least);
}

std::string vocabulary_too_small(Load load, std::int64_t vocab_size) {
  return fmt::format("a vocabulary of {} is too small for {} pairs", vocab_size, load.pairs);
}

}  // namespace plait::proxy::tasks
