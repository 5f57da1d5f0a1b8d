#include "kernels/sequence/rows.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/common/vector_clones.h"

namespace plait::kernels {
namespace {

/// Terms of a gradient that are added up before they meet its sum: rounding then grows with the root of their number.
constexpr std::int64_t kTerms = 16;

/// Adds `part` to `sum` and clears it.
template <class Real>
PLAIT_INLINE void pass_on(std::vector<Real>& part, Real* sum) {
  for (std::size_t i = 0; i < part.size(); ++i) {
    sum[i] += part[i];
    part[i] = 0;
  }
}

template <class Real>
PLAIT_INLINE Real reciprocal_norm(const NormRows<Real>& n, const Real* x) {
  Real squares = 0;
#pragma omp simd reduction(+ : squares)
  for (std::int64_t c = 0; c < n.width; ++c) squares += x[c] * x[c];
  return 1 / std::sqrt(squares / n.divisor + n.eps);
}

template <class Real>
PLAIT_INLINE void norm_forward_rows(const NormRows<Real>& n, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    const Real* const x = n.x + row * n.width;
    Real* const y = n.y + row * n.width;
    const Real r = reciprocal_norm(n, x);
    const Real* const weight = n.weight != nullptr ? n.weight + row / n.rows * n.width : nullptr;
    const Real* const factor = n.factor != nullptr ? n.factor + row * n.width : nullptr;
    for (std::int64_t c = 0; c < n.width; ++c) y[c] = x[c] * r;
    if (weight != nullptr)
      for (std::int64_t c = 0; c < n.width; ++c) y[c] *= weight[c];
    if (factor != nullptr)
      for (std::int64_t c = 0; c < n.width; ++c) y[c] *= factor[c];
  }
}

/// e, the gradient of the normed row, stands in dx until the end.
template <class Real>
PLAIT_INLINE void norm_backward_rows(const NormRows<Real>& n, std::int64_t begin, std::int64_t end,
                                     std::int64_t share) {
  const Real* const weight = n.weight != nullptr ? n.weight + begin / n.rows * n.width : nullptr;
  Real* const d_weight = n.d_weight != nullptr ? n.d_weight + share * n.width : nullptr;
  std::vector<Real> part(static_cast<std::size_t>(d_weight != nullptr ? n.width : 0), Real(0));
  if (d_weight != nullptr) std::fill_n(d_weight, n.width, Real(0));
  for (std::int64_t row = begin; row < end; ++row) {
    const Real* const x = n.x + row * n.width;
    const Real* const dy = n.dy + row * n.width;
    Real* const e = n.dx + row * n.width;
    const Real r = reciprocal_norm(n, x);
    if (n.factor != nullptr) {
      const Real* const factor = n.factor + row * n.width;
      Real* const d_factor = n.d_factor + row * n.width;
      for (std::int64_t c = 0; c < n.width; ++c) {
        d_factor[c] = dy[c] * (x[c] * r) * (weight != nullptr ? weight[c] : Real(1));
        e[c] = dy[c] * factor[c];
      }
    } else {
      std::copy_n(dy, n.width, e);
    }
    if (weight != nullptr) {
      for (std::int64_t c = 0; c < n.width; ++c) {
        part[static_cast<std::size_t>(c)] += e[c] * (x[c] * r);
        e[c] *= weight[c];
      }
      if ((row - begin) % kTerms == kTerms - 1 || row + 1 == end) pass_on(part, d_weight);
    }
    Real along = 0;
#pragma omp simd reduction(+ : along)
    for (std::int64_t c = 0; c < n.width; ++c) along += e[c] * x[c];
    along *= r * r / n.divisor;
    for (std::int64_t c = 0; c < n.width; ++c) e[c] = (e[c] - x[c] * along) * r;
  }
}

template <class Real>
PLAIT_INLINE void conv_forward_sequences(const ConvRows<Real>& v, std::int64_t begin, std::int64_t end) {
  const std::int64_t D = v.channels;
  for (std::int64_t sequence = begin; sequence < end; ++sequence) {
    const std::int64_t member = sequence / v.batch;
    for (std::int64_t t = 0; t < v.tokens; ++t) {
      const Real* const x = v.x + (sequence * v.tokens + t) * D;
      Real* const y = v.y + (sequence * v.tokens + t) * D;
      if (v.bias != nullptr) {
        std::copy_n(v.bias + member * D, D, y);
      } else {
        std::fill_n(y, D, Real(0));
      }
      for (std::int64_t s = 0; s < std::min(v.width, t + 1); ++s) {
        const Real* const tap = v.taps + (member * v.width + s) * D;
        for (std::int64_t c = 0; c < D; ++c) y[c] += tap[c] * x[c - s * D];
      }
    }
  }
}

template <class Real>
PLAIT_INLINE void conv_backward_sequences(const ConvRows<Real>& v, std::int64_t begin, std::int64_t end) {
  const std::int64_t D = v.channels;
  std::vector<Real> parts(static_cast<std::size_t>((v.width + 1) * D), Real(0));
  Real* const part = parts.data();
  for (std::int64_t sequence = begin; sequence < end; ++sequence) {
    Real* const d_taps = v.d_taps + sequence * (v.width + 1) * D;
    std::fill_n(d_taps, (v.width + 1) * D, Real(0));
    for (std::int64_t t = 0; t < v.tokens; ++t) {
      const Real* const x = v.x + (sequence * v.tokens + t) * D;
      const Real* const dy = v.dy + (sequence * v.tokens + t) * D;
      Real* const dx = v.dx + (sequence * v.tokens + t) * D;
      std::fill_n(dx, D, Real(0));
      for (std::int64_t s = 0; s < v.width; ++s) {
        const Real* const tap = v.taps + (sequence / v.batch * v.width + s) * D;
        if (t + s < v.tokens) {
          for (std::int64_t c = 0; c < D; ++c) dx[c] += tap[c] * dy[c + s * D];
        }
        if (t >= s) {
          for (std::int64_t c = 0; c < D; ++c) part[s * D + c] += dy[c] * x[c - s * D];
        }
      }
      for (std::int64_t c = 0; c < D; ++c) part[v.width * D + c] += dy[c];
      if (t % kTerms == kTerms - 1 || t + 1 == v.tokens) pass_on(parts, d_taps);
    }
  }
}

#define PLAIT_ROWS(Real, attributes)                                                                \
  attributes void norm_forward_in(const NormRows<Real>& n, std::int64_t begin, std::int64_t end) {  \
    norm_forward_rows(n, begin, end);                                                               \
  }                                                                                                 \
  attributes void norm_backward_in(const NormRows<Real>& n, std::int64_t begin, std::int64_t end,   \
                                   std::int64_t share) {                                            \
    norm_backward_rows(n, begin, end, share);                                                       \
  }                                                                                                 \
  attributes void conv_forward_in(const ConvRows<Real>& v, std::int64_t begin, std::int64_t end) {  \
    conv_forward_sequences(v, begin, end);                                                          \
  }                                                                                                 \
  attributes void conv_backward_in(const ConvRows<Real>& v, std::int64_t begin, std::int64_t end) { \
    conv_backward_sequences(v, begin, end);                                                         \
  }
PLAIT_ROWS(float, PLAIT_VECTOR_CLONES)
PLAIT_ROWS(double, )
#undef PLAIT_ROWS

}  // namespace

