#pragma once

#include "kernels/common/walk.cuh"

/// Products inside a chunk under one gate a key channel. Tokens i > j first meet in a block of 2s tokens, s the highest
/// bit of i xor j: i in its second half, j in its first. With p the last token of the first half their decay is
/// e^(G_i - G_p) e^(G_p - G_j): a factor a token for each of the levels s = 8, 4, 2, 1, never above 1, a product of e^g
/// and nothing else. So m = scale (diag(q k^T) + the sum over levels of (x x^T where the level's pairs are)), x being q
/// in second and k in first halves, times the level's factor.
///
/// Here a warp holds 16 channels (rows) of the 16 tokens (columns) in an accumulator: a lane has tokens 2(l%4) + {0, 1}
/// and those + 8, the quad all 16.
namespace plait::kernels::cuda::linear {

struct ChannelDecays {
  Acc gates;  ///< e^g
  /// By row and by half of the chunk, products of e^g over the lane's two tokens, the two of its neighbour in the half
  /// of the quad, and the four of the quad's other half.
  float own[2][2], next[2][2], far[2][2];

  template <class E>
  static __device__ __forceinline__ ChannelDecays of(const Acc& g) {
    ChannelDecays d;
#pragma unroll
    for (int i = 0; i < 8; ++i) d.gates.x[i] = decay_of<E>(Gates<E>::kUnit * g.x[i]);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        d.own[r][h] = d.gates.x[2 * r + 4 * h] * d.gates.x[2 * r + 4 * h + 1];
        d.next[r][h] = __shfl_xor_sync(0xffffffffu, d.own[r][h], 1);
        d.far[r][h] = __shfl_xor_sync(0xffffffffu, d.own[r][h] * d.next[r][h], 2);
      }
    }
    return d;
  }

  static __device__ __forceinline__ bool odd() { return lane_id() & 1; }
  static __device__ __forceinline__ bool upper() { return lane_id() & 2; }

  /// Over half a chunk.
  __device__ __forceinline__ float half(int r, int h) const { return own[r][h] * next[r][h] * far[r][h]; }
  __device__ __forceinline__ float total(int r) const { return half(r, 0) * half(r, 1); }

  /// The factors of level s.
  template <int s>
  __device__ __forceinline__ Acc level() const {
    Acc out;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        const int at = 2 * r + 4 * h;
        const float first = gates.x[at], second = gates.x[at + 1];
        float &x = out.x[at], &y = out.x[at + 1];
        if constexpr (s == 1) {
          x = 1.0f;
          y = second;
        } else if constexpr (s == 2) {
          x = odd() ? first : second;
          y = odd() ? own[r][h] : 1.0f;
        } else if constexpr (s == 4) {
          const float rest = odd() == upper() ? next[r][h] : 1.0f;
          x = (upper() ? first : second) * rest;
          y = (upper() ? own[r][h] : 1.0f) * rest;
        } else if (h == 1) {
          from_start_of_half(r, h, x, y);
        } else {
          to_end_of_half(r, h, x, y);
        }
      }
    }
    return out;
  }

  /// From the start of the chunk up to and with a token; from behind a token to the end of the chunk.
  __device__ __forceinline__ Acc from_start() const {
    Acc out;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        float &x = out.x[2 * r + 4 * h], &y = out.x[2 * r + 4 * h + 1];
        from_start_of_half(r, h, x, y);
        if (h == 1) x *= half(r, 0), y *= half(r, 0);
      }
    }
    return out;
  }
  __device__ __forceinline__ Acc to_end() const {
    Acc out;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        float &x = out.x[2 * r + 4 * h], &y = out.x[2 * r + 4 * h + 1];
        to_end_of_half(r, h, x, y);
        if (h == 0) x *= half(r, 1), y *= half(r, 1);
      }
    }
    return out;
  }

 private:
  __device__ __forceinline__ void from_start_of_half(int r, int h, float& x, float& y) const {
    const float before = (odd() ? next[r][h] : 1.0f) * (upper() ? far[r][h] : 1.0f);
    x = gates.x[2 * r + 4 * h] * before;
    y = own[r][h] * before;
  }
  __device__ __forceinline__ void to_end_of_half(int r, int h, float& x, float& y) const {
    const float after = (odd() ? 1.0f : next[r][h]) * (upper() ? 1.0f : far[r][h]);
    x = gates.x[2 * r + 4 * h + 1] * after;
    y = after;
  }
};

