#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "src/proxy/tasks/definition.h"

namespace plait::proxy::tasks {
namespace {

struct Shape {
  std::int64_t symbols;  ///< of keys, and as many of values
  std::int64_t longest;  ///< motif
};

std::int64_t power(std::int64_t base, std::int64_t exponent) {
  return exponent == 0 ? 1 : base * power(base, exponent - 1);
}

Batch make_fuzzy(Random& random, Load load, Shape shape) {
  const std::int64_t pairs = load.pairs, asked = pairs / 2, m = shape.longest, symbols = shape.symbols;
  const std::int64_t context = load.length - 2 * m * asked, codes = power(symbols, m);
  const auto words = random.words({distinct_words(codes, pairs), pairs * m, 2 * pairs, pairs});
  const std::vector<std::int64_t> by_motif = {random.seeds(), random.batch(), pairs, m};

  // A key is the digits of a code, so that whole motifs are distinct. Token 0 is padding.
  const at::Tensor code = distinct(words[0], codes, pairs).unsqueeze(-1);
  const at::Tensor place = at::arange(m, random.integers());
  const at::Tensor keys = code.div(at::full_like(place, symbols).pow_(place), "floor").remainder_(symbols).add_(1);
  const at::Tensor values = uniform_index(words[1], symbols).add_(1 + symbols).view(by_motif);  // [S, B, pairs, m]

  // The pairs that are asked have motifs of full length; in the context they stand anywhere.
  at::Tensor lengths = uniform_index(words[2], m).add_(1).view({random.seeds(), random.batch(), pairs, 2});
  lengths.narrow(2, 0, asked).fill_(m);
  const at::Tensor order = permutation(words[3]).unsqueeze(-1);  // [S, B, pairs, 1]
  const at::Tensor motifs = at::stack({keys.expand(by_motif), values}, 3)
                                .gather(2, order.unsqueeze(-1).expand({-1, -1, -1, 2, m}))
                                .flatten(2, 3);                                                         // [S, B, 2n, m]
  const at::Tensor length = lengths.gather(2, order.expand({-1, -1, -1, 2})).flatten(2).unsqueeze(-1);  // [S, B, 2n, 1]

  // Right-aligned: a motif starts where the tokens from it to the end of the context fit. What it lacks in length goes
  // to one place beyond the end.
  const at::Tensor ends = length.cumsum(2);
  const at::Tensor starts = ends - length + (context - ends.narrow(2, 2 * pairs - 1, 1));
  const at::Tensor target = at::where(place.lt(length), starts + place, at::full({}, context, random.integers()));
  const at::Tensor tokens = at::zeros({random.seeds(), random.batch(), context + 1}, random.integers())
                                .scatter_(-1, target.flatten(2), motifs.flatten(2));

  const at::Tensor prompt =
      at::cat({keys.expand(by_motif).narrow(2, 0, asked), values.narrow(2, 0, asked)}, 3).flatten(2);
  const at::Tensor positions = (at::arange(context + m - 1, load.length, 2 * m, random.integers()).unsqueeze(1) + place)
                                   .flatten()
                                   .expand({random.seeds(), random.batch(), asked * m});
  return {.tokens = at::cat({tokens.narrow(-1, 0, context), prompt}, -1),
          .rows = rows_of(positions, load.length),
          .labels = values.narrow(2, 0, asked).flatten(1),
          .positions = {},
          .candidates = symbols};
}

}  // namespace

/// Keys and values are motifs of 1 to m tokens of two alphabets (MAD's fuzzy in-context recall). The context lists n
/// pairs, padded on the left; then half of the pairs, whose motifs are all of the longest kind, stand again, and every
/// token of their values is to be predicted from the ones before. Load: pairs n (even) and length 3 m n. Candidates:
/// the alphabet of values, whose tokens are independent and uniform.
Definition fuzzy_recall(const TaskOptions& options) {
  using Counts = std::vector<std::int64_t>;
  const Shape shape = by_tier<Shape>(options.tier, {7, 2}, {7, 3}, {15, 3});
  const std::int64_t vocab_size = 2 * shape.symbols + 2;  // MAD's sizes: 16 and 32, one symbol unused
  const auto counts = by_tier<Counts>(options.tier, {2, 4, 8, 16}, {2, 4, 8, 16}, {4, 8, 16, 28});
  const std::vector<Load> train = loads(counts, 0, 3 * shape.longest);

  const auto problem = [shape, vocab_size](Load load) -> std::string {
    if (load.pairs % 2 != 0) return fmt::format("half of {} pairs cannot be asked: the number is odd", load.pairs);
    if (std::string why = too_short(load, 3 * shape.longest * load.pairs); !why.empty()) return why;
    if (load.pairs > power(shape.symbols, shape.longest)) return vocabulary_too_small(load, vocab_size);
    return {};
  };
  return {.vocab_size = vocab_size,
          .train_loads = train,
          .test_loads = train,
          .problem = problem,
          .make = [shape](Random& random, Load load) { return make_fuzzy(random, load, shape); }};
}

}  // namespace plait::proxy::tasks
