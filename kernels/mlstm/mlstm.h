#pragma once

#include <torch/torch.h>

/// The matrix LSTM with exponential input gates (xLSTM, arXiv 2405.04517), stabilised by a running maximum.
namespace plait::kernels {

struct MLstmState {
  at::Tensor cell;        ///< C, [N, H, K, V]
  at::Tensor normaliser;  ///< n, [N, H, K]
  at::Tensor maximum;     ///< m, [N, H]
};

struct MLstmScan {
  at::Tensor output;  ///< [N, T, H, V], of v's dtype
  MLstmState state;   ///< after the last token, fp32 (fp64 for fp64 inputs)
};

/// q, k [N, T, H, K], scaled by K^(-1/2) inside; v [N, T, H, V]; i, the pre-activation of the exponential input gate,
/// and f, that of the sigmoid forget gate, [N, T, H]. A state with undefined tensors is the empty one. Differentiable
/// in all five. Throws std::invalid_argument.
MLstmScan mlstm(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& i, const at::Tensor& f,
                const MLstmState& initial_state = {});

/// The recurrence token by token, differentiable by autograd: what the above is tested against.
MLstmScan mlstm_reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& i,
                          const at::Tensor& f, const MLstmState& initial_state = {});

}  // namespace plait::kernels
