#include "src/proxy/random.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "kernels/random/mix.h"
#include "kernels/random/random.h"

namespace plait::proxy {
namespace {

using kernels::kGolden;

std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * kernels::kMix1;
  x = (x ^ (x >> 27)) * kernels::kMix2;
  return x ^ (x >> 31);
}

/// From here on first occurrences of independent draws are cheaper than sorting all n.
constexpr std::int64_t kLarge = 256;

bool draws_with_replacement(std::int64_t n, std::int64_t count) { return n > kLarge && n >= 4 * count; }

}  // namespace

std::uint64_t random_key(std::uint64_t seed, Split split, std::uint64_t step) {
  const std::uint64_t stream = split == Split::train ? 1 : 2;
  return mix(mix(mix(seed + kGolden) + stream * kGolden) + step * kGolden);
}

namespace {

template <class Number>
at::Tensor upload_numbers(const std::vector<Number>& values, at::Device device) {
  const at::Tensor host =
      at::empty({static_cast<std::int64_t>(values.size())},
                at::TensorOptions(at::CppTypeToScalarType<Number>::value).pinned_memory(device.is_cuda()));
  std::ranges::copy(values, host.mutable_data_ptr<Number>());
  return host.to(device, /*non_blocking=*/true);
}

}  // namespace

at::Tensor upload(const std::vector<std::int64_t>& values, at::Device device) { return upload_numbers(values, device); }
at::Tensor upload(const std::vector<double>& values, at::Device device) { return upload_numbers(values, device); }

at::Tensor batch_keys(const std::vector<std::uint64_t>& seeds, std::uint64_t step, Split split, at::Device device) {
  std::vector<std::int64_t> keys;
  for (const std::uint64_t seed : seeds) keys.push_back(kernels::as_signed(random_key(seed, split, step)));
  return upload(keys, device);
}

Random::Random(const at::Tensor& keys, Split split, std::int64_t batch) : keys_(keys), split_(split), batch_(batch) {}

at::Tensor Random::words(std::int64_t count) {
  const std::int64_t all = batch_ * count;
  const at::Tensor x = kernels::random_words(keys_, used_, all);
  used_ += all;
  return x.view({seeds(), batch_, count});
}

std::vector<at::Tensor> Random::words(std::initializer_list<std::int64_t> widths) {
  return words(std::reduce(widths.begin(), widths.end())).split_with_sizes(widths, -1);
}

at::Tensor uniform_index(const at::Tensor& words, std::int64_t n) { return words.remainder(n); }

at::Tensor uniform_real(const at::Tensor& words) {
  return words.bitwise_right_shift(11).to(at::kDouble).add_(0.5).mul_(0x1p-52);
}

at::Tensor permutation(const at::Tensor& words) { return kernels::row_order(words); }

std::int64_t distinct_words(std::int64_t n, std::int64_t count) {
  return draws_with_replacement(n, count) ? 2 * count + 8 : n;
}

at::Tensor distinct(const at::Tensor& words, std::int64_t n, std::int64_t count) {
  if (count > n) throw std::logic_error("distinct: more numbers asked than there are");
  if (!draws_with_replacement(n, count)) return permutation(words).narrow(-1, 0, count);
  // Fewer than `count` different ones among 2 count + 8 draws of n >= 4 count do not happen.
  return kernels::distinct(words, n, count);
}

at::Tensor distinct_power_law(const at::Tensor& words, double power, std::int64_t count) {
  const std::int64_t n = words.size(-1);
  if (count > n) throw std::logic_error("distinct_power_law: more numbers asked than there are");
  // Successive draws are the order of exponential clocks with these rates (Efraimidis and Spirakis 2006). In double, a
  // device that rounds log otherwise changes no order in practice.
  const at::Tensor scale = at::arange(1, n + 1, words.options().dtype(at::kDouble)).pow_(1 - power);  // 1 / rate
  return kernels::row_order(uniform_real(words).log_().neg_().mul_(scale)).narrow(-1, 0, count);
}

}  // namespace plait::proxy
