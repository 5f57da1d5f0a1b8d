#pragma once

#include "src/nn/layer.h"

namespace plait::nn {

/// The forget gate of HGRN and HGRN2 with its lower bound lb in [0, 1): e^g = lb + (1 - lb) sigmoid(f) (arXiv
/// 2311.04823, eq. 5).
struct ForgetGate {
  at::Tensor log_decay;  ///< g <= 0
  at::Tensor input;      ///< 1 - e^g = (1 - lb) sigmoid(-f), without the cancellation
};

/// f [G, B, T, D], lower_bound [G, D] or undefined, which is 0; both parts in f's dtype.
ForgetGate forget_gate(const at::Tensor& f, const at::Tensor& lower_bound);

}  // namespace plait::nn
