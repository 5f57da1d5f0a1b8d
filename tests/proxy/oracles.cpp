#include "tests/proxy/oracles.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <stdexcept>

namespace plait::proxy {
namespace {

using Tokens = std::vector<std::int64_t>;

std::int64_t token(const Sequence& s, std::int64_t at) { return s.tokens.at(static_cast<std::size_t>(at)); }

/// The value after the last place where the asked key stands as a key, among the first `pairs` pairs.
std::int64_t last_value(const Sequence& s, std::int64_t key, std::int64_t pairs) {
  for (std::int64_t i = pairs - 1; i >= 0; --i) {
    if (token(s, 2 * i) == key) return token(s, 2 * i + 1);
  }
  return -1;
}

std::int64_t mqar(const Sequence& s, const Question& q, Load load, std::int64_t) {
  return last_value(s, token(s, q.at), load.pairs);
}

std::int64_t overwrite(const Sequence& s, const Question& q, Load load, std::int64_t) {
  return last_value(s, token(s, q.at), load.pairs + load.pairs / 2);
}

std::int64_t noisy_recall(const Sequence& s, const Question& q, Load load, std::int64_t) {
  return last_value(s, token(s, q.at), (load.length - load.pairs) / 2);
}

std::int64_t haystack(const Sequence& s, const Question& q, Load load, std::int64_t) {
  for (std::int64_t i = 0; i < load.length - load.pairs; ++i) {
    if (token(s, i) == token(s, q.at)) return token(s, i + 1);
  }
  return -1;
}

/// Reads runs of key tokens (1 ... V/2 - 1) and value tokens (the rest) after the padding.
std::int64_t fuzzy_recall(const Sequence& s, const Question& q, Load load, std::int64_t vocab_size) {
  const std::int64_t motif = load.length / (3 * load.pairs), context = 2 * motif * load.pairs;
  const auto is_key = [&](std::int64_t t) { return t < vocab_size / 2; };
  std::map<Tokens, Tokens> pairs;
  for (std::int64_t i = 0; i < context;) {
    Tokens key, value;
    while (i < context && token(s, i) == 0) ++i;
    while (i < context && is_key(token(s, i))) key.push_back(token(s, i++));
    while (i < context && !is_key(token(s, i))) value.push_back(token(s, i++));
    pairs[key] = value;
  }
  const std::int64_t start = context + (q.at - context) / (2 * motif) * 2 * motif;
  Tokens key;
  for (std::int64_t i = start; i < start + motif; ++i) key.push_back(token(s, i));
  return pairs.at(key).at(static_cast<std::size_t>(q.at - (start + motif - 1)));
}

std::int64_t multi_hop(const Sequence& s, const Question& q, Load load, std::int64_t vocab_size) {
  std::map<std::int64_t, std::int64_t> next;
  for (std::int64_t i = 0; i < load.length - 16; i += 2) next[token(s, i)] = token(s, i + 1);
  std::int64_t node = token(s, q.at);
  for (std::int64_t hops = std::int64_t{1} << (token(s, q.at - 1) - (vocab_size - 8)); hops > 0; --hops)
    node = next.at(node);
  return node;
}

std::int64_t selective_copy(const Sequence& s, const Question& q, Load, std::int64_t vocab_size) {
  const auto copy = std::ranges::find(s.tokens, vocab_size - 1);
  Tokens copied;
  std::copy_if(s.tokens.begin(), copy, std::back_inserter(copied), [&](std::int64_t t) { return t != vocab_size - 2; });
  return copied.at(static_cast<std::size_t>(q.at - (copy - s.tokens.begin()) - 1));
}

std::int64_t compression(const Sequence& s, const Question& q, Load, std::int64_t) { return token(s, q.asked); }

std::int64_t niah(const Sequence& s, const Question& q, Load load, std::int64_t) {
  const auto mark = std::ranges::find(s.tokens, 0);
  return mark[2 + q.at - (load.length - load.pairs)];
}

std::int64_t parity(const Sequence& s, const Question& q, Load, std::int64_t) {
  return std::accumulate(s.tokens.begin(), s.tokens.begin() + q.at + 1, std::int64_t{0}) % 2;
}

/// Applies one permutation after the other to five things.
std::int64_t s5(const Sequence& s, const Question& q, Load, std::int64_t) {
  static const std::vector<std::array<int, 5>> all = [] {
    std::vector<std::array<int, 5>> out;
    std::array<int, 5> p = {0, 1, 2, 3, 4};
    do out.push_back(p);
    while (std::next_permutation(p.begin(), p.end()));
    return out;
  }();
  std::array<int, 5> where = {0, 1, 2, 3, 4};
  for (std::int64_t i = 0; i <= q.at; ++i) {
    for (int& x : where) x = all[static_cast<std::size_t>(token(s, i))][static_cast<std::size_t>(x)];
  }
  return std::ranges::find(all, where) - all.begin();
}

}  // namespace

Oracle oracle(std::string_view task) {
  static const std::map<std::string_view, Oracle> table = {
      {"mqar", mqar},
      {"mqar_zoology", mqar},
      {"haystack", haystack},
      {"fuzzy_recall", fuzzy_recall},
      {"overwrite", overwrite},
      {"multi_hop", multi_hop},
      {"selective_copy", selective_copy},
      {"noisy_recall", noisy_recall},
      {"compression", compression},
      {"memorisation", nullptr},
      {"niah_1", niah},
      {"niah_2", niah},
      {"niah_3", niah},
      {"parity", parity},
      {"s5", s5},
      {"bytes", nullptr},
      {"signal", nullptr},
  };
  return table.at(task);
}

}  // namespace plait::proxy
