#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "src/proxy/task.h"

/// Random numbers of batches: word i of a batch is SplitMix64 (Steele et al., OOPSLA 2014, doi 10.1145/2660193.2660195)
/// of a key made from (seed, split, step) at counter i. Integer tensor operations alone, so every device gives the same
/// words.
namespace plait::proxy {

/// The stream of one batch.
class Random {
 public:
  /// keys [S], batch_keys of the seeds.
  Random(const at::Tensor& keys, Split split, std::int64_t batch);

  std::int64_t seeds() const { return keys_.size(0); }
  std::int64_t batch() const { return batch_; }
  Split split() const { return split_; }
  at::Device device() const { return keys_.device(); }
  at::TensorOptions integers() const { return keys_.options(); }

  /// The next words: [S, B, count] int64, uniform in [0, 2^63). About 15 operations whatever the count: ask once per
  /// batch.
  at::Tensor words(std::int64_t count);
  /// The same, cut into views of the given widths.
  std::vector<at::Tensor> words(std::initializer_list<std::int64_t> widths);

 private:
  at::Tensor keys_;  ///< [S]
  Split split_;
  std::int64_t batch_;
  std::int64_t used_ = 0;  ///< words given out per seed
};

/// The key of (seed, split, step), of which batch_keys (task.h) gives one per seed.
std::uint64_t random_key(std::uint64_t seed, Split split, std::uint64_t step);

/// Words -> uniform in [0, n).
at::Tensor uniform_index(const at::Tensor& words, std::int64_t n);
/// Words -> uniform in the open interval (0, 1), double.
at::Tensor uniform_real(const at::Tensor& words);
/// Words [..., n] -> a permutation of 0 ... n - 1 along the last axis.
at::Tensor permutation(const at::Tensor& words);

/// `count` of the numbers 0 ... n - 1 in random order, without replacement: words [..., distinct_words(n, count)] ->
/// [..., count]. Throws std::logic_error for count > n.
at::Tensor distinct(const at::Tensor& words, std::int64_t n, std::int64_t count);
std::int64_t distinct_words(std::int64_t n, std::int64_t count);

/// `count` of the numbers 0 ... n - 1 in the order of successive draws without replacement, with probabilities in
/// proportion to (i + 1)^(power - 1); power 1 is uniform. Words [..., n] -> [..., count].
at::Tensor distinct_power_law(const at::Tensor& words, double power, std::int64_t count);

/// Host numbers as a tensor on the device, without waiting for it.
at::Tensor upload(const std::vector<std::int64_t>& values, at::Device device);
at::Tensor upload(const std::vector<double>& values, at::Device device);

}  // namespace plait::proxy
