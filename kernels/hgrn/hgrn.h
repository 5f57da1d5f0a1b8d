#pragma once

#include <torch/torch.h>

/// The elementwise gated recurrence of HGRN (arXiv 2311.04823): h_t = exp(f_t) h_{t-1} + x_t.
namespace plait::kernels {

struct ElementwiseScan {
  at::Tensor output;  ///< every h_t, [N, T, D], of x's dtype
  at::Tensor state;   ///< the last, [N, D], fp32 (fp64 for fp64 inputs)
};

/// x, f [N, T, D]; f, the log decay, never above 0; initial_state [N, D], undefined is zero. Differentiable in all
/// three. Throws std::invalid_argument.
ElementwiseScan hgrn(const at::Tensor& x, const at::Tensor& f, const at::Tensor& initial_state = {});

/// The same token by token, differentiable by autograd: what the above is tested against.
ElementwiseScan hgrn_reference(const at::Tensor& x, const at::Tensor& f, const at::Tensor& initial_state = {});

}  // namespace plait::kernels
