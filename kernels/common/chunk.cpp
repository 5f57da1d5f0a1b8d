#include "kernels/common/chunk.h"

#include <algorithm>

namespace plait::kernels {
namespace {

/// The diagonal blocks of 2s x 2s of x [M, P, C, C], their left lower quarter: a view [M, B, P, s, s].
at::Tensor lower_quarters(const at::Tensor& x, std::int64_t s) {
  const auto width = x.size(-1), blocks = width / (2 * s);
  return x.reshape({x.size(0), x.size(1), blocks, 2, s, blocks, 2, s})
      .diagonal(0, 2, 5)  // [M, P, 2, s, 2, s, B]
      .select(4, 0)
      .select(2, 1)  // [M, P, s, s, B]
      .permute({0, 4, 1, 2, 3});
}

/// Left (0) or right (1) halves of blocks of 2s tokens: [..., C, K] as a view [..., B, s, K].
at::Tensor halves(const at::Tensor& x, std::int64_t s, std::int64_t which) {
  auto sizes = x.sizes().vec();
  const auto key_width = sizes.back(), width = sizes[sizes.size() - 2];
  sizes.resize(sizes.size() - 2);
  sizes.insert(sizes.end(), {width / (2 * s), 2, s, key_width});
  return x.reshape(sizes).select(-3, which);
}

/// The right halves of left [M, P, C, K] times the level's prefixes, [M * B, P * s, K].
at::Tensor decayed_left(const at::Tensor& left, const at::Tensor& prefix, std::int64_t s) {
  const auto key_width = left.size(-1);
  return (halves(left, s, 1).transpose(1, 2) * prefix.unsqueeze(2)).reshape({-1, left.size(1) * s, key_width});
}

at::Tensor decayed_right(const at::Tensor& right, const at::Tensor& suffix, std::int64_t s) {
  return (halves(right, s, 0) * suffix).reshape({-1, s, right.size(-1)});
}

}  // namespace

Chunks cut(const at::Tensor& x, std::int64_t width) {
  const auto tokens = x.size(1);
  std::int64_t power = 1;
  while (power < tokens && power < width) power *= 2;
  return {x.size(0), tokens, x.size(2), power, (tokens + power - 1) / power};
}

at::Tensor to_chunks(const at::Tensor& x, const Chunks& chunks, at::ScalarType dtype, double padding) {
  auto rows = x.to(dtype).transpose(1, 2);  // [N, H, T, ...]
  const auto missing = chunks.width * chunks.count - chunks.tokens;
  if (missing > 0) {
    if (x.dim() == 3)
      rows = at::constant_pad_nd(rows, {0, missing}, padding);
    else
      rows = at::constant_pad_nd(rows, {0, 0, 0, missing}, padding);
  }
  if (x.dim() == 3) return rows.reshape({chunks.total(), chunks.width});
  return rows.reshape({chunks.total(), chunks.width, x.size(3)});
}

at::Tensor from_chunks(const at::Tensor& x, const Chunks& chunks) {
  auto sizes = std::vector<std::int64_t>{chunks.batch, chunks.heads, chunks.count * chunks.width};
  if (x.dim() == 3) sizes.push_back(x.size(2));
  return x.reshape(sizes).narrow(2, 0, chunks.tokens).transpose(1, 2);
}

at::Tensor chunk_of(const at::Tensor& x, const Chunks& chunks, std::int64_t l) {
  auto sizes = x.sizes().vec();
  sizes[0] = chunks.rows();
  sizes.insert(sizes.begin() + 1, chunks.count);
  return x.reshape(sizes).select(1, l);
}

at::Tensor decay_matrix(const at::Tensor& decay) {
  const auto width = decay.size(1);
  auto matrix = at::zeros({decay.size(0), width, width}, decay.options());
  matrix.diagonal(0, 1, 2).fill_(1.0);
  std::int64_t s = 1;
  for (const auto& level : channel_decay(decay.unsqueeze(-1)).levels) {
    auto block = lower_quarters(matrix.unsqueeze(1), s).squeeze(2);
    at::mul_out(block, level.prefix, level.suffix.transpose(2, 3));
    s *= 2;
  }
  return matrix;
}

at::Tensor decay_matrix_backward(const at::Tensor& decay, const at::Tensor& matrix, at::Tensor matrix_gradient,
                                 const at::Tensor& prefix_gradient) {
  const auto width = decay.size(1);
  auto gradient = at::zeros_like(decay);
  if (prefix_gradient.defined()) {  // a_0 ... a_i = a_0 D(i, 0)
    gradient.select(1, 0).copy_((prefix_gradient * matrix.select(2, 0)).sum(1));
    matrix_gradient.select(2, 0).addcmul_(prefix_gradient, decay.select(1, 0).unsqueeze(-1));
  }
  if (width == 1) return gradient;
  // da_i = sum_{j < i <= i'} D(i', i) dD(i', j) D(i - 1, j)
  const auto reached = at::bmm(matrix.transpose(1, 2).narrow(1, 1, width - 1), matrix_gradient);
  gradient.narrow(1, 1, width - 1).copy_((reached * matrix.narrow(1, 0, width - 1)).sum(-1));
  return gradient;
}

ChannelDecay channel_decay(const at::Tensor& decay) {
  const auto width = decay.size(1);
  ChannelDecay result{.levels = {}, .prefix = decay, .suffix = at::ones_like(decay)};
  for (std::int64_t s = 1; s < width; s *= 2) {
    const auto first = halves(result.prefix, s, 0), second = halves(result.prefix, s, 1);
    const auto first_suffix = halves(result.suffix, s, 0), second_suffix = halves(result.suffix, s, 1);
    const auto left = first.narrow(2, s - 1, 1), right = second.narrow(2, s - 1, 1);
    result.levels.push_back({second, first_suffix, left, right});
    result.prefix = at::cat({first, second * left}, 2).reshape(decay.sizes());
    result.suffix = at::cat({first_suffix * right, second_suffix}, 2).reshape(decay.sizes());
  }
  return result;
}

at::Tensor channel_product(const at::Tensor& left, const at::Tensor& right, const ChannelDecay& decay) {
  const auto total = left.size(0), lefts = left.size(1), width = left.size(2);
  auto out = at::zeros({total, lefts, width, width}, left.options());
  out.diagonal(0, 2, 3).copy_((left * right.unsqueeze(1)).sum(-1));
  std::int64_t s = 1;
  for (const auto& level : decay.levels) {
    const auto block =
        at::bmm(decayed_left(left, level.prefix, s), decayed_right(right, level.suffix, s).transpose(1, 2));
    lower_quarters(out, s).copy_(block.reshape({total, width / (2 * s), lefts, s, s}));
    s *= 2;
  }
  return out;
}

ChannelProductGradient channel_product_backward(const at::Tensor& gradient, const at::Tensor& left,
                                                const at::Tensor& right, const ChannelDecay& decay) {
  const auto total = left.size(0), lefts = left.size(1), width = left.size(2), key_width = left.size(3);
  const auto diagonal = gradient.diagonal(0, 2, 3).unsqueeze(-1);  // [M, P, C, 1]
  ChannelProductGradient result{
      .left = diagonal * right.unsqueeze(1), .right = (diagonal * left).sum(1), .prefix = {}, .suffix = {}};
  std::int64_t s = 1;
  for (const auto& level : decay.levels) {
    const auto blocks = width / (2 * s);
    const auto block = lower_quarters(gradient, s).reshape({total * blocks, lefts * s, s});
    const auto from_left =
        at::bmm(block, decayed_right(right, level.suffix, s)).reshape({total, blocks, lefts, s, key_width});
    const auto from_right =
        at::bmm(block.transpose(1, 2), decayed_left(left, level.prefix, s)).reshape({total, blocks, s, key_width});
    halves(result.left, s, 1).transpose(1, 2).addcmul_(from_left, level.prefix.unsqueeze(2));
    halves(result.right, s, 0).addcmul_(from_right, level.suffix);
    result.prefix.push_back((from_left * halves(left, s, 1).transpose(1, 2)).sum(2));
    result.suffix.push_back(from_right * halves(right, s, 0));
    s *= 2;
  }
  return result;
}

at::Tensor channel_decay_backward(const ChannelDecay& decay, const ChannelDecayGradient& gradient) {
  auto prefix = gradient.chunk_prefix, suffix = gradient.chunk_suffix;
  const auto sizes = prefix.sizes().vec();
  for (auto n = decay.levels.size(); n-- > 0;) {
    const auto& level = decay.levels[n];
    const auto s = std::int64_t{1} << n;
    auto first = halves(prefix, s, 0), second = halves(prefix, s, 1);
    const auto first_suffix = halves(suffix, s, 0), second_suffix = halves(suffix, s, 1);
    const auto left = (second * level.prefix).sum(2, true), right = (first_suffix * level.suffix).sum(2, true);
    auto new_prefix = at::stack({first, at::addcmul(gradient.prefix[n], second, level.left)}, 2);  // [M, B, 2, s, K]
    new_prefix.select(2, 0).narrow(2, s - 1, 1).add_(left);
    new_prefix.select(2, 1).narrow(2, s - 1, 1).add_(right);
    suffix = at::stack({at::addcmul(gradient.suffix[n], first_suffix, level.right), second_suffix}, 2).reshape(sizes);
    prefix = new_prefix.reshape(sizes);
  }
  return prefix;
}

at::Tensor unit_lower_inverse(const at::Tensor& a) {
  const at::Tensor precise = a.to(at::kDouble);
  return at::linalg_solve_triangular(precise, at::eye(a.size(1), precise.options()).expand_as(precise), /*upper=*/false,
                                     /*left=*/true, /*unitriangular=*/true)
      .to(a.scalar_type());
}

}  // namespace plait::kernels
