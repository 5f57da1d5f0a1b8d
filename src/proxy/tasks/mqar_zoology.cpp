#include <fmt/format.h>

#include <algorithm>

#include "src/proxy/tasks/mqar.h"

namespace plait::proxy::tasks {
namespace {

constexpr std::int64_t kEpochs = 32;

/// Five segments of 100k, 20k, 20k, 20k and 20k examples, one after the other in each of 32 epochs: a curriculum inside
/// every epoch. An epoch has at least nine steps, so that every segment is visited.
Load segment(const std::vector<Load>& segments, std::int64_t step, std::int64_t steps) {
  const std::int64_t epoch = std::max<std::int64_t>(9, steps / kEpochs);
  const std::int64_t ninth = step % epoch * 9 / epoch;
  return segments[static_cast<std::size_t>(std::max<std::int64_t>(0, ninth - 4))];
}

}  // namespace

/// Zoology's published mixture (zoology/experiments/paper_configs, the Based paper's figure 2): V = 8192, random
/// filler. Load: pairs and length. Candidates: the K values of the context. Differs from Zoology in that every step has
/// fresh examples, where Zoology repeats 180k of them in 32 epochs. `full` is the published mixture (22.5k steps of
/// 256); `small` has lengths and pairs halved and V = 2048, `tiny` both quartered and V = 512.
Definition mqar_zoology(const TaskOptions& options) {
  const std::int64_t part = by_tier(options.tier, 4, 2, 1);
  const MqarShape shape{.vocab_size = by_tier(options.tier, 512, 2048, 8192), .random_filler = true};
  std::vector<Load> train = {{4, 64}, {8, 128}, {16, 256}, {32, 256}, {64, 256}};
  std::vector<Load> test = {{4, 64}, {8, 64}, {16, 64}, {32, 128}, {64, 256}, {128, 512}, {256, 1024}};
  for (std::vector<Load>* list : {&train, &test}) {
    for (Load& load : *list) load = {load.pairs / part, load.length / part};
  }
  std::erase_if(test, [](Load load) { return load.pairs < 2; });  // a single value leaves nothing to choose
  return {.vocab_size = shape.vocab_size,
          .train_loads = train,
          .test_loads = test,
          .problem =
              [shape](Load load) {
                if (load.length < shape.vocab_size) return mqar_problem(load, shape);
                return fmt::format("the length {} is not below the vocabulary of {}", load.length, shape.vocab_size);
              },
          .make = [shape](Random& random, Load load) { return make_mqar(random, load, shape); },
          .curriculum = [train](std::int64_t step, std::int64_t steps) { return segment(train, step, steps); }};
}

}  // namespace plait::proxy::tasks
