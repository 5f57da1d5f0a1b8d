#include <fmt/format.h>

#include "src/proxy/tasks/mqar.h"

namespace plait::proxy::tasks {

/// MQAR in which half of the keys, at random, are listed once more with a new value after all pairs; the last value is
/// asked for (Zoology's forgetting MQAR). Load: keys (even) and length. Candidates: all 3/2 K values of the context,
/// since a reader that binds nothing cannot see which ones are outdated. Filler as in `mqar`.
Definition overwrite(const TaskOptions& options) {
  using Counts = std::vector<std::int64_t>;
  const MqarShape shape = by_tier<MqarShape>(options.tier, {64, false}, {256, true}, {1024, true});
  const auto counts = by_tier<Counts>(options.tier, {2, 4, 8}, {2, 4, 8, 16}, {2, 4, 8, 16, 32});
  const std::vector<Load> train = loads(counts, by_tier(options.tier, 32, 64, 256), 6);

  const auto problem = [shape](Load load) -> std::string {
    if (load.pairs % 2 != 0) return fmt::format("half of {} keys cannot be reassigned: the number is odd", load.pairs);
    if (std::string why = too_short(load, 5 * load.pairs); !why.empty()) return why;
    if ((load.length - load.pairs) % 2 != 0) return fmt::format("the length {} is odd", load.length);
    if (3 * load.pairs / 2 > shape.vocab_size / 2 - 1) return vocabulary_too_small(load, shape.vocab_size);
    return {};
  };

  const auto make = [shape](Random& random, Load load) -> Batch {
    const auto [pairs, length] = load;
    const std::int64_t half = pairs / 2, rest = length - 3 * pairs;
    const std::int64_t key_count = shape.vocab_size / 2 - 1, value_count = shape.vocab_size / 2;
    const auto words = random.words({distinct_words(key_count, pairs), distinct_words(value_count, pairs + half), pairs,
                                     rest / 2, shape.random_filler ? rest : 0});
    const at::Tensor keys = distinct(words[0], key_count, pairs).add(1);
    const at::Tensor values = distinct(words[1], value_count, pairs + half).add(value_count);
    const at::Tensor first = values.narrow(-1, 0, pairs), second = values.narrow(-1, pairs, half);
    const at::Tensor reassigned = permutation(words[2]).narrow(-1, 0, half);
    const at::Tensor last = first.scatter(-1, reassigned, second);
    const Queries queries = power_law_queries(words[3], pairs);
    const at::Tensor asked = query_part(queries, keys.gather(-1, queries.pair), rest,
                                        shape.random_filler ? words[4] : at::Tensor(), shape.vocab_size);
    return {.tokens = at::cat({interleave(keys, first), interleave(keys.gather(-1, reassigned), second), asked}, -1),
            .rows = rows_of(queries.slot * 2 + 3 * pairs, length),
            .labels = last.gather(-1, queries.pair).flatten(1),
            .positions = {},
            .candidates = pairs + half};
  };

  return {.vocab_size = shape.vocab_size, .train_loads = train, .test_loads = train, .problem = problem, .make = make};
}

}  // namespace plait::proxy::tasks
