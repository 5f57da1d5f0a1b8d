#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

/// What stands between the one product that projects a token for a delta rule, and the rule. Runs on a GPU alone, where
/// it replaces some thirty operations; elsewhere they are called one by one.
namespace plait::kernels {

struct DeltaShape {
  std::int64_t heads, value_heads, key_dim, value_dim, conv_width;  ///< H, Hv, K, V, W
  bool decays = false;                                              ///< whether there is a gate g
  double beta_scale = 1;

  std::int64_t channels() const { return 2 * heads * key_dim + value_heads * value_dim; }  ///< D, of q, k and v
  std::int64_t columns() const { return channels() + (decays ? 2 : 1) * value_heads; }     ///< with the gates'
  std::int64_t padded_columns() const { return (columns() + 15) / 16 * 16; }  ///< C: rows begin at 32 bytes
};

struct DeltaInputs {
  at::Tensor q, k;     ///< [M * B, T, H, K], of unit length
  at::Tensor v;        ///< [M * B, T, Hv, V]
  at::Tensor g, beta;  ///< [M * B, T, Hv] fp32; g undefined without decay
};

/// Whether delta_inputs and its passes take these.
bool fits_delta_inputs(const at::TensorOptions& options, const DeltaShape& shape);

/// u [M, B, T, C] holds q, k, v, the decay's a, the writing strength's b and padding; weight [M, D, W] of the short
/// convolutions without bias; a_log, dt_bias [M, Hv], undefined without decay. q, k and v are silu(conv), q and k
/// l2-normed per head; g = -exp(a_log) softplus(a + dt_bias), beta = beta_scale sigmoid(b) (Gated DeltaNet, arXiv
/// 2412.06464). Differentiable in all tensors.
DeltaInputs delta_inputs(const at::Tensor& u, const at::Tensor& weight, const at::Tensor& a_log,
                         const at::Tensor& dt_bias, const DeltaShape& shape);

/// The two passes without autograd, u [M, B, T, C] with strided rows, parameters dense and fp32.
struct DeltaParameters {
  at::Tensor weight, a_log, dt_bias;
};
DeltaInputs delta_inputs_forward(const at::Tensor& u, const DeltaParameters& parameters, const DeltaShape& shape);
struct DeltaParameterParts {
  at::Tensor weight;  ///< [M, parts, D, W]
  at::Tensor gates;   ///< [M, parts, 2, Hv] of a_log and dt_bias; undefined without decay
};
/// Writes d_u, of u's form. `d` are the gradients of what the forward pass gave.
DeltaParameterParts delta_inputs_backward(const at::Tensor& u, const DeltaParameters& parameters,
                                          const DeltaShape& shape, const DeltaInputs& d, const at::Tensor& d_u);

/// The shape as numbers, as contexts of autograd keep it.
std::vector<double> saved_shape(const DeltaShape& shape);
DeltaShape shape_from(const std::vector<double>& saved);

}  // namespace plait::kernels
