#pragma once

#include <cstdint>

/// SplitMix64 (Steele, Lea and Flood 2014): word i of a stream is a hash of key + i * kGolden.
namespace plait::kernels {

inline constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15;
inline constexpr std::uint64_t kMix1 = 0xBF58476D1CE4E5B9;
inline constexpr std::uint64_t kMix2 = 0x94D049BB133111EB;

/// The same bits: tensors have no unsigned words.
constexpr std::int64_t as_signed(std::uint64_t x) { return static_cast<std::int64_t>(x); }

}  // namespace plait::kernels
