#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "src/spec/model_spec.h"

/// Small models whose logits the real flash-linear-attention computes too (tests/nn/peers/fla_logits.py). Weights and
/// tokens come from one formula on both sides, so that a golden file holds logits alone.
namespace plait::testing {

struct NamedModel {
  std::string name;
  spec::ModelSpec model;
};

/// Every mixer, with the options that change what is computed, and hybrids.
std::vector<NamedModel> parity_models();

/// Longer than a chunk of 64, and no multiple of it.
inline constexpr std::int64_t kParityTokens = 70;
/// Every how manieth position a golden file keeps, the last included.
inline constexpr std::int64_t kParityStride = 10;

/// [1, 1, kParityTokens]
at::Tensor parity_tokens(std::int64_t vocabulary);

/// The weight that the library calls `name`, fp64: pseudo-random numbers of (name, index) in a range by the kind of
/// weight.
at::Tensor parity_weight(const std::string& name, at::IntArrayRef shape);

}  // namespace plait::testing
