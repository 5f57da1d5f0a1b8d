#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "src/proxy/tasks/definition.h"

namespace plait::proxy::tasks {
namespace {

constexpr std::int64_t kLevels = 64;
constexpr std::int64_t kOscillators = 3;
constexpr double kNoise = 0.05;

/// mu-law (ITU-T G.711's curve, mu = 255): [-1, 1] -> 0 ... 63, finer around zero.
at::Tensor quantise(const at::Tensor& x) {
  constexpr double kMu = 255;
  const at::Tensor curve = x.abs().clamp_max_(1).mul_(kMu).log1p_().div_(std::log1p(kMu)).mul_(x.sign());
  return curve.add_(1).mul_(kLevels / 2.0).floor_().to(at::kLong).clamp_(0, kLevels - 1);
}

Batch make_signal(Random& random, std::int64_t length) {
  const std::int64_t samples = length + 1, half = length / 2, motif = length / 4;
  const auto words = random.words({4 * kOscillators, 4 * samples, 2});
  // In double: a device that rounds sines otherwise moves no sample to another level in practice.
  const at::Tensor u = uniform_real(words[0]).unflatten(-1, {4, kOscillators, 1});  // [S, B, 4, oscillator, 1]
  const auto parameter = [&](std::int64_t which, double from, double to) {
    return u.select(2, which) * (to - from) + from;
  };
  const at::Tensor t = at::arange(samples, random.integers().dtype(at::kDouble));
  const at::Tensor frequency =
      parameter(1, 0.01, 0.12) + parameter(2, -1, 1) * (0.02 / static_cast<double>(length)) * t;
  const at::Tensor phase = (parameter(0, 0, 1) + frequency * t) * (2 * std::numbers::pi);
  at::Tensor x = (phase.sin_() * parameter(3, 0.1, 0.33)).sum(2);  // [S, B, samples]
  // Sum of four uniforms: near enough to normal, with variance 1/3.
  const at::Tensor noise = uniform_real(words[1]).unflatten(-1, {4, samples}).sum(2).sub_(2).mul_(std::sqrt(3.0));
  x.add_(noise, kNoise);

  const at::Tensor from = uniform_index(words[2].narrow(-1, 0, 1), half - motif + 1);
  const at::Tensor to = uniform_index(words[2].narrow(-1, 1, 1), half - motif + 1).add_(half + 1);  // [S, B, 1]
  const at::Tensor at = at::arange(samples, random.integers());
  const at::Tensor repeats = at.ge(to).logical_and_(at.lt(to + motif));
  const at::Tensor source = at::where(repeats, at - (to - from), at);
  const at::Tensor level = quantise(x).gather(-1, source);
  return {.tokens = level.narrow(-1, 0, length),
          .rows = rows_of(random, half, length - half, 1, length),
          .labels = level.narrow(-1, half + 1, length - half).flatten(1),
          .positions = {},
          .candidates = kLevels};
}

}  // namespace

/// A signal as of an inertial sensor: three oscillators whose frequency drifts, plus noise, mu-law quantised to 64
/// levels. A passage of T/4 samples of the first half is repeated, with its noise, in the second half, in which each
/// next level is to be predicted: smoothness helps everywhere, recall in the repeat. Load: 1 repeat and length.
/// Candidates: the 64 levels.
Definition signal(const TaskOptions& options) {
  using Loads = std::vector<Load>;
  const auto train = by_tier<Loads>(options.tier, {{1, 32}, {1, 64}, {1, 128}}, {{1, 64}, {1, 128}, {1, 256}},
                                    {{1, 64}, {1, 128}, {1, 256}, {1, 512}});
  const auto problem = [](Load load) -> std::string {
    if (load.pairs != 1) return fmt::format("{} repeats: there is one", load.pairs);
    if (load.length < 16 || load.length % 4 != 0)
      return fmt::format("the length {} is below 16 or no multiple of 4", load.length);
    return {};
  };
  return {.vocab_size = kLevels,
          .train_loads = train,
          .test_loads = {train.end() - 2, train.end()},
          .problem = problem,
          .make = [](Random& random, Load load) { return make_signal(random, load.length); }};
}

}  // namespace plait::proxy::tasks
