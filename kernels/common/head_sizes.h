#pragma once

#include <cstdint>

/// Sizes of recurrences that go token by token on a CPU. No torch here.
namespace plait::kernels {

constexpr std::int64_t kWidestKey = 64;

/// Numbers in a vector. Values do not meet, so that as many of them are taken through time at once: a block.
template <class Real>
constexpr std::int64_t kLanes = 64 / sizeof(Real);

/// Tokens between two states that the forward pass keeps.
constexpr std::int64_t kCheckpointEvery = 16;

constexpr std::int64_t divide_up(std::int64_t x, std::int64_t by) { return (x + by - 1) / by; }

/// N sequences, T > 0 tokens, H heads, K (at most kWidestKey), V.
struct HeadSizes {
  std::int64_t sequences, tokens, heads, key_dim, value_dim;
};

/// Numbers in the states that the forward pass keeps, values filled up to whole blocks.
template <class Real>
std::int64_t checkpoint_size(const HeadSizes& x) {
  return x.sequences * x.heads * divide_up(x.tokens, kCheckpointEvery) * x.key_dim *
         divide_up(x.value_dim, kLanes<Real>) * kLanes<Real>;
}

}  // namespace plait::kernels
