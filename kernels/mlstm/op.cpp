#include "kernels/mlstm/mlstm.h"

namespace plait::kernels {

MLstmScan mlstm(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& i, const at::Tensor& f,
                const MLstmState& initial_state) {
  return mlstm_reference(q, k, v, i, f, initial_state);
}

}  // namespace plait::kernels
