#pragma once

#include <torch/torch.h>

/// What operators do around loops over plain numbers on a CPU.
namespace plait::kernels {

/// Null for an undefined tensor.
template <class Real>
Real* reals(const at::Tensor& x) {
  return x.defined() ? x.mutable_data_ptr<Real>() : nullptr;
}

/// Calls `use` with a number of the tensor's type: double, else float.
template <class Use>
void with_real(const at::Tensor& like, const Use& use) {
  like.scalar_type() == at::kDouble ? use(double{}) : use(float{});
}

inline at::Tensor empty_if(const at::Tensor& like) { return like.defined() ? at::empty_like(like) : at::Tensor(); }

}  // namespace plait::kernels
