#pragma once

#include <cassert>
#include <cstdint>
#include <limits>
#include <string_view>

namespace plait::costmodel {

/// An exact count that is never negative. Sums and products past 2^63 - 1 stick at "too large" instead of wrapping, so
/// a formula is written plainly and checked once, where its result leaves the cost model (`exact`).
class Count {
 public:
  constexpr Count(std::int64_t value = 0) : value_(value) {
    assert(value >= 0);
  }  // NOLINT(google-explicit-constructor)

  constexpr bool too_large() const { return value_ == kTooLarge; }
  constexpr double approximate() const { return static_cast<double>(value_); }

  /// The number. Throws spec::SpecError naming `quantity` when it is too large for 64 bits.
  std::int64_t exact(std::string_view quantity) const {
    if (too_large()) throw_too_large(quantity);
    return value_;
  }

  friend constexpr Count operator+(Count a, Count b) {
    std::int64_t sum = 0;
    return __builtin_add_overflow(a.value_, b.value_, &sum) ? Count(kTooLarge) : Count(sum);
  }
  friend constexpr Count operator*(Count a, Count b) {
    std::int64_t product = 0;
    return __builtin_mul_overflow(a.value_, b.value_, &product) ? Count(kTooLarge) : Count(product);
  }
  constexpr Count half_rounded_up() const { return too_large() ? *this : Count(value_ / 2 + value_ % 2); }
  constexpr Count& operator+=(Count other) { return *this = *this + other; }

 private:
  static constexpr std::int64_t kTooLarge = std::numeric_limits<std::int64_t>::max();

  [[noreturn]] static void throw_too_large(std::string_view quantity);

  std::int64_t value_;
};

/// 1 + 2 + ... + n.
constexpr Count triangle(std::int64_t n) {
  return n % 2 == 0 ? Count(n / 2) * Count(n + 1) : Count(n) * Count(n / 2 + 1);
}

/// (query, key) pairs of causal attention over `tokens`, each token seeing itself and at most `window - 1` before it.
/// `window` 0 is no limit.
constexpr Count causal_pairs(std::int64_t tokens, std::int64_t window) {
  if (window == 0 || window >= tokens) return triangle(tokens);
  return triangle(window) + Count(tokens - window) * window;
}

}  // namespace plait::costmodel
