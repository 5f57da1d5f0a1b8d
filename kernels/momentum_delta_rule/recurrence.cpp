#include "kernels/momentum_delta_rule/recurrence.h"

#include <algorithm>
#include <vector>

#include "kernels/common/lanes.h"

namespace plait::kernels {
namespace {

/// S and M as [K, lanes].
template <class Real>
PLAIT_INLINE void forward_block(const MomentumRecurrence<Real>& x, const Place<Real>& at, Vec<Real>* s, Vec<Real>* m) {
  const std::int64_t keys = x.key_dim, block = at.block();
  for (std::int64_t c = 0; c < keys; ++c) {
    s[c] = load(x.initial_state != nullptr ? x.initial_state + at.state(c) : nullptr, block);
    m[c] = load(x.initial_momentum != nullptr ? x.initial_momentum + at.state(c) : nullptr, block);
  }
  for (std::int64_t t = 0; t < x.tokens; ++t) {
    const Real *const q = x.q + at.key(t), *const k = x.k + at.key(t), *const p = x.p + at.key(t);
    if (x.states != nullptr && t % kCheckpointEvery == 0) {
      const auto bytes = static_cast<std::size_t>(keys) * sizeof(Vec<Real>);
      __builtin_memcpy(x.states + at.checkpoint(t), s, bytes);
      __builtin_memcpy(x.moments + at.checkpoint(t), m, bytes);
    }
    Vec<Real> found[4] = {};  // sums that do not wait for each other
    std::int64_t c = 0;
    for (; c + 4 <= keys; c += 4)
      for (int i = 0; i < 4; ++i) found[i] += s[c + i] * p[c + i];
    for (; c < keys; ++c) found[0] += s[c] * p[c];
    const Vec<Real> error = (found[0] + found[1]) + (found[2] + found[3]) - load(x.v + at.value(t), block);
    if (x.errors != nullptr) store(x.errors + at.value(t), error, block);

    const Real alpha = x.alpha[at.scalar(t)], mu = x.mu[at.scalar(t)], beta = x.beta[at.scalar(t)];
    const Real eta = x.eta[at.scalar(t)];
    Vec<Real> read[4] = {};
    for (c = 0; c < keys; ++c) {
      m[c] = mu * m[c] + error * (eta * k[c]);
      s[c] = alpha * s[c] - beta * m[c];
      read[c % 4] += s[c] * q[c];
    }
    store(x.output + at.value(t), x.scale * ((read[0] + read[1]) + (read[2] + read[3])), block);
  }
  for (std::int64_t c = 0; c < keys; ++c) {
    store(x.final_state + at.state(c), s[c], block);
    store(x.final_momentum + at.state(c), m[c], block);
  }
}

template <class Real>
PLAIT_INLINE Real sum_of(const Vec<Real>& x) {
  Real sum = 0;
  for (std::int64_t j = 0; j < kLanes<Real>; ++j) sum += x[j];
  return sum;
}

/// States, moments and their gradients as [lanes, K filled up with zeros]; kCheckpointEvery + 1 of the first two.
template <class Real, int kWide>
PLAIT_INLINE void backward_block(const MomentumRecurrence<Real>& x, const Place<Real>& at, Vec<Real>* states,
                                 Vec<Real>* moments, Vec<Real>* ds, Vec<Real>* dm) {
  constexpr std::int64_t lanes = kLanes<Real>, wide = kWide, size = lanes * wide;
  const std::int64_t keys = x.key_dim, block = at.block();
  Vec<Real> q[wide] = {}, k[wide] = {}, p[wide] = {};

  const auto begin_with = [&](const Real* gradient, Vec<Real>* to) {
    for (std::int64_t j = 0; j < lanes; ++j) {
      for (std::int64_t c = 0; c < keys; ++c)
        numbers<Real>(to + j * wide)[c] = gradient != nullptr && j < block ? gradient[at.state(c) + j] : Real(0);
    }
  };
  begin_with(x.d_final_state, ds);
  begin_with(x.d_final_momentum, dm);
  for (std::int64_t first = (x.tokens - 1) / kCheckpointEvery * kCheckpointEvery; first >= 0;
       first -= kCheckpointEvery) {
    const std::int64_t count = std::min(kCheckpointEvery, x.tokens - first);
    turn<Real>(x.states + at.checkpoint(first), keys, wide, states);
    turn<Real>(x.moments + at.checkpoint(first), keys, wide, moments);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t t = first + i, scalar = at.scalar(t);
      std::copy_n(x.k + at.key(t), keys, numbers<Real>(k));
      const Vec<Real>*const s = states + i * size, *const m = moments + i * size;
      Vec<Real>*const s_after = states + (i + 1) * size, *const m_after = moments + (i + 1) * size;
      const Real alpha = x.alpha[scalar], mu = x.mu[scalar], beta = x.beta[scalar];
      const Vec<Real> error = load(x.errors + at.value(t), block);
      for (std::int64_t o = 0; o < wide; ++o) k[o] *= x.eta[scalar];
      for (std::int64_t j = 0; j < lanes; ++j) {
        for (std::int64_t c = j * wide, o = 0; o < wide; ++c, ++o) {
          const Vec<Real> moment = mu * m[c] + error[j] * k[o];
          m_after[c] = moment;
          s_after[c] = alpha * s[c] - beta * moment;
        }
      }
    }
    for (std::int64_t i = count; i-- > 0;) {
      const std::int64_t t = first + i, scalar = at.scalar(t), value = at.value(t);
      std::copy_n(x.q + at.key(t), keys, numbers<Real>(q));
      std::copy_n(x.k + at.key(t), keys, numbers<Real>(k));
      std::copy_n(x.p + at.key(t), keys, numbers<Real>(p));
      const Vec<Real>*const s = states + i * size, *const m = moments + i * size;
      const Vec<Real>*const s_after = s + size, *const m_after = m + size;
      const Real alpha = x.alpha[scalar], mu = x.mu[scalar], eta = x.eta[scalar], beta = x.beta[scalar];
      const Vec<Real> d_o = x.scale * load(x.d_output != nullptr ? x.d_output + value : nullptr, block);
      const Vec<Real> error = load(x.errors + value, block);
      Vec<Real> d_q[wide] = {}, d_k[wide] = {}, d_p[wide] = {}, d_alpha = {}, d_mu = {}, d_eta = {}, d_beta = {};
      // o = scale S^T q, S = alpha S' - beta M and M = mu M' + eta k w^T
      Vec<Real> parts[lanes];
      for (std::int64_t j = 0; j < lanes; ++j) {
        Vec<Real> part = {};
        for (std::int64_t c = j * wide, o = 0; o < wide; ++c, ++o) {
          const Vec<Real> of_state = ds[c] + d_o[j] * q[o];
          const Vec<Real> of_moment = dm[c] - beta * of_state;
          d_q[o] += d_o[j] * s_after[c];
          d_alpha += of_state * s[c];
          d_beta -= of_state * m_after[c];
          d_mu += of_moment * m[c];
          d_k[o] += error[j] * of_moment;
          part += of_moment * (eta * k[o]);
          ds[c] = alpha * of_state;
          dm[c] = mu * of_moment;
        }
        parts[j] = part;
      }
      const Vec<Real> d_error = sums_of<Real>(parts);
      // w = S'^T p - v
      store(x.d_v + value, -d_error, block);
      for (std::int64_t j = 0; j < lanes; ++j) {
        for (std::int64_t c = j * wide, o = 0; o < wide; ++c, ++o) {
          d_p[o] += d_error[j] * s[c];
          ds[c] += d_error[j] * p[o];
        }
      }
      for (std::int64_t o = 0; o < wide; ++o) {
        d_eta += d_k[o] * k[o];
        d_k[o] *= eta;
      }

      // The first block of values writes, the others add.
      const bool adds = at.first_value > 0;
      const auto give = [&](Real* to, Vec<Real>* from) {
        for (std::int64_t c = 0; c < keys; ++c) to[c] = adds ? to[c] + numbers<Real>(from)[c] : numbers<Real>(from)[c];
      };
      give(x.d_q + at.key(t), d_q);
      give(x.d_k + at.key(t), d_k);
      give(x.d_p + at.key(t), d_p);
      const auto give_sum = [&](Real* to, const Vec<Real>& from) {
        to[scalar] = (adds ? to[scalar] : Real(0)) + sum_of<Real>(from);
      };
      give_sum(x.d_alpha, d_alpha);
      give_sum(x.d_mu, d_mu);
      give_sum(x.d_eta, d_eta);
      give_sum(x.d_beta, d_beta);
    }
  }
  const auto end_with = [&](Real* gradient, Vec<Real>* from) {
    if (gradient == nullptr) return;
    for (std::int64_t j = 0; j < block; ++j) {
      for (std::int64_t c = 0; c < keys; ++c) gradient[at.state(c) + j] = numbers<Real>(from + j * wide)[c];
    }
  };
  end_with(x.d_initial_state, ds);
  end_with(x.d_initial_momentum, dm);
}

template <class Real>
PLAIT_INLINE void forward_rows(const MomentumRecurrence<Real>& x, std::int64_t begin, std::int64_t end) {
  std::vector<Aligned<Real>> space(static_cast<std::size_t>(2 * x.key_dim));
  for (std::int64_t row = begin; row < end; ++row) {
    for (std::int64_t value = 0; value < x.value_dim; value += kLanes<Real>)
      forward_block(x, {x, row, value}, &space[0].vector, &space[0].vector + x.key_dim);
  }
}

template <class Real, int kWide>
PLAIT_INLINE void backward_rows(const MomentumRecurrence<Real>& x, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t size = kLanes<Real> * kWide, history = (kCheckpointEvery + 1) * size;
  // Zeros, so that what fills up K stays 0.
  std::vector<Aligned<Real>> space(static_cast<std::size_t>(2 * history + 2 * size));
  Vec<Real>* const states = &space[0].vector;
  for (std::int64_t row = begin; row < end; ++row) {
    for (std::int64_t value = 0; value < x.value_dim; value += kLanes<Real>)
      backward_block<Real, kWide>(x, {x, row, value}, states, states + history, states + 2 * history,
                                  states + 2 * history + size);
  }
}

/// K is filled up to kWide vectors, known at compile time so that the sums of a token stay in registers.
#define PLAIT_BACKWARD(attributes, Real, kWide)                                                                        \
  attributes void backward_##Real##_##kWide(const MomentumRecurrence<Real>& x, std::int64_t begin, std::int64_t end) { \
    backward_rows<Real, kWide>(x, begin, end);                                                                         \
  }