/// Whether entry i's token is in the second half of its block of level s.
template <int s>
__device__ __forceinline__ bool in_second_half(int i) {
  if constexpr (s == 1) return i & 1;
  if constexpr (s == 2) return ChannelDecays::odd();
  if constexpr (s == 4) return ChannelDecays::upper();
  return i >> 2;
}

/// What tokens bring to level s before its decay: queries in second halves, keys in first.
template <int s>
__device__ __forceinline__ Acc meeting(const Acc& queries, const Acc& keys) {
  Acc out;
#pragma unroll
  for (int i = 0; i < 8; ++i) out.x[i] = in_second_half<s>(i) ? queries.x[i] : keys.x[i];
  return out;
}

__device__ __forceinline__ Acc product(const Acc& a, const Acc& b) {
  Acc out;
#pragma unroll
  for (int i = 0; i < 8; ++i) out.x[i] = a.x[i] * b.x[i];
  return out;
}

/// The entries of a symmetric matrix of token pairs that meet in level s, zeros elsewhere.
template <int s>
__device__ __forceinline__ Operand<Bf16> of_level(const Operand<Bf16>& pairs) {
  if constexpr (s == 8) return {{0, pairs.r[1], pairs.r[2], 0}};
  const int distance = (lane_id() / 4) ^ (2 * (lane_id() & 3));  // row xor even column; the odd column's is that xor 1
  std::uint32_t mask = distance >= s && distance < 2 * s ? 0xffffffffu : 0u;
  if constexpr (s == 1) mask = distance == 0 ? 0xffff0000u : distance == 1 ? 0x0000ffffu : 0u;
  return {{pairs.r[0] & mask, 0, 0, pairs.r[3] & mask}};
}
template <int s>
__device__ __forceinline__ Operand<float> of_level(const Operand<float>& pairs) {
  Operand<float> out{};
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int distance = acc_row(i) ^ acc_col(i);
    if (distance >= s && distance < 2 * s) out.r[i] = pairs.r[i];
  }
  return out;
}

/// What channels 16 part.. of every 16 parts give to m^T, by a whole warp; also their q scale e^G and e^(G_last - G) k,
/// which may take the place of q and k, and e^(G_last) in `totals` [K].
template <class E, int K>
__device__ __forceinline__ Acc multiply_inside(const Tile<E, K>& q, const Tile<E, K>& k, const Tile<float, K>& g,
                                               int token, float scale, const Tile<E, K>& decayed_q,
                                               const Tile<E, K>& decayed_k, float* totals, int part, int parts) {
  Acc m8 = zero_acc(), m4 = zero_acc(), m2 = zero_acc(), m1 = zero_acc(), m0 = zero_acc();
#pragma unroll 1
  for (int c = 16 * part; c < K; c += 16 * parts) {
    multiply(m0, load(k, token, c), load_right(q, token, c));
    const Acc queries = unpack(load_transposed(q, token, c)), keys = unpack(load_transposed(k, token, c));
    const ChannelDecays decays = ChannelDecays::of<E>(unpack(load_transposed(g, token, c)));
    const auto met = [&]<int s>() {
      return transpose(pack<E>(product(meeting<s>(queries, keys), decays.template level<s>())));
    };
    const Operand<E> x8 = met.template operator()<8>(), x4 = met.template operator()<4>(),
                     x2 = met.template operator()<2>(), x1 = met.template operator()<1>();
    multiply<false>(m8, x8, to_right(x8));
    multiply(m4, x4, to_right(x4));
    multiply(m2, x2, to_right(x2));
    multiply(m1, x1, to_right(x1));
    Acc from_start = product(decays.from_start(), queries);
#pragma unroll
    for (int i = 0; i < 8; ++i) from_start.x[i] *= scale;
    __syncwarp();
    store_transposed(decayed_q, token, c, pack<E>(from_start));
    store_transposed(decayed_k, token, c, pack<E>(product(decays.to_end(), keys)));
    if ((lane_id() & 3) == 0) {
      totals[c + lane_id() / 4] = decays.total(0);
      totals[c + lane_id() / 4 + 8] = decays.total(1);
    }
  }
  Acc m;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int row = acc_row(i), col = acc_col(i), distance = row ^ col;
    const float met = distance >= 8   ? m8.x[i]
                      : distance >= 4 ? m4.x[i]
                      : distance >= 2 ? m2.x[i]
                      : distance >= 1 ? m1.x[i]
                                      : m0.x[i];
    m.x[i] = col >= row ? scale * met : 0.0f;
  }
  return m;
}

