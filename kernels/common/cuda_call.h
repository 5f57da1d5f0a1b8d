#pragma once

#include <torch/torch.h>

#include <array>
#include <stdexcept>
#include <string>

#include "kernels/common/cuda_library.h"
#include "kernels/common/real.h"

/// What operators do around a function of libplait_cuda.so.
namespace plait::kernels {

/// Dense and aligned to 16 bytes, as the kernels ask; a part of a tensor may begin anywhere. Undefined stays undefined.
inline at::Tensor dense(const at::Tensor& x) {
  if (!x.defined()) return x;
  const at::Tensor y = x.contiguous();
  return reinterpret_cast<std::uintptr_t>(y.const_data_ptr()) % 16 == 0 ? y : y.clone();
}

/// Null for an undefined tensor.
inline void* data(const at::Tensor& x) { return x.defined() ? x.mutable_data_ptr() : nullptr; }
inline float* numbers(const at::Tensor& x) { return reals<float>(x); }

/// Whether the tensor is where plait's kernels run, and they are there.
inline bool on_kernels(const at::Tensor& x) { return x.is_cuda() && cuda_library().missing.empty(); }

inline bool has_kernel_type(const at::Tensor& x) {
  return x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
}
inline PlaitDataType data_type_of(const at::Tensor& x) {
  return x.scalar_type() == at::kFloat ? PLAIT_FLOAT32 : PLAIT_BFLOAT16;
}

/// Enqueues on the device's current stream. Throws std::runtime_error with the call that failed.
template <class Pass, class Arguments>
void enqueue(Pass pass, const Arguments& arguments, at::Device device) {
  const c10::impl::VirtualGuardImpl guard(device.type());
  auto* const stream = static_cast<CUstream_st*>(guard.getStreamNativeHandle(guard.getStream(device)));
  std::array<char, 512> message{};
  if (pass(&arguments, stream, message.data(), message.size()) != 0) throw std::runtime_error(message.data());
}

/// What blocks summed each for itself, fp32 [M, P, ...] -> [M, ...], in one launch for all that are defined.
template <std::size_t n>
std::array<at::Tensor, n> sums_of_parts(const std::array<at::Tensor, n>& all) {
  static_assert(n <= PLAIT_PARTS_AT_ONCE);
  std::array<at::Tensor, n> out;
  PlaitPartSums arguments{};
  at::Device device = at::kCUDA;
  for (std::size_t i = 0; i < n; ++i) {
    const at::Tensor& parts = all[i];
    if (!parts.defined()) continue;
    std::vector<std::int64_t> sizes = parts.sizes().vec();
    sizes.erase(sizes.begin() + 1);
    out[i] = at::empty(sizes, parts.options());
    device = parts.device();
    arguments.members = parts.size(0);
    arguments.of[arguments.count++] = {
        .parts = parts.size(1), .width = out[i].numel() / parts.size(0), .x = numbers(parts), .sums = numbers(out[i])};
  }
  if (arguments.count > 0) enqueue(cuda_library().part_sums, arguments, device);
  return out;
}

}  // namespace plait::kernels
