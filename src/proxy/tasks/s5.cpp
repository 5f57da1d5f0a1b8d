#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>

#include "src/proxy/tasks/definition.h"

namespace plait::proxy::tasks {
namespace {

constexpr std::int64_t kOrder = 120;

/// Entry b * 120 + a is the number of "first a, then b", of the permutations of five in lexicographic order.
std::vector<std::int64_t> product_table() {
  using Permutation = std::array<std::size_t, 5>;
  std::vector<Permutation> all;
  Permutation p{};
  std::iota(p.begin(), p.end(), std::size_t{0});
  do {
    all.push_back(p);
  } while (std::next_permutation(p.begin(), p.end()));
  std::vector<std::int64_t> table;
  for (const Permutation& b : all) {
    for (const Permutation& a : all) {
      for (std::size_t i = 0; i < p.size(); ++i) p[i] = b[a[i]];
      table.push_back(std::ranges::lower_bound(all, p) - all.begin());
    }
  }
  return table;
}

/// The table on each device, copied when first asked for.
class ProductTable {
 public:
  at::Tensor on(at::Device device) {
    const std::lock_guard lock(mutex_);
    at::Tensor& copy = copies_[device.str()];
    if (!copy.defined()) copy = upload(product_table(), device);
    return copy;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, at::Tensor> copies_;
};

}  // namespace

/// Permutations of five, and at each the product of all so far (the word problem of S5). Load: pairs = tokens = length.
/// Candidates: 120. A guard beside recall, tested from the longest training length on.
Definition s5(const TaskOptions& options) {
  using Loads = std::vector<Load>;
  const auto make = [table = std::make_shared<ProductTable>()](Random& random, Load load) -> Batch {
    const at::Tensor products_of = table->on(random.device());
    const at::Tensor tokens = uniform_index(random.words(load.length), kOrder);
    // Inclusive scan by doubling: after a round each entry is the product of the last 2 * reach tokens.
    at::Tensor product = tokens;
    for (std::int64_t reach = 1; reach < load.length; reach *= 2) {
      const at::Tensor before = product.narrow(-1, 0, load.length - reach);
      const at::Tensor after = product.narrow(-1, reach, load.length - reach);
      product = at::cat({product.narrow(-1, 0, reach), products_of.take(after * kOrder + before)}, -1);
    }
    return {.tokens = tokens,
            .rows = rows_of(random, 0, load.length, 1, load.length),
            .labels = product.flatten(1),
            .positions = {},
            .candidates = kOrder};
  };
  return {.vocab_size = kOrder,
          .train_loads = {{2, 2}, {4, 4}, {8, 8}, {16, 16}, {32, 32}},
          .test_loads = by_tier<Loads>(options.tier, {{32, 32}, {64, 64}}, {{32, 32}, {64, 64}, {128, 128}},
                                       {{32, 32}, {64, 64}, {128, 128}}),
          .problem =
              [](Load load) { return load.pairs == load.length ? "" : "every token is a factor: the two are equal"; },
          .make = make};
}

}  // namespace plait::proxy::tasks
