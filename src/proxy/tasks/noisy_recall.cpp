#include <fmt/format.h>

#include "src/proxy/tasks/definition.h"

namespace plait::proxy::tasks {
namespace {

/// Slots of two tokens in the context, and how many of them are noise (two in five, between MAD's .2 and .8).
struct Slots {
  std::int64_t all;
  std::int64_t noise;
};
Slots slots_of(Load load) {
  const std::int64_t all = (load.length - load.pairs) / 2;
  return {all, all * 2 / 5};
}

Batch make_noisy(Random& random, Load load, std::int64_t symbols) {
  const auto [pairs, length] = load;
  const auto [slots, noisy] = slots_of(load);
  const std::int64_t told = slots - noisy;
  constexpr std::int64_t kNoise = 16;
  const auto words = random.words(
      {distinct_words(symbols, pairs), distinct_words(symbols, pairs), told - pairs, 2 * noisy, slots, pairs});
  const at::Tensor keys = distinct(words[0], symbols, pairs);
  const at::Tensor values = distinct(words[1], symbols, pairs).add(symbols);
  const at::Tensor each = at::arange(pairs, random.integers()).expand({random.seeds(), random.batch(), pairs});
  const at::Tensor pair = at::cat({each, uniform_index(words[2], pairs)}, -1);  // [S, B, told]
  const at::Tensor noise = uniform_index(words[3], kNoise).add_(2 * symbols).unflatten(-1, {noisy, 2});
  const at::Tensor content = at::cat({at::stack({keys.gather(-1, pair), values.gather(-1, pair)}, -1), noise}, 2);
  const at::Tensor context = content.gather(2, permutation(words[4]).unsqueeze(-1).expand({-1, -1, -1, 2})).flatten(2);
  const at::Tensor asked = permutation(words[5]);
  return {.tokens = at::cat({context, keys.gather(-1, asked)}, -1),
          .rows = rows_of(random, 2 * slots, pairs, 1, length),
          .labels = values.gather(-1, asked).flatten(1),
          .positions = {},
          .candidates = pairs};
}

}  // namespace

/// Pairs that are each told at least once and some again, mixed with pairs of noise symbols; at the end every key is
/// asked once (MAD's noisy in-context recall, with a fixed number of questions). Keys and values are two alphabets,
/// noise a third of 16 symbols. Load: distinct pairs and length. Candidates: the K values of the context.
Definition noisy_recall(const TaskOptions& options) {
  using Counts = std::vector<std::int64_t>;
  const std::int64_t symbols = by_tier(options.tier, 16, 32, 64);
  const auto counts = by_tier<Counts>(options.tier, {2, 4, 8}, {2, 4, 8, 16}, {2, 4, 8, 16, 32});
  const std::vector<Load> train = loads(counts, by_tier(options.tier, 64, 128, 256), 1);

  const auto problem = [symbols](Load load) -> std::string {
    const auto [slots, noise] = slots_of(load);
    if ((load.length - load.pairs) % 2 != 0)
      return fmt::format("{} pairs do not fit evenly into a length of {}", load.pairs, load.length);
    if (slots - noise < load.pairs)
      return fmt::format("the length {} is too short for {} pairs and their noise", load.length, load.pairs);
    if (load.pairs > symbols) return vocabulary_too_small(load, 2 * symbols + 16);
    return {};
  };
  return {.vocab_size = 2 * symbols + 16,
          .train_loads = train,
          .test_loads = train,
          .problem = problem,
          .make = [symbols](Random& random, Load load) { return make_noisy(random, load, symbols); }};
}

}  // namespace plait::proxy::tasks
