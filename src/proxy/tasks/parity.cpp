#include "src/proxy/tasks/definition.h"

namespace plait::proxy::tasks {

/// Bits, and at each the parity of all so far. Load: pairs = bits = length. Candidates: 2. A guard, not a recall score:
/// tested from the longest training length (40) on, since what it asks is whether a state is tracked or the length
/// learned by heart.
Definition parity(const TaskOptions& options) {
  using Loads = std::vector<Load>;
  const auto make = [](Random& random, Load load) -> Batch {
    const at::Tensor bits = uniform_index(random.words(load.length), 2);
    return {.tokens = bits,
            .rows = rows_of(random, 0, load.length, 1, load.length),
            .labels = bits.cumsum(-1).remainder_(2).flatten(1),
            .positions = {},
            .candidates = 2};
  };
  return {
      .vocab_size = 2,
      .train_loads = {{4, 4}, {8, 8}, {16, 16}, {32, 32}, {40, 40}},
      .test_loads =
          by_tier<Loads>(options.tier, {{40, 40}, {64, 64}, {128, 128}}, {{40, 40}, {64, 64}, {128, 128}, {256, 256}},
                         {{40, 40}, {64, 64}, {128, 128}, {256, 256}}),
      .problem = [](Load load) { return load.pairs == load.length ? "" : "every token is a bit: the two are equal"; },
      .make = make};
}

}  // namespace plait::proxy::tasks
