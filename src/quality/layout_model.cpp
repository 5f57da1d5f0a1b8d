#include "src/quality/layout_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace plait::quality {
namespace {

constexpr double kEarlyDecayLayers = 1.5;
constexpr double kPublishedShare = 1.0 / 3;    // of full layers in the densest published hybrids
constexpr std::size_t kEarliestPublished = 2;  // 0-based: the first full layer of one in three

/// Calls f(variant index, weight) for a mixer, or for each branch of a ParallelMixer with equal weights.
template <class F>
void for_each_branch(const spec::Mixer& mixer, F&& f) {
  if (const auto* parallel = std::get_if<spec::ParallelMixer>(&mixer)) {
    for (const spec::SingleMixer& branch : parallel->branches) {
      f(branch.index(), 1.0 / static_cast<double>(parallel->branches.size()));
    }
  } else {
    f(mixer.index(), 1.0);
  }
}

bool is_parallel(const spec::Mixer& mixer) { return std::holds_alternative<spec::ParallelMixer>(mixer); }

/// u_k = ceil(k L / n), 1-based.
std::size_t block_end(std::size_t k, std::size_t layers, std::size_t n) { return (k * layers + n - 1) / n; }

/// Layers between the 0-based `index` and the nearest block end.
std::size_t distance_to_block_end(std::size_t index, std::size_t layers, std::size_t n) {
  const std::size_t position = index + 1;
  const std::size_t below = position * n / layers;  // the last k with u_k <= position, 0 when there is none
  std::size_t distance = block_end(below + 1, layers, n) - position;
  if (below >= n) distance = layers;  // there is no block end above the last
  if (below > 0) distance = std::min(distance, position - block_end(below, layers, n));
  return distance;
}

/// Sums of multiples of 2^-44 below 2^9 are exact: a sum over layers does not depend on their order.
double exactly_summable(double term) { return std::ldexp(std::round(std::ldexp(term, 44)), -44); }

}  // namespace

double early_weight_of(std::size_t index) { return std::exp(-static_cast<double>(index) / kEarlyDecayLayers); }

double LayoutModel::curve(std::size_t layers, std::size_t n) const {
  const double covered = std::min(static_cast<double>(n), kPublishedShare * static_cast<double>(layers));
  return covered / (covered + half);
}

double LayoutModel::beyond_published(std::size_t layers, std::size_t n) const {
  const double most = kPublishedShare * static_cast<double>(layers);
  return std::max(0.0, (static_cast<double>(n) - most) / (static_cast<double>(layers) - most));
}

double LayoutModel::placement_term(std::size_t layers, std::size_t n, std::size_t index) const {
  const double linear_share = static_cast<double>(layers - n) / static_cast<double>(layers);
  const double distance = static_cast<double>(distance_to_block_end(index, layers, n)) / static_cast<double>(layers);
  const double early = std::max(0.0, early_weight_of(index) - early_weight_of(kEarliestPublished));
  return early_weight * early / std::sqrt(static_cast<double>(n)) +
         departure_weight * linear_share * linear_share * distance;
}

double LayoutModel::base(std::size_t layers, std::size_t n) const {
  return n == layers ? all_full : exactly_summable(intercept + slope * curve(layers, n));
}

double LayoutModel::slot(std::size_t layers, std::size_t n, std::size_t index, const spec::Mixer& mixer) const {
  if (n == layers) return 0;
  if (spec::is_full_attention(mixer)) return n == 0 ? 0 : exactly_summable(-placement_term(layers, n, index));
  const double gain = curve(layers, n);
  const double beyond = beyond_published(layers, n);
  double effect = 0;
  for_each_branch(mixer, [&](std::size_t branch, double weight) {
    const MixerEffect& m = mixers[branch];
    const double own = m.shift + m.curve * gain + (n == 0 && m.delta_rule ? delta_gain : 0.0);
    effect += weight * (own - beyond * std::max(0.0, intercept + slope * gain + own - all_full));
  });
  return exactly_summable(effect / static_cast<double>(layers - n));
}

