#pragma once

#include <torch/torch.h>

#include <cstdint>

/// Causal softmax attention over the whole context or a window, on PyTorch's scaled_dot_product_attention.
namespace plait::kernels {

struct AttentionOptions {
  double scale = 0.0;       ///< factor on q k^T; 0 stands for D^(-1/2)
  std::int64_t window = 0;  ///< token i sees j with 0 <= i - j < window; 0 is all
};

/// q [N, T, H, D]; k [N, S, Hkv, D]; v [N, S, Hkv, V], Hkv divides H and query head h reads key head h * Hkv / H; S >=
/// T, and the queries are the last T of S positions (decoding). V may differ from D (latent attention). Returns [N, T,
/// H, V]. Throws std::invalid_argument.
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const AttentionOptions& options = {});

/// Scores, mask, softmax and weighted sum written out: what the above is tested against.
at::Tensor attention_reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               const AttentionOptions& options = {});

}  // namespace plait::kernels
