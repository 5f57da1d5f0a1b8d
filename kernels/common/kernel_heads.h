#pragma once

#include <array>
#include <string>
#include <vector>

#include "kernels/common/cuda_call.h"

/// How operators bring heads of any width to the recurrences' CUDA kernels, which know 32, 64 and 128: filled up with
/// zeros.
namespace plait::kernels {

inline constexpr std::int64_t kWidestHead = 128;

inline std::int64_t kernel_width(std::int64_t width) { return width <= 32 ? 32 : width <= 64 ? 64 : kWidestHead; }

/// Why a recurrence's kernels do not take keys and values like these, in words; empty when they do. `check` is its C
/// function that says whether the GPU has what they need, `arguments` what that reads besides sizes and types.
template <class Check, class Arguments>
std::string kernel_refusal(const at::Tensor& k, const at::Tensor& v, Check check, Arguments arguments) {
  if (!k.is_cuda()) return "the tensors are on the " + k.device().str();
  if (!has_kernel_type(k))
    return std::string("the dtype is ") + c10::toString(k.scalar_type()) + ", not Float or BFloat16";
  if (k.size(3) > kWidestHead || v.size(3) > kWidestHead) {
    return "the head dims are " + std::to_string(k.size(3)) + " and " + std::to_string(v.size(3)) + ", above " +
           std::to_string(kWidestHead);
  }
  if (!cuda_library().missing.empty()) return cuda_library().missing;
  arguments.key_dim = kernel_width(k.size(3));
  arguments.value_dim = kernel_width(v.size(3));
  arguments.data_type = data_type_of(k);
  arguments.gate_type = PLAIT_FLOAT32;
  std::array<char, 256> message{};
  return check(&arguments, message.data(), message.size()) == 0 ? "" : message.data();
}

/// The last axes filled up with zeros: one of keys or values, or the two of a state.
inline at::Tensor filled_up(const at::Tensor& x, std::int64_t last, std::int64_t last_but_one = 0) {
  std::vector<std::int64_t> padding = {0, last - x.size(-1)};
  if (last_but_one != 0) padding.insert(padding.end(), {0, last_but_one - x.size(-2)});
  for (const std::int64_t count : padding)
    if (count != 0) return at::constant_pad_nd(x, padding);
  return x;
}

/// The first `width` of an axis. Even a whole one taken would have a gradient of its own, with a copy.
inline at::Tensor taken(const at::Tensor& x, std::int64_t axis, std::int64_t width) {
  return x.size(axis) == width ? x : x.narrow(axis, 0, width);
}

/// As the kernels take gates and states. Undefined stays undefined.
inline at::Tensor dense_fp32(const at::Tensor& x) { return x.defined() ? dense(x.to(at::kFloat)) : x; }

}  // namespace plait::kernels