/// The sum of such parts, which lie one behind the other in the order of the lanes.
template <class E, int kParts>
__device__ __forceinline__ Operand<E> sum_of_parts(const Operand<float>* parts) {
  Acc sum = unpack(load_lanes(parts));
#pragma unroll
  for (int i = 1; i < kParts; ++i) add(sum, unpack(load_lanes(parts + 32 * i)));
  return pack<E>(sum);
}

/// The gradient of log e^g, from those of the logarithms of its products: sums only, so that nothing cancels.
struct ChannelGateSums {
  Acc g = zero_acc();

  /// Of the factors of level s, 4 or less.
  template <int s>
  __device__ __forceinline__ void add_level(const Acc& d) {
    const bool odd = ChannelDecays::odd(), upper = ChannelDecays::upper();
#pragma unroll
    for (int at = 0; at < 8; at += 2) {
      const float x = d.x[at], y = d.x[at + 1];
      if constexpr (s == 1) {
        g.x[at + 1] += y;
      } else if constexpr (s == 2) {
        g.x[at] += odd ? x + y : 0.0f;
        g.x[at + 1] += odd ? y : x;
      } else {
        const float next = __shfl_xor_sync(0xffffffffu, x + y, 1);
        const float other = odd != upper ? next : 0.0f;
        g.x[at] += (upper ? x + y : 0.0f) + other;
        g.x[at + 1] += (upper ? y : x) + other;
      }
    }
  }

  /// Of what level 8, from_start and to_end multiply, and of the product over the chunk (a lane's part, by row).
  __device__ __forceinline__ void add_whole(const Acc& level, const Acc& start, const Acc& end,
                                            const float (&whole)[2]) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int low = 2 * r, high = 2 * r + 4;
      from_start(low, start.x[low], start.x[low + 1]);
      from_start(high, start.x[high] + level.x[high], start.x[high + 1] + level.x[high + 1]);
      to_end(low, end.x[low] + level.x[low], end.x[low + 1] + level.x[low + 1]);
      to_end(high, end.x[high], end.x[high + 1]);
      const float all_low = quad_sum(whole[r] + start.x[high] + start.x[high + 1]),
                  all_high = quad_sum(whole[r] + end.x[low] + end.x[low + 1]);
      g.x[low] += all_low;
      g.x[low + 1] += all_low;
      g.x[high] += all_high;
      g.x[high + 1] += all_high;
    }
  }

 private:
  /// Of products from the start of the half, with a token: every token gets the sum over itself and later ones.
  __device__ __forceinline__ void from_start(int at, float x, float y) {
    const float next = __shfl_xor_sync(0xffffffffu, x + y, 1);
    const float far = __shfl_xor_sync(0xffffffffu, x + y + next, 2);
    const float after = (ChannelDecays::odd() ? 0.0f : next) + (ChannelDecays::upper() ? 0.0f : far);
    g.x[at] += x + y + after;
    g.x[at + 1] += y + after;
  }
  /// Of products to the end of the half, without a token: every token gets the sum over those before it.
  __device__ __forceinline__ void to_end(int at, float x, float y) {
    const float next = __shfl_xor_sync(0xffffffffu, x + y, 1);
    const float far = __shfl_xor_sync(0xffffffffu, x + y + next, 2);
    const float before = (ChannelDecays::odd() ? next : 0.0f) + (ChannelDecays::upper() ? far : 0.0f);
    g.x[at] += before;
    g.x[at + 1] += x + before;
  }
};

