#include "src/proxy/random.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <set>
#include <span>

#include "tests/proxy/host_batch.h"

namespace plait::proxy {
namespace {

Random stream(std::int64_t batch, std::uint64_t step = 0) {
  return {batch_keys({1, 2}, step, Split::train, at::kCPU), Split::train, batch};
}

/// SplitMix64's output function on a counter, as published.
std::uint64_t split_mix(std::uint64_t key, std::uint64_t i) {
  std::uint64_t x = key + i * 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

TEST(Random, WordsAreSplitMixWithItsSignFoldedIn) {
  Random random = stream(3);
  const std::vector<std::int64_t> words = numbers(random.words(5));
  for (std::uint64_t seed = 0; seed < 2; ++seed) {
    const std::uint64_t key = random_key(seed + 1, Split::train, 0);
    for (std::uint64_t i = 0; i < 15; ++i) {
      const std::uint64_t full = split_mix(key, i + 1);
      // The last shift is arithmetic: its 31 leading bits copy the sign, so the sign clears and the bits below it flip.
      const std::uint64_t expected = full >> 63 ? full ^ (~std::uint64_t{0} << 33) : full;
      EXPECT_EQ(static_cast<std::uint64_t>(words[seed * 15 + i]), expected);
    }
  }
}

TEST(Random, StreamsOfSeedsSplitsAndStepsDiffer) {
  std::set<std::uint64_t> keys;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (std::uint64_t step = 0; step < 20; ++step) {
      keys.insert(random_key(seed, Split::train, step));
      keys.insert(random_key(seed, Split::test, step));
    }
  }
  EXPECT_EQ(keys.size(), 800u);
}

TEST(Random, WordsAskedLaterAreNewOnes) {
  Random random = stream(2);
  std::vector<std::int64_t> words = numbers(random.words(50));
  for (const at::Tensor& more : random.words({20, 0, 30})) {
    const auto next = numbers(more);
    words.insert(words.end(), next.begin(), next.end());
  }
  EXPECT_EQ(words.size(), 400u);
  EXPECT_EQ((std::set<std::int64_t>(words.begin(), words.end()).size()), 400u);
  for (const std::int64_t word : words) EXPECT_GE(word, 0);
}

TEST(Random, IndicesAndRealsAreUniform) {
  std::vector<double> bins(13), real_bins(16);
  Random random = stream(100);
  const at::Tensor words = random.words(100);
  for (const std::int64_t i : numbers(uniform_index(words, 13))) bins.at(static_cast<std::size_t>(i)) += 1;
  const at::Tensor reals = uniform_real(words);
  EXPECT_GT(reals.min().item<double>(), 0);
  EXPECT_LT(reals.max().item<double>(), 1);
  for (const std::int64_t i : numbers((reals * 16).floor().to(at::kLong)))
    real_bins.at(static_cast<std::size_t>(i)) += 1;
  EXPECT_LT(chi_square_excess(bins), 4);
  EXPECT_LT(chi_square_excess(real_bins), 4);
}

TEST(Random, PermutationsHoldEveryNumberOnceAndAllOrdersAreAlikeOften) {
  Random random = stream(3000);
  const auto order = numbers(permutation(random.words(4)));
  std::map<std::vector<std::int64_t>, double> counts;
  for (std::size_t i = 0; i < order.size(); i += 4) counts[{order.begin() + i, order.begin() + i + 4}] += 1;
  ASSERT_EQ(counts.size(), 24u);
  std::vector<double> bins;
  for (const auto& [permutation, count] : counts) {
    EXPECT_EQ(std::set<std::int64_t>(permutation.begin(), permutation.end()), (std::set<std::int64_t>{0, 1, 2, 3}));
    bins.push_back(count);
  }
  EXPECT_LT(chi_square_excess(bins), 4);
}

TEST(Random, DistinctNumbersAreDistinctAndEachPlaceIsUniform) {
  struct Case {
    std::int64_t n, count;
  };
  for (const auto [n, count] :
       {Case{31, 16}, Case{31, 31}, Case{300, 2}, Case{512, 128}, Case{4096, 64}, Case{4095, 1024}}) {
    Random random = stream(400);
    const auto drawn = numbers(distinct(random.words(distinct_words(n, count)), n, count));
    ASSERT_EQ(drawn.size(), static_cast<std::size_t>(800 * count));
    std::vector<double> first(16), last(16);
    for (std::size_t i = 0; i < drawn.size(); i += static_cast<std::size_t>(count)) {
      const std::span<const std::int64_t> set(&drawn[i], static_cast<std::size_t>(count));
      ASSERT_EQ(std::set<std::int64_t>(set.begin(), set.end()).size(), set.size()) << n << " " << count;
      for (const std::int64_t x : set) ASSERT_TRUE(x >= 0 && x < n);
      first[static_cast<std::size_t>(set.front() * 16 / n)] += 1;
      last[static_cast<std::size_t>(set.back() * 16 / n)] += 1;
    }
    std::vector<double> probability(16);
    for (std::int64_t x = 0; x < n; ++x)
      probability[static_cast<std::size_t>(x * 16 / n)] += 1.0 / static_cast<double>(n);
    EXPECT_LT(chi_square_excess(first, probability), 4) << n << " " << count;
    EXPECT_LT(chi_square_excess(last, probability), 4) << n << " " << count;
  }
}

TEST(Random, RepeatsAmongIndependentDrawsAreLeftOutInOrder) {
  // n = 1000, m = 2 * 2 + 8 words: the first two different draws in the order they came.
  const at::Tensor words = torch::tensor({7, 1007, 2007, 5, 7, 9, 11, 13, 15, 17, 19, 21}, at::kLong);
  EXPECT_EQ(distinct_words(1000, 2), 12);
  EXPECT_EQ(numbers(distinct(words, 1000, 2)), (std::vector<std::int64_t>{7, 5}));
}

TEST(Random, MoreDistinctNumbersThanThereAreIsAnError) {
  Random random = stream(1);
  EXPECT_THROW(distinct(random.words(4), 4, 5), std::logic_error);
  EXPECT_THROW(distinct_power_law(random.words(4), 1, 5), std::logic_error);
}

TEST(Random, PowerLawDrawsFollowSuccessiveSampling) {
  constexpr std::size_t n = 10;
  for (const double power : {0.01, 1.0}) {
    Random random = stream(4000);
    const auto drawn = numbers(distinct_power_law(random.words(n), power, 2));
    std::vector<double> p(n), second(n), first_seen(n), second_seen(n);
    for (std::size_t i = 0; i < n; ++i) p[i] = std::pow(static_cast<double>(i + 1), power - 1);
    const double sum = std::reduce(p.begin(), p.end());
    for (double& x : p) x /= sum;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) second[i] += i == j ? 0 : p[j] * p[i] / (1 - p[j]);
    }
    for (std::size_t i = 0; i < drawn.size(); i += 2) {
      EXPECT_NE(drawn[i], drawn[i + 1]);
      first_seen[static_cast<std::size_t>(drawn[i])] += 1;
      second_seen[static_cast<std::size_t>(drawn[i + 1])] += 1;
    }
    EXPECT_LT(chi_square_excess(first_seen, p), 4);
    EXPECT_LT(chi_square_excess(second_seen, second), 4);
  }
}

}  // namespace
}  // namespace plait::proxy
