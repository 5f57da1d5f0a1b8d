#include <vector>

#include "kernels/common/check.h"
#include "kernels/hgrn/hgrn.h"

namespace plait::kernels {

ElementwiseScan hgrn_reference(const at::Tensor& x, const at::Tensor& f, const at::Tensor& initial_state) {
  at::Tensor h = initial_or_zeros(initial_state, {x.size(0), x.size(2)}, x, x.scalar_type());
  std::vector<at::Tensor> outputs;
  for (std::int64_t t = 0; t < x.size(1); ++t) {
    h = f.select(1, t).exp() * h + x.select(1, t);
    outputs.push_back(h);
  }
  return {at::stack(outputs, 1), h.to(accumulation_type(x))};
}

}  // namespace plait::kernels
