#pragma once

#include <string>

#include "kernels/common/scan.h"

namespace plait::kernels {

/// Why plait's CUDA kernel does not take these, in words; empty when it does. `g` may be undefined.
std::string gated_delta_rule_cuda_refusal(const at::Tensor& k, const at::Tensor& v, const at::Tensor& g);

/// gated_delta_rule on a GPU by the kernel of gated_delta_rule_cuda.h; arguments checked by the caller. Head dims are
/// filled up with zeros to 32, 64 or 128; gates are fp32. Throws std::runtime_error with the call that failed.
Scan gated_delta_rule_cuda(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                           const at::Tensor& beta, const at::Tensor& initial_state, double scale);

/// The kernel's two passes without autograd: all dense, of head dims that it has, gates and states fp32. g and
/// initial_state may be undefined.
struct DeltaRuleTensors {
  at::Tensor q, k, v, g, beta, initial_state;
};
struct DeltaRuleOutput {
  at::Tensor output;
  at::Tensor workspace;  ///< for the backward pass; undefined when none follows, or it needs none
};
DeltaRuleOutput delta_rule_forward(const DeltaRuleTensors& x, double scale, bool differentiated,
                                   const at::Tensor& final_state = {});
/// Gradients of what is defined in x.
DeltaRuleTensors delta_rule_backward(const DeltaRuleTensors& x, double scale, const at::Tensor& workspace,
                                     const at::Tensor& d_output, const at::Tensor& d_final_state = {});

}  // namespace plait::kernels