template <class Real>
void norm_forward(const NormRows<Real>& x, std::int64_t begin, std::int64_t end) {
  norm_forward_in(x, begin, end);
}
template <class Real>
void norm_backward(const NormRows<Real>& x, std::int64_t begin, std::int64_t end, std::int64_t share) {
  norm_backward_in(x, begin, end, share);
}
template <class Real>
void conv_forward(const ConvRows<Real>& x, std::int64_t begin, std::int64_t end) {
  conv_forward_in(x, begin, end);
}
template <class Real>
void conv_backward(const ConvRows<Real>& x, std::int64_t begin, std::int64_t end) {
  conv_backward_in(x, begin, end);
}

template void norm_forward(const NormRows<float>&, std::int64_t, std::int64_t);
template void norm_forward(const NormRows<double>&, std::int64_t, std::int64_t);
template void norm_backward(const NormRows<float>&, std::int64_t, std::int64_t, std::int64_t);
template void norm_backward(const NormRows<double>&, std::int64_t, std::int64_t, std::int64_t);
template void conv_forward(const ConvRows<float>&, std::int64_t, std::int64_t);
template void conv_forward(const ConvRows<double>&, std::int64_t, std::int64_t);
template void conv_backward(const ConvRows<float>&, std::int64_t, std::int64_t);
template void conv_backward(const ConvRows<double>&, std::int64_t, std::int64_t);

}  // namespace plait::kernels
