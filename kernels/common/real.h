#pragma once

#include <ATen/Parallel.h>
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

/// Calls `pass(x, begin, end)` for shares of the heads, on as many threads as LibTorch takes.
template <class Recurrence, class Pass>
void over_heads(const Recurrence& x, const Pass& pass) {
  at::parallel_for(0, x.sequences * x.heads, 1, [&](std::int64_t begin, std::int64_t end) { pass(x, begin, end); });
}

/// Dense in a type; undefined stays undefined.
inline at::Tensor dense_as(const at::Tensor& x, at::ScalarType type) {
  return x.defined() ? x.to(type).contiguous() : x;
}
inline at::Tensor contiguous_if(const at::Tensor& x) { return x.defined() ? x.contiguous() : x; }
inline at::Tensor empty_if(const at::Tensor& like) { return like.defined() ? at::empty_like(like) : at::Tensor(); }

}  // namespace plait::kernels
