#include <fmt/format.h>

#include "src/proxy/tasks/definition.h"

namespace plait::proxy::tasks {

/// Pairs of distinct keys and values anywhere in random filler; at the end all keys stand in random order, the label of
/// each its value. A quarter of the vocabulary is keys, a quarter values, half filler. Load: 4 pairs and a length that
/// grows in training, which is the distance curriculum without which recurrent models stay at chance (arXiv
/// 2609.16183). Candidates: the values of the context. Tested within the training length: beyond it the position
/// encoding would be measured.
Definition haystack(const TaskOptions& options) {
  constexpr std::int64_t kPairs = 4;
  const std::int64_t quarter = by_tier(options.tier, 16, 32, 64);
  const std::int64_t longest = by_tier(options.tier, 64, 128, 512);
  const std::vector<Load> train = {{kPairs, 16}, {kPairs, longest}};

  const auto problem = [quarter](Load load) -> std::string {
    if (std::string why = too_short(load, 3 * load.pairs); !why.empty()) return why;
    if ((load.length - load.pairs) % 2 != 0)
      return fmt::format("{} pairs do not fit evenly into a length of {}", load.pairs, load.length);
    if (load.pairs > quarter) return vocabulary_too_small(load, 4 * quarter);
    return {};
  };

  const auto make = [quarter](Random& random, Load load) -> Batch {
    const auto [pairs, length] = load;
    const std::int64_t context = length - pairs, slots = context / 2;
    const auto words = random.words({quarter, quarter, distinct_words(slots, pairs), pairs, context});
    const at::Tensor keys = distinct(words[0], quarter, pairs);
    const at::Tensor values = distinct(words[1], quarter, pairs).add(quarter);
    const at::Tensor at = distinct(words[2], slots, pairs).mul(2);
    const at::Tensor order = permutation(words[3]);
    at::Tensor tokens = uniform_index(words[4], 2 * quarter).add_(2 * quarter);
    tokens.scatter_(-1, at::cat({at, at + 1}, -1), at::cat({keys, values}, -1));
    return {.tokens = at::cat({tokens, keys.gather(-1, order)}, -1),
            .rows = rows_of(random, context, pairs, 1, length),
            .labels = values.gather(-1, order).flatten(1),
            .positions = {},
            .candidates = pairs};
  };

  return {.vocab_size = 4 * quarter,
          .train_loads = train,
          .test_loads = {{kPairs, longest / 4}, {kPairs, longest / 2}, {kPairs, longest}},
          .problem = problem,
          .make = make,
          .curriculum = [train](std::int64_t step, std::int64_t steps) { return growing_length(train, step, steps); }};
}

}  // namespace plait::proxy::tasks
