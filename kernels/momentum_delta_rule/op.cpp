#include "kernels/common/check.h"
#include "kernels/momentum_delta_rule/momentum_delta_rule.h"

namespace plait::kernels {

MomentumScan momentum_delta_rule(const at::Tensor& q, const at::Tensor& k, const at::Tensor& p, const at::Tensor& v,
                                 const at::Tensor& alpha, const at::Tensor& mu, const at::Tensor& eta,
                                 const at::Tensor& beta, const MomentumScanOptions& options) {
  return momentum_delta_rule_reference(q, k, p, v, alpha, mu, eta, beta, options);
}

}  // namespace plait::kernels