/// The gradient of m, times scale, as its levels multiply with it: pairs of tokens in either order.
template <class E>
struct TokenPairs {
  Right<E> level8, level4, level2, level1, same;
};
template <class E>
__device__ __forceinline__ TokenPairs<E> pairs_of(const Acc& d_m_transposed, float scale) {
  Acc later, same;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const float x = scale * d_m_transposed.x[i];
    later.x[i] = acc_col(i) > acc_row(i) ? x : 0.0f;
    same.x[i] = acc_col(i) == acc_row(i) ? x : 0.0f;
  }
  const Operand<E> half = pack<E>(later), pairs = join(half, transpose(half));
  return {to_right(of_level<8>(pairs)), to_right(of_level<4>(pairs)), to_right(of_level<2>(pairs)),
          to_right(of_level<1>(pairs)), to_right(pack<E>(same))};
}

/// Takes S0 dO^T, dS1 V^T and S0 dS1^T of 16 channels (its diagonal is used) and makes the first two dq^T and dk^T;
/// returns dg^T.
template <class E>
__device__ __forceinline__ Acc differentiate_inside(Acc& d_q, Acc& d_k, const Acc& states, const Operand<E>& queries,
                                                    const Operand<E>& keys, const Acc& g, const TokenPairs<E>& pairs,
                                                    float scale) {
  const ChannelDecays decays = ChannelDecays::of<E>(g);
  const Acc q = unpack(queries), k = unpack(keys);
#pragma unroll
  for (int i = 0; i < 8; ++i) d_q.x[i] *= scale;
  d_q = product(d_q, decays.from_start());
  d_k = product(d_k, decays.to_end());
  const int offset = lane_id() / 4 - 2 * (lane_id() & 3);  // of the diagonal from the lane's even column
  float whole[2];
#pragma unroll
  for (int r = 0; r < 2; ++r)
    whole[r] = decays.total(r) * (offset == 0 ? states.x[6 * r] : offset == 1 ? states.x[6 * r + 1] : 0.0f);
  const Acc start = product(d_q, q), end = product(d_k, k);
  multiply(d_q, keys, pairs.same);
  multiply(d_k, queries, pairs.same);
  const auto meet = [&]<int s>(const Right<E>& with) {
    const Acc bring = meeting<s>(q, k), decay = decays.template level<s>();
    Acc got = zero_acc();
    multiply(got, pack<E>(product(bring, decay)), with);
    got = product(got, decay);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      d_q.x[i] += in_second_half<s>(i) ? got.x[i] : 0.0f;
      d_k.x[i] += in_second_half<s>(i) ? 0.0f : got.x[i];
    }
    return product(got, bring);
  };
  ChannelGateSums sums;
  sums.add_whole(meet.template operator()<8>(pairs.level8), start, end, whole);
  sums.add_level<4>(meet.template operator()<4>(pairs.level4));
  sums.add_level<2>(meet.template operator()<2>(pairs.level2));
  sums.add_level<1>(meet.template operator()<1>(pairs.level1));
  return sums.g;
}

}  // namespace plait::kernels::cuda::linear
