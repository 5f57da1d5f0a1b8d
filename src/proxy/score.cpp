#include "src/proxy/score.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <stdexcept>

namespace plait::proxy {
namespace {

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// With few seeds the spread of bounded, two-peaked scores is badly known: one pseudo-observation of the widest spread that
/// [0, 1] allows keeps a single lucky pair from claiming certainty.
double deviation_of_mean(std::span<const double> values) {
  constexpr double kWidest = 0.25;  // squared
  const double centre = mean(values);
  double squares = kWidest;
  for (const double value : values) squares += (value - centre) * (value - centre);
  const auto n = static_cast<double>(values.size());
  return std::sqrt(squares / n / n);
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
  const double plateau = 1.0 / static_cast<double>(std::max<std::int64_t>(1, run.tests.back().candidates));
  for (const CurvePoint& point : run.curve) {
    if (point.accuracy > 2 * plateau) return point.step;
  }
  return std::nullopt;
}

bool locked_in(const MemberRun& run) { return !run.tests.empty() && run.tests.back().accuracy > 0.5; }

CandidateScore score(std::span<const MemberRun> runs) {
  CandidateScore out;
  std::vector<double> values, accuracies, escapes;
  for (const MemberRun& run : runs) {
    if (!run.failure.empty()) {
      if (out.failure.empty()) out.failure = run.failure;
      continue;
    }
    if (run.tests.empty()) continue;
    values.push_back(information(run));
    accuracies.push_back(run.tests.back().accuracy);
    out.locked_in += locked_in(run);
    if (const auto step = escape_step(run)) escapes.push_back(static_cast<double>(*step));
  }
  out.seeds = values.size();
  if (values.empty()) return out;
  out.failure.clear();
  out.information = mean(values);
  out.deviation = deviation_of_mean(values);
  out.accuracy = mean(accuracies);
  out.locked_in /= static_cast<double>(values.size());
  if (2 * escapes.size() > values.size()) {
    std::ranges::sort(escapes);
    out.escape_step = escapes[values.size() / 2];  // the others never escaped
  }

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
