#pragma once

#include "src/proxy/tasks/definition.h"

namespace plait::proxy::tasks {

/// Zoology's generator (multiquery_ar.py). K distinct keys of 1 ... V/2 - 1 and K distinct values of V/2 ... V - 1
/// stand as k1 v1 k2 v2 ...; then (T - 2K) / 2 slots of two tokens, in K of which a key stands again, the label being
/// its value. Everything else is 0 or, with random filler, uniform over the vocabulary. The first key takes slot i with
/// probability in proportion to i^(0.01 - 1), the next ones likewise from the slots left.
struct MqarShape {
  std::int64_t vocab_size = 8192;
  bool random_filler = true;
};

Batch make_mqar(Random& random, Load load, const MqarShape& shape);
std::string mqar_problem(Load load, const MqarShape& shape);

/// Where keys are asked for again: n slots -> `slot` [S, B, K] ascending and `pair` [S, B, K], the pair asked for
/// there.
struct Queries {
  at::Tensor slot;
  at::Tensor pair;
};
Queries power_law_queries(const at::Tensor& words, std::int64_t pairs);  ///< words: [S, B, n]

/// The part after the context, [S, B, length]: `keys` [S, B, K] at twice their slots, filler elsewhere. `filler_words`
/// is [S, B, length] or, for zeros, undefined.
at::Tensor query_part(const Queries& queries, const at::Tensor& keys, std::int64_t length,
                      const at::Tensor& filler_words, std::int64_t vocab_size);

}  // namespace plait::proxy::tasks
