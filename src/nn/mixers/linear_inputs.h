#pragma once

#include "src/nn/layer.h"

/// What the layers of gated linear attention with separate projections (RetNet, GLA) share.
namespace plait::nn {

/// Slots of the state: histories of the three convolutions, then the recurrent state.
inline constexpr std::size_t kLinearScanSlot = 3;

/// Projection with its short convolution where there is one; SiLU follows the convolution alone.
class ConvolvedProjection {
 public:
  /// Weights "<name>_proj.weight" and, for a width above 0, "<name>_conv1d.weight".
  ConvolvedProjection(WeightFactory& weights, const std::string& name, std::int64_t out, std::int64_t in,
                      std::int64_t conv_width);

  at::Tensor operator()(const at::Tensor& x, LayerState* state, std::size_t slot) const;  ///< without SiLU
  at::Tensor activated(const at::Tensor& x, LayerState* state, std::size_t slot) const;

 private:
  at::Tensor weight_, conv_;
};

/// The output of RetNet and GLA: RMSNorm per head, times swish(g_proj x) when gated, then o_proj.
class NormedOutput {
 public:
  NormedOutput(WeightFactory& weights, const LayerSite& site, std::int64_t heads, std::int64_t value_head_dim,
               bool gated);

  /// output [G * B, T, H, V], x [G, B, T, d_model]
  at::Tensor operator()(const at::Tensor& output, const at::Tensor& x) const;

 private:
  std::int64_t heads_;
  double eps_;
  at::Tensor gate_, norm_, o_;
};

}  // namespace plait::nn
