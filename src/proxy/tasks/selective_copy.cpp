#include <algorithm>

#include "src/proxy/tasks/definition.h"

namespace plait::proxy::tasks {

/// n tokens scattered among blanks (symbol V - 2), a copy symbol (V - 1), then n blanks at which the tokens are due in
/// order (Mamba, MAD). Load: pairs = n and length. Candidates: min(n, V - 2), the tokens in question; they are drawn
/// with replacement, so that a copy of any one of them is right a little more often than that.
Definition selective_copy(const TaskOptions& options) {
  using Counts = std::vector<std::int64_t>;
  const std::int64_t vocab_size = by_tier(options.tier, 16, 16, 32);
  const auto counts = by_tier<Counts>(options.tier, {1, 2, 4, 8}, {1, 2, 4, 8, 16}, {1, 2, 4, 8, 16, 32});
  const std::vector<Load> train = loads(counts, by_tier(options.tier, 64, 128, 256), 1);

  const auto make = [vocab_size](Random& random, Load load) -> Batch {
    const auto [count, length] = load;
    const std::int64_t context = length - 1 - count, symbols = vocab_size - 2;
    const auto words = random.words({distinct_words(context, count), count});
    const at::Tensor at = std::get<0>(distinct(words[0], context, count).sort(-1));
    const at::Tensor copied = uniform_index(words[1], symbols);
    at::Tensor tokens = at::full({random.seeds(), random.batch(), length}, vocab_size - 2, random.integers());
    tokens.select(-1, context).fill_(vocab_size - 1);
    return {.tokens = tokens.scatter_(-1, at, copied),
            .rows = rows_of(random, context + 1, count, 1, length),
            .labels = copied.flatten(1),
            .positions = {},
            .candidates = std::min(count, symbols)};
  };

  return {.vocab_size = vocab_size,
          .train_loads = train,
          .test_loads = {train.begin() + 1, train.end()},
          .problem = [](Load load) { return too_short(load, 2 * load.pairs + 1); },
          .make = make};
}

}  // namespace plait::proxy::tasks
