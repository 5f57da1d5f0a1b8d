#include "kernels/common/recurrence.h"

#include <algorithm>
#include <vector>

#include "kernels/common/lanes.h"

namespace plait::kernels {
namespace {

/// S as [K, lanes].
template <class Real>
PLAIT_INLINE void forward_block(const Recurrence<Real>& x, const Place<Real>& at, Vec<Real>* s) {
  const std::int64_t keys = x.key_dim, block = at.block();
  for (std::int64_t c = 0; c < keys; ++c)
    s[c] = load(x.initial_state != nullptr ? x.initial_state + at.state(c) : nullptr, block);
  for (std::int64_t t = 0; t < x.tokens; ++t) {
    const Real* const q = x.q + at.key(t);
    const Real* const k = x.k + at.key(t);
    if (x.checkpoints != nullptr && t % kCheckpointEvery == 0)
      __builtin_memcpy(x.checkpoints + at.checkpoint(t), s, static_cast<std::size_t>(keys) * sizeof(Vec<Real>));
    if (x.decay != nullptr && x.decay_dim == 1) {
      const Real a = x.decay[at.scalar(t)];
      for (std::int64_t c = 0; c < keys; ++c) s[c] *= a;
    } else if (x.decay != nullptr) {
      const Real* const a = x.decay + at.key(t);
      for (std::int64_t c = 0; c < keys; ++c) s[c] *= a[c];
    }
    Vec<Real> write = load(x.v + at.value(t), block);
    if (x.beta != nullptr) {
      Vec<Real> found[4] = {};  // sums that do not wait for each other
      std::int64_t c = 0;
      for (; c + 4 <= keys; c += 4)
        for (int i = 0; i < 4; ++i) found[i] += s[c + i] * k[c + i];
      for (; c < keys; ++c) found[0] += s[c] * k[c];
      write -= (found[0] + found[1]) + (found[2] + found[3]);
      if (x.errors != nullptr) store(x.errors + at.value(t), write, block);
      write *= x.beta[at.scalar(t)];
    }
    Vec<Real> read[4] = {};
    std::int64_t c = 0;
    for (; c + 4 <= keys; c += 4) {
      for (int i = 0; i < 4; ++i) {
        s[c + i] += write * k[c + i];
        read[i] += s[c + i] * q[c + i];
      }
    }
    for (; c < keys; ++c) {
      s[c] += write * k[c];
      read[0] += s[c] * q[c];
    }
    store(x.output + at.value(t), x.scale * ((read[0] + read[1]) + (read[2] + read[3])), block);
  }
  for (std::int64_t c = 0; c < keys; ++c) store(x.final_state + at.state(c), s[c], block);
}

template <class Real, bool kDelta, int kWide>
PLAIT_INLINE void backward_block(const Recurrence<Real>& x, const Place<Real>& at, Vec<Real>* history, Vec<Real>* ds) {
  constexpr std::int64_t lanes = kLanes<Real>, wide = kWide, size = lanes * wide;
  const std::int64_t keys = x.key_dim, block = at.block();
  Vec<Real> q[wide] = {}, k[wide] = {}, a[wide] = {};
  const auto read_decay = [&](std::int64_t t) {
    if (x.decay == nullptr || x.decay_dim == 1) {
      for (std::int64_t p = 0; p < wide; ++p)
        a[p] = Vec<Real>{} + (x.decay != nullptr ? x.decay[at.scalar(t)] : Real(1));
    } else {
      std::copy_n(x.decay + at.key(t), keys, numbers<Real>(a));
    }
  };
  for (std::int64_t j = 0; j < lanes; ++j) {
    for (std::int64_t c = 0; c < keys; ++c)
      numbers<Real>(ds + j * wide)[c] =
          x.d_final_state != nullptr && j < block ? x.d_final_state[at.state(c) + j] : Real(0);
  }
  for (std::int64_t first = (x.tokens - 1) / kCheckpointEvery * kCheckpointEvery; first >= 0;
       first -= kCheckpointEvery) {
    const std::int64_t count = std::min(kCheckpointEvery, x.tokens - first);
    turn<Real>(x.checkpoints + at.checkpoint(first), keys, wide, history);
    for (std::int64_t i = 0; i + 1 < count; ++i) {
      const std::int64_t t = first + i;
      std::copy_n(x.k + at.key(t), keys, numbers<Real>(k));
      read_decay(t);
      const Vec<Real>* const before = history + i * size;
      Vec<Real>* const after = history + (i + 1) * size;
      Vec<Real> write =
          kDelta ? x.beta[at.scalar(t)] * load(x.errors + at.value(t), block) : load(x.v + at.value(t), block);
      for (std::int64_t j = 0; j < lanes; ++j) {
        for (std::int64_t p = 0; p < wide; ++p) after[j * wide + p] = before[j * wide + p] * a[p] + write[j] * k[p];
      }
    }
    for (std::int64_t i = count; i-- > 0;) {
      const std::int64_t t = first + i, scalar = at.scalar(t), value = at.value(t);
      std::copy_n(x.q + at.key(t), keys, numbers<Real>(q));
      std::copy_n(x.k + at.key(t), keys, numbers<Real>(k));
      read_decay(t);
      const Vec<Real>* const before = history + i * size;
      const Vec<Real> d_o = x.scale * load(x.d_output != nullptr ? x.d_output + value : nullptr, block);
      const Vec<Real> error = load((kDelta ? x.errors : x.v) + value, block);
      const Real beta = kDelta ? x.beta[scalar] : Real(1);
      const Vec<Real> write = beta * error;
      Vec<Real> d_q[wide] = {}, d_k[wide] = {}, d_found_k[wide] = {}, d_a[wide] = {};
      // o = scale S^T q and the token's write: S = decay S' + k write^T
      Vec<Real> parts[lanes];
      for (std::int64_t j = 0; j < lanes; ++j) {
        Vec<Real> part = {};
        for (std::int64_t p = 0; p < wide; ++p) {
          const Vec<Real> gradient = ds[j * wide + p] + d_o[j] * q[p];
          ds[j * wide + p] = gradient;
          part += gradient * k[p];
          d_q[p] += d_o[j] * before[j * wide + p];
        }
        parts[j] = part;
      }
      const Vec<Real> products = d_o * write;
      Real d_o_write = 0;
      for (std::int64_t j = 0; j < lanes; ++j) d_o_write += products[j];
      const Vec<Real> d_write = sums_of<Real>(parts);
      const Vec<Real> d_error = beta * d_write;
      store(x.d_v + value, d_error, block);
      for (std::int64_t j = 0; j < lanes; ++j) {
        for (std::int64_t p = 0; p < wide; ++p) {
          Vec<Real> gradient = ds[j * wide + p];
          d_k[p] += write[j] * gradient;
          if (kDelta) {
            d_found_k[p] -= d_error[j] * before[j * wide + p];
            gradient -= d_error[j] * k[p];
          }
          d_a[p] += gradient * before[j * wide + p];
          ds[j * wide + p] = gradient * a[p];
        }
      }
      for (std::int64_t p = 0; p < wide; ++p) {
        d_q[p] = d_q[p] * a[p] + d_o_write * k[p];
        d_k[p] += d_found_k[p] * a[p];
      }

      // The first block of values writes, the others add.
      const bool adds = at.first_value > 0;
      const auto give = [&](Real* to, Vec<Real>* from) {
        for (std::int64_t c = 0; c < keys; ++c) to[c] = adds ? to[c] + numbers<Real>(from)[c] : numbers<Real>(from)[c];
      };
      give(x.d_q + at.key(t), d_q);
      give(x.d_k + at.key(t), d_k);
      if (kDelta) {
        const Vec<Real> d_beta = d_write * error;
        Real sum = adds ? x.d_beta[scalar] : Real(0);
        for (std::int64_t j = 0; j < lanes; ++j) sum += d_beta[j];
        x.d_beta[scalar] = sum;
      }
      if (x.decay != nullptr && x.decay_dim == 1) {
        Real sum = adds ? x.d_decay[scalar] : Real(0);
        for (std::int64_t c = 0; c < keys; ++c) sum += numbers<Real>(d_a)[c];
        x.d_decay[scalar] = sum;
      } else if (x.decay != nullptr) {
        give(x.d_decay + at.key(t), d_a);
      }
    }
  }
  if (x.d_initial_state == nullptr) return;
  for (std::int64_t j = 0; j < block; ++j) {
    for (std::int64_t c = 0; c < keys; ++c) x.d_initial_state[at.state(c) + j] = numbers<Real>(ds + j * wide)[c];
  }
}

template <class Real>
PLAIT_INLINE void forward_rows(const Recurrence<Real>& x, std::int64_t begin, std::int64_t end) {
  std::vector<Aligned<Real>> state(static_cast<std::size_t>(x.key_dim));
  for (std::int64_t row = begin; row < end; ++row) {
    for (std::int64_t value = 0; value < x.value_dim; value += kLanes<Real>)
      forward_block(x, {x, row, value}, &state[0].vector);
  }
}

template <class Real, bool kDelta, int kWide>
PLAIT_INLINE void backward_rows(const Recurrence<Real>& x, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t size = kLanes<Real> * kWide;
  // Zeros, so that what fills up K stays 0.
  std::vector<Aligned<Real>> space(static_cast<std::size_t>((kCheckpointEvery + 1) * size));
  Vec<Real>*const history = &space[0].vector, *const ds = history + kCheckpointEvery * size;
  for (std::int64_t row = begin; row < end; ++row) {
    for (std::int64_t value = 0; value < x.value_dim; value += kLanes<Real>) {
      const Place<Real> at{x, row, value};
      backward_block<Real, kDelta, kWide>(x, at, history, ds);
    }
  }
}

/// K is filled up to kWide vectors, known at compile time so that the sums of a token stay in registers.
#define PLAIT_BACKWARD(attributes, Real, kWide)                                                                       \
  attributes void backward_linear_##Real##_##kWide(const Recurrence<Real>& x, std::int64_t begin, std::int64_t end) { \
    backward_rows<Real, false, kWide>(x, begin, end);                                                                 \
  }                                                                                                                   \
  attributes void backward_delta_##Real##_##kWide(const Recurrence<Real>& x, std::int64_t begin, std::int64_t end) {  \
    backward_rows<Real, true, kWide>(x, begin, end);                                                                  \
  }
