#include "src/proxy/tasks/definition.h"

namespace plait::proxy::tasks {

/// Random tokens and a closing symbol (V - 1), at which every token is asked for by its position (MAD's compression):
/// the answer is read out of one hidden state. Load: pairs = tokens n, length = n + 1. Candidates: the V - 1 symbols,
/// which are independent and uniform.
Definition compression(const TaskOptions& options) {
  using Loads = std::vector<Load>;
  constexpr std::int64_t kVocabulary = 16;
  const auto train =
      by_tier<Loads>(options.tier, {{4, 5}, {8, 9}, {16, 17}, {32, 33}}, {{8, 9}, {16, 17}, {32, 33}, {64, 65}},
                     {{16, 17}, {32, 33}, {64, 65}, {128, 129}, {256, 257}});
  const auto make = [](Random& random, Load load) -> Batch {
    const std::int64_t count = load.length - 1;
    const std::vector<std::int64_t> each = {random.seeds(), random.batch(), count};
    const at::Tensor copied = uniform_index(random.words(count), kVocabulary - 1);
    const at::Tensor last = at::full({1}, count, random.integers());
    return {.tokens = at::constant_pad_nd(copied, {0, 1}, kVocabulary - 1),
            .rows = rows_of(last.expand(each), load.length),
            .labels = copied.flatten(1),
            .positions = at::arange(count, random.integers()).expand(each).flatten(1),
            .candidates = kVocabulary - 1};
  };
  return {.vocab_size = kVocabulary,
          .train_loads = train,
          .test_loads = train,
          .problem =
              [](Load load) { return load.length == load.pairs + 1 ? "" : "the length is one more than the tokens"; },
          .make = make,
          .curriculum = {},
          .reads_positions = true};
}

}  // namespace plait::proxy::tasks
