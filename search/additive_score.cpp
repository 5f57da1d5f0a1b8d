#include "search/additive_score.h"

#include <cassert>

namespace plait::search {

double AdditiveScore::evaluate(const Path& path) const {
  assert(path.size() == slots);
  std::size_t n = 0;
  if (terms.size() > 1) {
    for (const std::uint16_t c : path) n += counted[c];
  }
  const Terms& table = terms[n];
  double total = 0;
  for (std::size_t i = slots; i-- > 0;) {
    double term = table.slot[i * candidates + path[i]];
    if (i > 0 && !table.pair.empty()) term += table.pair[(i * candidates + path[i - 1]) * candidates + path[i]];
    total += term;
  }
  return total + table.base;
}

}  // namespace plait::search