PLAIT_BACKWARD(PLAIT_VECTOR_CLONES, float, 1)
PLAIT_BACKWARD(PLAIT_VECTOR_CLONES, float, 2)
PLAIT_BACKWARD(PLAIT_VECTOR_CLONES, float, 4)
PLAIT_BACKWARD(, double, 1)
PLAIT_BACKWARD(, double, 4)
PLAIT_BACKWARD(, double, 8)
#undef PLAIT_BACKWARD

PLAIT_VECTOR_CLONES void forward(const Recurrence<float>& x, std::int64_t begin, std::int64_t end) {
  forward_rows(x, begin, end);
}
void forward(const Recurrence<double>& x, std::int64_t begin, std::int64_t end) { forward_rows(x, begin, end); }

void backward(const Recurrence<float>& x, std::int64_t begin, std::int64_t end) {
  const bool delta = x.beta != nullptr;
  if (x.key_dim <= 16) return (delta ? backward_delta_float_1 : backward_linear_float_1)(x, begin, end);
  if (x.key_dim <= 32) return (delta ? backward_delta_float_2 : backward_linear_float_2)(x, begin, end);
  (delta ? backward_delta_float_4 : backward_linear_float_4)(x, begin, end);
}
void backward(const Recurrence<double>& x, std::int64_t begin, std::int64_t end) {
  const bool delta = x.beta != nullptr;
  if (x.key_dim <= 8) return (delta ? backward_delta_double_1 : backward_linear_double_1)(x, begin, end);
  if (x.key_dim <= 32) return (delta ? backward_delta_double_4 : backward_linear_double_4)(x, begin, end);
  (delta ? backward_delta_double_8 : backward_linear_double_8)(x, begin, end);
}

}  // namespace

template <class Real>
void recurrence_forward(const Recurrence<Real>& x, std::int64_t begin, std::int64_t end) {
  forward(x, begin, end);
}

template <class Real>
void recurrence_backward(const Recurrence<Real>& x, std::int64_t begin, std::int64_t end) {
  backward(x, begin, end);
}

template void recurrence_forward(const Recurrence<float>&, std::int64_t, std::int64_t);
template void recurrence_forward(const Recurrence<double>&, std::int64_t, std::int64_t);
template void recurrence_backward(const Recurrence<float>&, std::int64_t, std::int64_t);
template void recurrence_backward(const Recurrence<double>&, std::int64_t, std::int64_t);

}  // namespace plait::kernels
