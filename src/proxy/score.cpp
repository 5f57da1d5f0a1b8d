#include "src/proxy/score.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <stdexcept>
#include <utility>

namespace plait::proxy {
namespace {

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Standard error with the posterior mean of a scaled-inverse-chi-square prior of one degree of freedom: as if one more
/// seed had shown the widest spread that [0, 1] allows. Scores are two-peaked (a seed locks in or does not), so two or
/// three that agree are no certainty: they leave .25 or .17, ten leave .05.
double deviation_of_mean(std::span<const double> values) {
  constexpr double kWidestVariance = 0.25;
  const double centre = mean(values);
  double squares = kWidestVariance;
  for (const double value : values) squares += (value - centre) * (value - centre);
  const auto n = static_cast<double>(values.size());
  return std::sqrt(squares / n / n);
}

/// What an accuracy must exceed to be more than a guess among the values of the context.
double escape_accuracy(const TestScore& test) {
  const double chance = 1.0 / static_cast<double>(std::max<std::int64_t>(1, test.candidates));
  return std::min(2 * chance, (1 + chance) / 2);
}

/// The median of `count` values of which those that are not in `values` lie above (or below) all others; none when it
/// would be one of those.
std::optional<double> median(std::vector<double> values, std::size_t count, bool missing_above) {
  if (2 * values.size() <= count) return std::nullopt;
  std::ranges::sort(values);
  const std::size_t below = missing_above ? 0 : count - values.size();
  return (values[(count - 1) / 2 - below] + values[count / 2 - below]) / 2;
}

}  // namespace

double information(const TestScore& test) {
  if (test.candidates < 2) throw std::logic_error("information needs two candidates");
  return std::clamp(1.0 - test.cross_entropy / std::log(static_cast<double>(test.candidates)), 0.0, 1.0);
}

double information(const MemberRun& run) {
  double sum = 0;
  std::size_t count = 0;
  for (const TestScore& test : run.tests) {
    if (test.candidates < 2) continue;
    sum += information(test);
    ++count;
  }
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

std::optional<std::int64_t> escape_step(const MemberRun& run) {
  if (run.tests.empty()) return std::nullopt;
  const double plateau = escape_accuracy(run.tests.back());
  for (const CurvePoint& point : run.curve) {
    if (point.accuracy > plateau) return point.step;
  }
  return std::nullopt;
}

bool locked_in(const MemberRun& run) {
  return !run.tests.empty() && run.tests.back().accuracy > std::max(0.5, escape_accuracy(run.tests.back()));
}

std::optional<double> half_load(const MemberRun& run) {
  std::optional<std::pair<double, double>> easier;  // log2 of the pairs, information
  for (const TestScore& test : run.tests) {
    if (test.candidates < 2 || test.pairs < 1) continue;
    const double at = std::log2(static_cast<double>(test.pairs));
    const double value = information(test);
    if (easier && at <= easier->first) return std::nullopt;
    if (value < 0.5) {
      if (!easier) return std::nullopt;
      const double share = (easier->second - 0.5) / (easier->second - value);
      return std::exp2(easier->first + share * (at - easier->first));
    }
    easier = {at, value};
  }
  if (!easier) return std::nullopt;
  return std::exp2(easier->first);
}

CandidateScore score(std::span<const MemberRun> runs) {
  CandidateScore out;
  std::vector<double> values, accuracies, escapes, locked, loads;
  std::size_t finished = 0;
  for (const MemberRun& run : runs) {
    if (!run.failure.empty()) {
      ++out.failed;
      if (out.failure.empty()) out.failure = run.failure;
    }
    if (run.diverged) {
      values.push_back(0);
      accuracies.push_back(0);
      continue;
    }
    if (!run.failure.empty() || run.tests.empty()) continue;
    ++finished;
    values.push_back(information(run));
    accuracies.push_back(run.tests.back().accuracy);
    if (locked_in(run)) locked.push_back(values.back());
    if (const auto step = escape_step(run)) escapes.push_back(static_cast<double>(*step));
    if (const auto load = half_load(run)) loads.push_back(*load);
  }
  if (finished > 0) out.failure.clear();
  out.seeds = values.size();
  if (values.empty()) return out;
  out.information = mean(values);
  out.deviation = deviation_of_mean(values);
  out.accuracy = mean(accuracies);
  out.locked_in = static_cast<double>(locked.size()) / static_cast<double>(values.size());
  if (!locked.empty()) out.information_if_locked_in = mean(locked);
  out.escape_step = median(escapes, values.size(), /*missing_above=*/true);
  out.half_load = median(loads, values.size(), /*missing_above=*/false);
  if (values.size() == 1) return out;

  constexpr std::size_t kResamples = 2000;
  std::mt19937_64 random(0x706c616974);  // the same runs give the same interval
  std::vector<double> means(kResamples);
  for (double& resample : means) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[random() % values.size()];
    resample = sum / static_cast<double>(values.size());
  }
  std::ranges::sort(means);
  out.low = means[kResamples / 20];
  out.high = means[kResamples - 1 - kResamples / 20];
  return out;
}

}  // namespace plait::proxy
