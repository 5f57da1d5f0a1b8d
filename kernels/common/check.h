#pragma once

#include <torch/torch.h>

#include <initializer_list>
#include <optional>
#include <string_view>

/// What the operators ask of their tensors, each with a message that names the tensor, what it is and what is allowed.
namespace plait::kernels {

/// A tensor of an operator by name and the sizes it must have; -1 allows any size above 0.
struct Expected {
  std::string_view name;
  const at::Tensor& tensor;
  std::initializer_list<std::int64_t> sizes;
  bool may_be_fp32 = false;  ///< beside others of any dtype
};

/// Throws std::invalid_argument unless every tensor is defined, has its sizes and is floating point of the dtype and on
/// the device of the first.
void check_tensors(std::string_view op, std::initializer_list<Expected> tensors);

/// The same for a state, which may be undefined or of another floating dtype: `like` gives the device.
void check_state(std::string_view op, const Expected& state, const at::Tensor& like);

/// Throws unless g is undefined, [N, T, H] or [N, T, H, K] for k [N, T, H, K], on k's device, of
/// k's dtype or fp32.
void check_log_decay(std::string_view op, const at::Tensor& g, const at::Tensor& k);

/// Throws unless chunk is 0, 16, 32 or 64.
void check_chunk(std::string_view op, std::int64_t chunk);

/// What is computed in: fp64 for fp64, else fp32.
at::ScalarType accumulation_type(const at::Tensor& x);

/// The scale given, K^(-1/2) for 0.
double scale_of(double scale, std::int64_t key_width);

/// x, or nothing where it is undefined: what torch::autograd::Function takes for a tensor that may be absent.
std::optional<at::Tensor> given(const at::Tensor& x);

/// `initial` in `dtype`, zeros of `sizes` if it is undefined. `like` gives the device.
at::Tensor initial_or_zeros(const at::Tensor& initial, at::IntArrayRef sizes, const at::Tensor& like,
                            at::ScalarType dtype);

}  // namespace plait::kernels
