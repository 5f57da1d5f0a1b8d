#include <fmt/format.h>

#include <bit>

#include "src/proxy/tasks/definition.h"

namespace plait::proxy::tasks {
namespace {

constexpr std::int64_t kQueries = 8;
constexpr std::int64_t kHopSymbols = 8;  // 1, 2, 4 ... 128 steps

std::int64_t nodes_of(Load load) { return (load.length - 2 * kQueries) / 2; }

Load on_cycle(std::int64_t hops, std::int64_t nodes) { return {hops, 2 * nodes + 2 * kQueries}; }

}  // namespace

/// A random cycle over N nodes as its edges, `from to`, in random order; then 8 queries `hops node`, the label being
/// the node that many steps on (Depo of Physics of Language Models 4.1, with answers not shown). Load: pairs = hops, a
/// power of two; length = 2 N + 16. Candidates: the N - 1 other nodes.
Definition multi_hop(const TaskOptions& options) {
  using Loads = std::vector<Load>;
  const std::int64_t node_symbols = by_tier(options.tier, 24, 24, 56);
  const std::int64_t vocab_size = node_symbols + kHopSymbols;
  const auto train = by_tier<Loads>(
      options.tier, {on_cycle(1, 4), on_cycle(1, 6), on_cycle(2, 6), on_cycle(1, 8), on_cycle(2, 8)},
      {on_cycle(1, 4), on_cycle(1, 8), on_cycle(2, 8), on_cycle(1, 16), on_cycle(2, 16), on_cycle(4, 16)},
      {on_cycle(1, 8), on_cycle(2, 8), on_cycle(1, 16), on_cycle(2, 16), on_cycle(1, 24), on_cycle(2, 24),
       on_cycle(4, 24)});
  const auto test = by_tier<Loads>(options.tier, {on_cycle(1, 8), on_cycle(2, 8)},
                                   {on_cycle(1, 16), on_cycle(2, 16), on_cycle(4, 16)},
                                   {on_cycle(1, 24), on_cycle(2, 24), on_cycle(4, 24)});

  const auto problem = [node_symbols, vocab_size](Load load) -> std::string {
    const auto hops = static_cast<std::uint64_t>(load.pairs);
    if (!std::has_single_bit(hops) || hops >= (1u << kHopSymbols))
      return fmt::format("{} hops: they are a power of two up to {}", load.pairs, 1 << (kHopSymbols - 1));
    if (load.length % 2 != 0) return fmt::format("the length {} is odd", load.length);
    const std::int64_t nodes = nodes_of(load);
    if (nodes < 3) return fmt::format("the length {} is too short for a cycle and {} queries", load.length, kQueries);
    if (load.pairs % nodes == 0) return fmt::format("{} hops lead back on a cycle of {} nodes", load.pairs, nodes);
    if (nodes > node_symbols)
      return fmt::format("a vocabulary of {} is too small for a cycle of {} nodes", vocab_size, nodes);
    return {};
  };

  const auto make = [node_symbols](Random& random, Load load) -> Batch {
    const std::int64_t nodes = nodes_of(load);
    const auto words = random.words({distinct_words(node_symbols, nodes), nodes, kQueries});
    const at::Tensor cycle = distinct(words[0], node_symbols, nodes);  // node i leads to node i + 1
    const at::Tensor order = permutation(words[1]);
    const at::Tensor start = uniform_index(words[2], nodes);
    const at::Tensor hop_symbol =
        at::full_like(start, node_symbols + std::countr_zero(static_cast<std::uint64_t>(load.pairs)));
    const auto node = [&](const at::Tensor& from, std::int64_t steps) {
      return cycle.gather(-1, (from + steps).remainder_(nodes));
    };
    return {.tokens = at::cat({interleave(node(order, 0), node(order, 1)), interleave(hop_symbol, node(start, 0))}, -1),
            .rows = rows_of(random, 2 * nodes + 1, kQueries, 2, load.length),
            .labels = node(start, load.pairs).flatten(1),
            .positions = {},
            .candidates = nodes - 1};
  };

  return {.vocab_size = vocab_size, .train_loads = train, .test_loads = test, .problem = problem, .make = make};
}

}  // namespace plait::proxy::tasks
