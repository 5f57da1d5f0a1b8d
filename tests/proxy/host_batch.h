#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "src/proxy/task.h"

/// Batches as plain numbers, for oracles that know nothing of tensors.
namespace plait::proxy {

struct Question {
  std::int64_t at = 0;  ///< in the sequence
  std::int64_t label = 0;
  std::int64_t asked = -1;  ///< Batch::positions
};

struct Sequence {
  std::vector<std::int64_t> tokens;
  std::vector<Question> questions;
};

inline std::vector<std::int64_t> numbers(const at::Tensor& tensor) {
  const at::Tensor host = tensor.contiguous().to(at::kCPU);
  const auto* data = host.const_data_ptr<std::int64_t>();
  return {data, data + host.numel()};
}

/// All S * B sequences, by seed.
inline std::vector<Sequence> sequences(const Batch& batch) {
  const std::int64_t seeds = batch.tokens.size(0), size = batch.tokens.size(1), length = batch.tokens.size(2);
  const auto tokens = numbers(batch.tokens), rows = numbers(batch.rows), labels = numbers(batch.labels);
  const auto asked = batch.positions.defined() ? numbers(batch.positions) : std::vector<std::int64_t>(rows.size(), -1);
  std::vector<Sequence> out(static_cast<std::size_t>(seeds * size));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(i) * length;
    out[i].tokens = {begin, begin + length};
  }
  const std::size_t per_seed = rows.size() / static_cast<std::size_t>(seeds);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t sequence =
        i / per_seed * static_cast<std::size_t>(size) + static_cast<std::size_t>(rows[i] / length);
    out.at(sequence).questions.push_back({rows[i] % length, labels[i], asked[i]});
  }
  return out;
}

inline std::vector<std::uint64_t> seeds(std::size_t count) {
  std::vector<std::uint64_t> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(1000 + i);
  return out;
}

/// Pearson's statistic, in units of its standard deviation above its mean: (chi2 - f) / sqrt(2 f).
inline double chi_square_excess(const std::vector<double>& observed, const std::vector<double>& probability) {
  double total = 0, chi2 = 0;
  for (const double count : observed) total += count;
  for (std::size_t i = 0; i < observed.size(); ++i) {
    const double expected = total * probability[i];
    chi2 += (observed[i] - expected) * (observed[i] - expected) / expected;
  }
  const double freedom = static_cast<double>(observed.size()) - 1;
  return (chi2 - freedom) / std::sqrt(2 * freedom);
}

inline double chi_square_excess(const std::vector<double>& observed) {
  return chi_square_excess(observed, std::vector<double>(observed.size(), 1.0 / static_cast<double>(observed.size())));
}

}  // namespace plait::proxy
