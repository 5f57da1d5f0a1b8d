#include "kernels/common/check.h"
#include "kernels/gated_delta_rule/gated_delta_rule.h"

namespace plait::kernels {

Scan gated_delta_rule(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                      const at::Tensor& beta, const ScanOptions& options) {
  return gated_delta_rule_reference(q, k, v, g, beta, options);
}

}  // namespace plait::kernels
