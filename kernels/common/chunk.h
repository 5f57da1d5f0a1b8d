#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

/// What the chunk programs share. Tokens are cut into chunks of C, a power of two; tensors then lead with M = N * H *
/// L, L chunks per sequence and head, the chunk fastest. A decay is a factor in [0, 1] per token, scalar or per key
/// channel, and every product of decays is formed by multiplying: no quotient, no logarithm, no exponent above 0, exact
/// at 0. Nothing here is differentiated by autograd; the operators call the backward functions.
namespace plait::kernels {

struct Chunks {
  std::int64_t batch, tokens, heads;  ///< N, T, H
  std::int64_t width;                 ///< C, a power of two
  std::int64_t count;                 ///< L = ceil(T / C)

  std::int64_t rows() const { return batch * heads; }    ///< R = N * H
  std::int64_t total() const { return rows() * count; }  ///< M
};

/// Chunks of at most `width` tokens for x [N, T, H, ...]; a short T takes one chunk of the next power of two.
Chunks cut(const at::Tensor& x, std::int64_t width);

/// x [N, T, H] or [N, T, H, X] as [M, C] or [M, C, X] in `dtype`; tokens after the last are `padding`. May be a view of
/// x.
at::Tensor to_chunks(const at::Tensor& x, const Chunks& chunks, at::ScalarType dtype, double padding = 0.0);

/// The inverse: [M, C] or [M, C, X] as [N, T, H] or [N, T, H, X].
at::Tensor from_chunks(const at::Tensor& x, const Chunks& chunks);

/// Chunk l of every row: [M, ...] as [R, ...] (a view).
at::Tensor chunk_of(const at::Tensor& x, const Chunks& chunks, std::int64_t l);

/// D(i, j) = a_{j+1} ... a_i, 1 on the diagonal, 0 above. decay [M, C] -> [M, C, C].
at::Tensor decay_matrix(const at::Tensor& decay);

/// Gradient of the decays from those of D (its upper triangle may be anything finite; overwritten) and of the inclusive
/// products a_0 ... a_i, [M, C] or undefined. matrix is D.
at::Tensor decay_matrix_backward(const at::Tensor& decay, const at::Tensor& matrix, at::Tensor matrix_gradient,
                                 const at::Tensor& prefix_gradient);

/// Products of decays per channel over a binary tree of blocks. Token i of a right half and j of its left half meet
/// with factor prefix(i) * suffix(j), both at most 1.
struct ChannelDecay {
  struct Level {             // blocks of 2s tokens, B = C / 2s of them
    at::Tensor prefix;       ///< right half: product from the half's start to the token, [M, B, s, K]
    at::Tensor suffix;       ///< left half: product from behind the token to the half's end, [M, B, s, K]
    at::Tensor left, right;  ///< product over either half, [M, B, 1, K]
  };
  std::vector<Level> levels;  ///< s = 1, 2, ..., C/2
  at::Tensor prefix, suffix;  ///< of the whole chunk, [M, C, K]
};

/// Gradients of a ChannelDecay's prefixes and suffixes, filled by channel_product_backward and by the operator.
struct ChannelDecayGradient {
  std::vector<at::Tensor> prefix, suffix;  ///< per level
  at::Tensor chunk_prefix, chunk_suffix;   ///< [M, C, K]; defined, overwritten
};

ChannelDecay channel_decay(const at::Tensor& decay);  // [M, C, K]

/// out(p, i, j) = sum_c left(p, i, c) right(j, c) a_{j+1, c} ... a_{i, c} for i >= j, 0 above.
/// left [M, P, C, K], right [M, C, K] -> [M, P, C, C].
at::Tensor channel_product(const at::Tensor& left, const at::Tensor& right, const ChannelDecay& decay);

struct ChannelProductGradient {
  at::Tensor left, right;
  std::vector<at::Tensor> prefix, suffix;  ///< per level, for ChannelDecayGradient
};

/// Reads only the lower triangle of `gradient` [M, P, C, C].
ChannelProductGradient channel_product_backward(const at::Tensor& gradient, const at::Tensor& left,
                                                const at::Tensor& right, const ChannelDecay& decay);

/// Gradient of the decays, [M, C, K].
at::Tensor channel_decay_backward(const ChannelDecay& decay, const ChannelDecayGradient& gradient);

/// (I + tril(a, -1))^{-1} for a [M, C, C], whose diagonal and upper triangle are not read. Solved in fp64: where keys
/// are alike, fp32 loses digits, by how much depends on the library's blocks.
at::Tensor unit_lower_inverse(const at::Tensor& a);

}  // namespace plait::kernels