Prediction LayoutModel::predict(const spec::Layout& layout) const {
  const std::size_t layers = layout.size();
  if (layers == 0) throw std::logic_error("a layout without layers has no quality");
  const std::size_t n = spec::count_full(layout);

  Prediction prediction;
  double placement = 0;
  bool parallel = false;
  std::array<double, kMixers> shares{};
  for (std::size_t i = 0; i < layers; ++i) {
    const spec::Mixer& mixer = layout.layers[i].mixer;
    const double term = slot(layers, n, i, mixer);
    prediction.value += term;
    parallel |= is_parallel(mixer);
    if (spec::is_full_attention(mixer)) {
      placement += term;
    } else {
      for_each_branch(mixer, [&](std::size_t branch, double weight) {
        shares[branch] += weight / static_cast<double>(layers - n);
      });
    }
  }
  prediction.value += base(layers, n);

  double variance = noise_variance + (parallel ? parallel_deviation * parallel_deviation : 0.0);
  if (n == layers) {
    variance += all_full_deviation * all_full_deviation;
  } else {
    variance += placement * placement / 4;  // the weights are hand-set: trusted to half their size
    const double beyond = beyond_published(layers, n) * all_full_deviation;
    variance += beyond * beyond;
    std::array<double, kCoefficients> row{1, curve(layers, n)};
    for (std::size_t m = 0; m < kMixers; ++m) {
      if (shares[m] == 0) continue;
      if (n == 0 && mixers[m].delta_rule) row[2] += shares[m];
      for (std::size_t j = 0; j < MixerEffect::kFitted; ++j) row[3 + j] += shares[m] * mixers[m].loads[j];
      // One mixer's unknown effect is the same in all its layers; effects of different mixers are independent.
      variance += shares[m] * shares[m] * mixers[m].deviation * mixers[m].deviation;
    }
    for (std::size_t i = 0; i < kCoefficients; ++i) {
      for (std::size_t j = 0; j < kCoefficients; ++j) variance += row[i] * covariance[i][j] * row[j];
    }
  }
  prediction.deviation = std::sqrt(variance);
  prediction.basis = basis(layout, n, placement);
  return prediction;
}

std::string LayoutModel::basis(const spec::Layout& layout, std::size_t n, double placement) const {
  const std::size_t layers = layout.size();
  std::array<bool, kMixers> present{};  // linear mixers, branches of linear ParallelMixers included
  bool latent = false;
  bool parallel_full = false;
  bool parallel_linear = false;
  for (const spec::LayerSpec& layer : layout.layers) {
    const bool full = spec::is_full_attention(layer.mixer);
    latent |= std::holds_alternative<spec::MultiHeadLatentAttention>(layer.mixer);
    parallel_full |= full && is_parallel(layer.mixer);
    parallel_linear |= !full && is_parallel(layer.mixer);
    if (!full) for_each_branch(layer.mixer, [&](std::size_t branch, double) { present[branch] = true; });
  }

  std::vector<std::string> parts;
  std::vector<std::string_view> with_cells;
  for (std::size_t m = 0; m < kMixers; ++m) {
    if (present[m] && mixers[m].assumption.empty()) with_cells.push_back(spec::mixer_table()[m].name);
  }
  if (n == layers) parts.push_back(all_full_basis);
  if (!with_cells.empty()) parts.push_back(fmt::format("published cells of {}", fmt::join(with_cells, ", ")));
  for (std::size_t m = 0; m < kMixers; ++m) {
    if (present[m] && !mixers[m].assumption.empty()) {
      parts.push_back(
          fmt::format("no published {} for {}: {}", metric, spec::mixer_table()[m].name, mixers[m].assumption));
    }
  }
  if (std::ranges::count(present, true) > 1) parts.emplace_back("no published model mixes linear mixers");
  if (latent) parts.emplace_back("latent attention counted as full attention");
  if (parallel_full)
    parts.push_back(fmt::format("no published {} of parallel layers: counted as full attention", metric));
  if (parallel_linear) parts.push_back(fmt::format("no published {} of parallel layers: mean of the branches", metric));
  if (n < layers && 3 * n > layers) parts.emplace_back("more full layers than any published hybrid");
  if (std::abs(placement) >= 0.0005) {
    parts.push_back(fmt::format("{:+.3f} for placement (hand-set weights)", placement));
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

search::AdditiveScore LayoutModel::additive(const search::SearchSpace& space) const {
  const std::size_t layers = space.size();
  search::AdditiveScore score;
  score.slots = layers;
  score.candidates = space.candidates.size();
  for (const search::Candidate& candidate : space.candidates) {
    score.counted.push_back(spec::is_full_attention(candidate.layer.mixer));
  }
  score.terms.resize(layers + 1);
  for (std::size_t n = 0; n <= layers; ++n) {
    search::AdditiveScore::Terms& terms = score.terms[n];
    terms.base = base(layers, n);
    terms.slot.reserve(layers * score.candidates);
    for (std::size_t i = 0; i < layers; ++i) {
      for (const search::Candidate& candidate : space.candidates) {
        terms.slot.push_back(slot(layers, n, i, candidate.layer.mixer));
      }
    }
  }
  return score;
}

}  // namespace plait::quality
