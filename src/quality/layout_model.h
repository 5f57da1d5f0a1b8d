#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include "search/additive_score.h"
#include "search/search_space.h"
#include "src/spec/layout.h"

namespace plait::quality {

/// A quality estimate: label it `prior`.
struct Prediction {
  double value = 0;
  double deviation = 0;  ///< standard deviation of one newly trained model: coefficients, noise and what is hand-set
  std::string basis;     ///< what it rests on, in words

  bool operator==(const Prediction&) const = default;
};

/// What one linear mixer adds to a layout in which it holds every linear layer.
struct MixerEffect {
  static constexpr std::size_t kFitted = 6;  ///< most mixers that one published table has

  double shift = 0;  ///< b
  double curve = 0;  ///< a: -slope for a mixer whose hybrids gain nothing from full layers
  bool delta_rule = false;
  double deviation = 0;                 ///< beyond that of the fitted coefficients; 0 for a mixer with cells
  std::array<double, kFitted> loads{};  ///< weights of the fitted mixer coefficients in `shift`
  std::string_view assumption;          ///< in words; empty for a mixer with cells
};

/// A quality of a whole layout in the form that exact search can handle: sums over layers whose terms may depend on L
/// and on n, the number of full layers (spec::is_full_attention). F are their 1-based positions:
///
///     n = 0      intercept + mean(b) + delta_gain (delta-rule layers / L)
///     0 < n < L  mean over the other layers of g(n), less the placement loss
///     n = L      all_full
///
///     f(n) = intercept + b + (slope + a) h,  h = n / (n + half) up to n = L/3, the densest published hybrids
///     g(n) = f(n) - max(0, (n - L/3) / (L - L/3)) max(0, f(L/3) - all_full): beyond them it falls towards all_full
///     placement loss = early_weight sum_F max(0, e(i) - e(3)) / sqrt(n) + departure_weight (1 - n/L)^2 sum_F d(i) /
///     L e(i) = e^{-(i-1)/1.5},  u_k = ceil(k L / n) the block ends, d(i) = layers to the nearest block end
///
/// Full layers at block ends, the first at layer 3 or later, are where the published cells stand: nothing is lost
/// there, and nothing is claimed to be better. A ParallelMixer with a full branch is a full layer; one without is the
/// mean of its branches. Values are not clamped to [0, 1], so that the sums stay sums. Shared keys, values and weights
/// are not seen.
struct LayoutModel {
  static constexpr std::size_t kMixers = std::variant_size_v<spec::SingleMixer>;
  static constexpr std::size_t kCoefficients = 3 + MixerEffect::kFitted;  ///< intercept, slope, delta gain, mixers

  std::string metric;  ///< in words: "recall"
  double intercept = 0;
  double slope = 0;
  double half = 1;  ///< n at which half of the slope is reached
  double delta_gain = 0;
  double early_weight = 0;
  double departure_weight = 0;
  double all_full = 0;
  double all_full_deviation = 0;
  std::string all_full_basis;
  double parallel_deviation = 0;  ///< added to any layout with a ParallelMixer
  double noise_variance = 0;
  std::array<MixerEffect, kMixers> mixers{};  ///< by variant index; unused for full attention
  std::array<std::array<double, kCoefficients>, kCoefficients> covariance{};  ///< posterior; absent coefficients are 0

  Prediction predict(const spec::Layout& layout) const;

  /// `evaluate(path)` is `predict(layout).value` for every layout of the space, to the bit: terms are multiples of
  /// 2^-44, whose sums do not depend on their order.
  search::AdditiveScore additive(const search::SearchSpace& space) const;

 private:
  double curve(std::size_t layers, std::size_t n) const;
  /// 0 up to the densest published hybrids, 1 where every layer is full.
  double beyond_published(std::size_t layers, std::size_t n) const;
  double base(std::size_t layers, std::size_t n) const;
  double slot(std::size_t layers, std::size_t n, std::size_t index, const spec::Mixer& mixer) const;
  double placement_term(std::size_t layers, std::size_t n, std::size_t index) const;
  std::string basis(const spec::Layout& layout, std::size_t n, double placement) const;
};

/// e^{-(i-1)/1.5} for the 0-based `index` = i - 1 (the early term of `QualityPrior`'s placement fit).
double early_weight_of(std::size_t index);

}  // namespace plait::quality
