#include "src/proxy/tasks/mqar.h"

#include <fmt/format.h>

#include "kernels/random/random.h"

namespace plait::proxy::tasks {
namespace {

constexpr double kPower = 0.01;

}  // namespace

Queries power_law_queries(const at::Tensor& words, std::int64_t pairs) {
  const at::Tensor slots = distinct_power_law(words, kPower, pairs);
  const at::Tensor packed = kernels::sorted_rows((slots * pairs).add_(at::arange(pairs, slots.options())));
  const at::Tensor slot = packed.div(pairs, "floor");
  return {slot, packed - slot * pairs};
}

at::Tensor query_part(const Queries& queries, const at::Tensor& keys, std::int64_t length,
                      const at::Tensor& filler_words, std::int64_t vocab_size) {
  const at::Tensor part = filler_words.defined() ? uniform_index(filler_words, vocab_size)
                                                 : at::zeros({keys.size(0), keys.size(1), length}, keys.options());
  return part.scatter_(-1, queries.slot * 2, keys);
}

std::string mqar_problem(Load load, const MqarShape& shape) {
  if (std::string problem = too_short(load, 4 * load.pairs); !problem.empty()) return problem;
  if (load.length % 2 != 0) return fmt::format("the length {} is odd", load.length);
  if (load.pairs > shape.vocab_size / 2 - 1) return vocabulary_too_small(load, shape.vocab_size);
  return {};
}

Batch make_mqar(Random& random, Load load, const MqarShape& shape) {
  const auto [pairs, length] = load;
  const std::int64_t rest = length - 2 * pairs;
  const std::int64_t key_count = shape.vocab_size / 2 - 1;
  const std::int64_t value_count = shape.vocab_size - shape.vocab_size / 2;
  const auto words = random.words(
      {distinct_words(key_count, pairs), distinct_words(value_count, pairs), rest / 2, shape.random_filler ? rest : 0});
  const at::Tensor keys = distinct(words[0], key_count, pairs).add(1);
  const at::Tensor values = distinct(words[1], value_count, pairs).add(shape.vocab_size / 2);
  const Queries queries = power_law_queries(words[2], pairs);
  const at::Tensor asked = query_part(queries, keys.gather(-1, queries.pair), rest,
                                      shape.random_filler ? words[3] : at::Tensor(), shape.vocab_size);
  return {.tokens = at::cat({interleave(keys, values), asked}, -1),
          .rows = rows_of(queries.slot * 2 + 2 * pairs, length),
          .labels = values.gather(-1, queries.pair).flatten(1),
          .positions = {},
          .candidates = pairs};
}

/// Load: pairs and length. Candidates: the K values of the context. Meant for models whose state is small for the load;
/// the ramp starts at one pair. `tiny` has zeros between the queries and is as long as its pairs need, but at least 32;
/// the others have random filler, without which nothing has to be forgotten.
Definition mqar(const TaskOptions& options) {
  using Counts = std::vector<std::int64_t>;
  const MqarShape shape = by_tier<MqarShape>(options.tier, {64, false}, {256, true}, {1024, true});
  const auto counts = by_tier<Counts>(options.tier, {1, 2, 4, 8, 16}, {1, 2, 4, 8, 16, 32}, {1, 2, 4, 8, 16, 32, 64});
  const std::vector<Load> train = loads(counts, by_tier(options.tier, 32, 64, 256), 4);
  return {.vocab_size = shape.vocab_size,
          .train_loads = train,
          .test_loads = {train.begin() + 1, train.end()},  // one pair asks for nothing: one value to choose from
          .problem = [shape](Load load) { return mqar_problem(load, shape); },
          .make = [shape](Random& random, Load load) { return make_mqar(random, load, shape); }};
}

}  // namespace plait::proxy::tasks
