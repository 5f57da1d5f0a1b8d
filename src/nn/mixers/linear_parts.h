#pragma once

#include "src/nn/layer.h"

/// What the linear mixers share at both ends: projections with a short convolution, and the normed output.
namespace plait::nn {

/// Slots of the state (RetNet, GLA): histories of the three convolutions, then the recurrent state.
inline constexpr std::size_t kLinearScanSlot = 3;

/// Projection with its short convolution where there is one; SiLU follows the convolution alone.
class ConvolvedProjection {
 public:
  /// Weights "<name>_proj.weight" and, for a width above 0, "<name>_conv1d.weight".
  ConvolvedProjection(WeightFactory& weights, const std::string& name, std::int64_t out, std::int64_t in,
                      std::int64_t conv_width);

  at::Tensor operator()(const at::Tensor& x, LayerState* state, std::size_t slot) const;  ///< without SiLU
  at::Tensor activated(const at::Tensor& x, LayerState* state, std::size_t slot) const;
  bool has_convolution() const { return conv_.defined(); }
  const at::Tensor& weight() const { return weight_; }  ///< [G, out, in]
  const at::Tensor& filter() const { return conv_; }    ///< [G, out, 1, W]; undefined without a convolution

 private:
  at::Tensor weight_, conv_;
};

/// RMSNorm per head with the weight `norm`, times swish(g_proj x) when gated, then o_proj.
class NormedOutput {
 public:
  NormedOutput(WeightFactory& weights, const LayerSite& site, const std::string& norm, std::int64_t heads,
               std::int64_t value_head_dim, bool gated);

  /// output [G * B, T, H, V], x [G, B, T, d_model]
  at::Tensor operator()(const at::Tensor& output, const at::Tensor& x) const;

  // For those who make the norm themselves.
  const at::Tensor& gate() const { return gate_; }  ///< [G, H V, d_model]; undefined without one
  const at::Tensor& norm() const { return norm_; }  ///< [G, V]
  at::Tensor projected(const at::Tensor& normed) const { return project(normed, o_); }  ///< [G, B, T, H V]

 private:
  std::int64_t heads_;
  double eps_;
  at::Tensor gate_, norm_;
  kernels::JoinedWeights o_;
};

/// The scan_path of a layer whose scan is linear attention.
std::string linear_attention_scan_path(std::int64_t key_dim, std::int64_t value_dim, bool channel_gates,
                                       const at::TensorOptions& options);

}  // namespace plait::nn
