#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/common/head_sizes.h"
#include "kernels/common/vector_clones.h"

/// What recurrences over the tokens of a head share on a CPU: vectors of values, and where these lie in the arrays.
/// Only for sources that are compiled with -Wno-psabi.
namespace plait::kernels {

template <class Real>
struct VectorOf;
template <>
struct VectorOf<float> {
  typedef float Type __attribute__((vector_size(64)));
  typedef std::int32_t Index __attribute__((vector_size(64)));
};
template <>
struct VectorOf<double> {
  typedef double Type __attribute__((vector_size(64)));
  typedef std::int64_t Index __attribute__((vector_size(64)));
};
template <class Real>
using Vec = typename VectorOf<Real>::Type;

/// What a container may hold: of a template argument it would not see the alignment.
template <class Real>
struct alignas(64) Aligned {
  Vec<Real> vector;
};

/// The sums of the vectors, in their order.
template <class Real>
PLAIT_INLINE Vec<Real> sums_of(Vec<Real> (&parts)[kLanes<Real>]) {
  constexpr int lanes = kLanes<Real>;
#pragma GCC unroll 4
  for (int n = lanes / 2; n > 0; n /= 2) {
    typename VectorOf<Real>::Index low{}, high{};
    for (int l = 0; l < lanes; ++l) {
      low[l] = (l & n) != 0 ? lanes + l - n : l;
      high[l] = (l & n) != 0 ? lanes + l : l + n;
    }
#pragma GCC unroll 8
    for (int i = 0; i < n; ++i)
      parts[i] = __builtin_shuffle(parts[i], parts[i + n], low) + __builtin_shuffle(parts[i], parts[i + n], high);
  }
  return parts[0];
}

/// Where one block of the values of one head of one sequence lies.
template <class Real>
struct Place {
  const HeadSizes& x;
  std::int64_t row, first_value;

  std::int64_t scalar(std::int64_t t) const { return ((row / x.heads) * x.tokens + t) * x.heads + row % x.heads; }
  std::int64_t key(std::int64_t t) const { return scalar(t) * x.key_dim; }
  std::int64_t value(std::int64_t t) const { return scalar(t) * x.value_dim + first_value; }
  std::int64_t state(std::int64_t c) const { return (row * x.key_dim + c) * x.value_dim + first_value; }
  std::int64_t block() const { return std::min(kLanes<Real>, x.value_dim - first_value); }
  /// [K, lanes]
  std::int64_t checkpoint(std::int64_t t) const {
    const std::int64_t chunks = divide_up(x.tokens, kCheckpointEvery), blocks = divide_up(x.value_dim, kLanes<Real>);
    const std::int64_t index = (row * chunks + t / kCheckpointEvery) * blocks + first_value / kLanes<Real>;
    return index * x.key_dim * kLanes<Real>;
  }
};

template <class Real>
PLAIT_INLINE Vec<Real> load(const Real* from, std::int64_t count) {
  Vec<Real> out{};
  if (from != nullptr) __builtin_memcpy(&out, from, static_cast<std::size_t>(count) * sizeof(Real));
  return out;
}

template <class Real>
PLAIT_INLINE void store(Real* to, const Vec<Real>& from, std::int64_t count) {
  __builtin_memcpy(to, &from, static_cast<std::size_t>(count) * sizeof(Real));
}

template <class Real>
PLAIT_INLINE Real* numbers(Vec<Real>* vectors) {
  return reinterpret_cast<Real*>(vectors);
}

/// A checkpoint [K, lanes] as [lanes, K filled up].
template <class Real>
PLAIT_INLINE void turn(const Real* checkpoint, std::int64_t keys, std::int64_t wide, Vec<Real>* to) {
  for (std::int64_t j = 0; j < kLanes<Real>; ++j) {
    for (std::int64_t c = 0; c < keys; ++c) numbers<Real>(to + j * wide)[c] = checkpoint[c * kLanes<Real> + j];
  }
}

}  // namespace plait::kernels
