#pragma once

#include "src/proxy/tasks/definition.h"

namespace plait::proxy::tasks {

/// A needle in a haystack (RULER), for vocabularies of tens of tokens: `mark key value` somewhere in filler, and at the
/// end `mark key`, after which the value is due token by token. Token 0 is the mark; a quarter of the vocabulary is
/// keys, a quarter values, half filler. Load: pairs = tokens of the value, and length. Candidates: the alphabet of
/// values.
struct Needle {
  std::int64_t value_tokens = 1;
  bool random_filler = true;  ///< uniform over everything but the mark; otherwise one fixed block again and again
};

Definition niah(Tier tier, Needle needle);

}  // namespace plait::proxy::tasks
