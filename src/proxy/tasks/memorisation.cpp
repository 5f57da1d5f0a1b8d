#include "src/proxy/tasks/definition.h"

namespace plait::proxy::tasks {
namespace {

constexpr std::uint64_t kMapSeed = 12345;  // MAD's

Batch make_memorisation(Random& random, Load load, std::int64_t most) {
  const std::int64_t asked = load.length / 2;
  const auto key = static_cast<std::int64_t>(random_key(kMapSeed, Split::train, 0));
  Random fixed(at::full({1}, key, random.integers()), Split::train, 1);
  const at::Tensor map = permutation(fixed.words(most)).flatten().add_(1 + most);  // key i + 1 -> value
  const at::Tensor keys = uniform_index(random.words(asked), load.pairs);
  return {.tokens = interleave(keys + 1, at::zeros_like(keys)),
          .rows = rows_of(random, 1, asked, 2, load.length),
          .labels = map.index({keys}).flatten(1),
          .positions = {},
          .candidates = load.pairs};
}

}  // namespace

/// `key insert key insert ...`; at every insert symbol (0) the value of the key before is due, by one map that is the
/// same in every sequence, seed and split, and is never shown (MAD's memorisation): only the weights can hold it. Load:
/// pairs = keys in use, and length. Candidates: the values of those keys, since which values are in use is soon known.
Definition memorisation(const TaskOptions& options) {
  using Counts = std::vector<std::int64_t>;
  const std::int64_t most = by_tier(options.tier, 128, 512, 4096);
  const auto counts =
      by_tier<Counts>(options.tier, {16, 32, 64, 128}, {64, 128, 256, 512}, {256, 512, 1024, 2048, 4096});
  const std::vector<Load> train = loads(counts, 32, 0);
  const auto problem = [most](Load load) -> std::string {
    if (load.pairs > most) return vocabulary_too_small(load, 2 * most + 1);
    if (load.length % 2 != 0) return "the length is odd: a key and its insert symbol are two tokens";
    return {};
  };
  return {.vocab_size = 2 * most + 1,
          .train_loads = train,
          .test_loads = train,
          .problem = problem,
          .make = [most](Random& random, Load load) { return make_memorisation(random, load, most); }};
}

}  // namespace plait::proxy::tasks