PLAIT_BACKWARD(PLAIT_VECTOR_CLONES, float, 1)
PLAIT_BACKWARD(PLAIT_VECTOR_CLONES, float, 2)
PLAIT_BACKWARD(PLAIT_VECTOR_CLONES, float, 4)
PLAIT_BACKWARD(, double, 1)
PLAIT_BACKWARD(, double, 4)
PLAIT_BACKWARD(, double, 8)
#undef PLAIT_BACKWARD

PLAIT_VECTOR_CLONES void forward(const MomentumRecurrence<float>& x, std::int64_t begin, std::int64_t end) {
  forward_rows(x, begin, end);
}
void forward(const MomentumRecurrence<double>& x, std::int64_t begin, std::int64_t end) { forward_rows(x, begin, end); }

void backward(const MomentumRecurrence<float>& x, std::int64_t begin, std::int64_t end) {
  (x.key_dim <= 16 ? backward_float_1 : x.key_dim <= 32 ? backward_float_2 : backward_float_4)(x, begin, end);
}
void backward(const MomentumRecurrence<double>& x, std::int64_t begin, std::int64_t end) {
  (x.key_dim <= 8 ? backward_double_1 : x.key_dim <= 32 ? backward_double_4 : backward_double_8)(x, begin, end);
}

}  // namespace

template <class Real>
void momentum_forward(const MomentumRecurrence<Real>& x, std::int64_t begin, std::int64_t end) {
  forward(x, begin, end);
}

template <class Real>
void momentum_backward(const MomentumRecurrence<Real>& x, std::int64_t begin, std::int64_t end) {
  backward(x, begin, end);
}

template void momentum_forward(const MomentumRecurrence<float>&, std::int64_t, std::int64_t);
template void momentum_forward(const MomentumRecurrence<double>&, std::int64_t, std::int64_t);
template void momentum_backward(const MomentumRecurrence<float>&, std::int64_t, std::int64_t);
template void momentum_backward(const MomentumRecurrence<double>&, std::int64_t, std::int64_t);

}  // namespace plait::kernels
