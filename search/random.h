#pragma once

#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <random>

/// Integer drawing that gives the same numbers with every standard library (std distributions do not).
namespace plait::search {

/// Uniform in [0, bound), bound > 0; unbiased by rejection.
inline std::uint64_t draw_below(std::mt19937_64& random, std::uint64_t bound) {
  const std::uint64_t excess = (UINT64_MAX % bound + 1) % bound;  // 2^64 mod bound
  std::uint64_t word = random();
  while (word > UINT64_MAX - excess) word = random();
  return word % bound;
}

inline boost::multiprecision::cpp_int draw_below(std::mt19937_64& random, const boost::multiprecision::cpp_int& bound) {
  const std::size_t bits = boost::multiprecision::msb(bound) + 1;
  for (;;) {
    boost::multiprecision::cpp_int value = 0;
    for (std::size_t done = 0; done < bits; done += 64) {
      const std::size_t take = std::min<std::size_t>(64, bits - done);
      value <<= take;
      value |= random() >> (64 - take);
    }
    if (value < bound) return value;
  }
}

}  // namespace plait::search
