#include "src/proxy/tasks/niah.h"

#include <fmt/format.h>

#include <algorithm>

namespace plait::proxy::tasks {
namespace {

constexpr std::int64_t kBlock = 16;  // tokens of the repeated filler

Batch make_niah(Random& random, Load load, Needle needle, std::int64_t quarter) {
  const auto [count, length] = load;
  const std::int64_t context = length - 1 - count, starts = context - 1 - count;
  const auto words = random.words({1, count, 1, needle.random_filler ? context : 0});
  const at::Tensor key = uniform_index(words[0], quarter - 1).add_(1);
  const at::Tensor value = uniform_index(words[1], quarter).add_(quarter);
  const at::Tensor mark = at::zeros_like(key);
  const at::Tensor block =
      at::arange(context, random.integers()).remainder_(std::min(kBlock, 2 * quarter)).add_(2 * quarter);
  at::Tensor tokens = needle.random_filler ? uniform_index(words[3], 4 * quarter - 1).add_(1)
                                           : block.repeat({random.seeds(), random.batch(), 1});
  const at::Tensor place = uniform_index(words[2], starts) + at::arange(2 + count, random.integers());
  tokens.scatter_(-1, place, at::cat({mark, key, value}, -1));
  return {.tokens = at::cat({tokens, mark, key, value.narrow(-1, 0, count - 1)}, -1),
          .rows = rows_of(random, context + 1, count, 1, length),
          .labels = value.flatten(1),
          .positions = {},
          .candidates = quarter};
}

}  // namespace

Definition niah(Tier tier, Needle needle) {
  const std::int64_t quarter = by_tier(tier, 16, 32, 64);
  const std::int64_t length = by_tier(tier, 64, 128, 512), count = needle.value_tokens;
  const std::vector<Load> train = {{count, 16}, {count, length}};
  const auto problem = [needle](Load load) -> std::string {
    if (load.pairs != needle.value_tokens) return fmt::format("the value has {} tokens", needle.value_tokens);
    if (load.length < 2 * load.pairs + 4) return fmt::format("the length {} is too short for a needle", load.length);
    return {};
  };
  return {.vocab_size = 4 * quarter,
          .train_loads = train,
          .test_loads = {{count, length / 4}, {count, length / 2}, {count, length}},
          .problem = problem,
          .make = [needle, quarter](Random& random, Load load) { return make_niah(random, load, needle, quarter); },
          .curriculum = [train](std::int64_t step, std::int64_t steps) { return growing_length(train, step, steps); }};
}

}  // namespace plait::proxy::tasks
