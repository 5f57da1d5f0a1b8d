#pragma once

#include "kernels/common/cuda_types.h"
#include "kernels/common/launch.cuh"

/// What the recurrences' C functions check before a launch, and how they find the kernel for their head dims.
namespace plait::kernels::cuda {

inline bool has_dim(std::int64_t d) { return d == 32 || d == 64 || d == 128; }
inline bool has_type(PlaitDataType t) { return t == PLAIT_FLOAT32 || t == PLAIT_BFLOAT16; }

/// Of the arguments of a recurrence: its sizes and types.
template <class Arguments>
int check_shape(const Arguments& p, const Message& message) {
  if (p.sequences < 0 || p.tokens < 0 || p.heads < 0) {
    return message.say("sequences, tokens and heads are %lld, %lld, %lld; none may be negative",
                       static_cast<long long>(p.sequences), static_cast<long long>(p.tokens),
                       static_cast<long long>(p.heads));
  }
  if (p.heads > 0 && p.sequences > 0x7fffffffLL / p.heads) {
    return message.say("sequences x heads is %lld x %lld; at most 2147483647", static_cast<long long>(p.sequences),
                       static_cast<long long>(p.heads));
  }
  if (p.tokens > 0x3fffffffLL)
    return message.say("tokens is %lld; at most 1073741823", static_cast<long long>(p.tokens));
  if (!has_dim(p.key_dim))
    return message.say("key_dim is %lld; 32, 64 and 128 are supported", static_cast<long long>(p.key_dim));
  if (!has_dim(p.value_dim))
    return message.say("value_dim is %lld; 32, 64 and 128 are supported", static_cast<long long>(p.value_dim));
  if (!has_type(p.data_type))
    return message.say("data_type is %d; fp32 (0) and bf16 (1) are supported", static_cast<int>(p.data_type));
  if (!has_type(p.gate_type))
    return message.say("gate_type is %d; fp32 (0) and bf16 (1) are supported", static_cast<int>(p.gate_type));
  return 0;
}

struct Pointer {
  const char* name;
  const void* value;
  bool needed;
};

template <std::size_t n>
int check_pointers(const Pointer (&pointers)[n], const Message& message) {
  for (const Pointer& pointer : pointers) {
    if (!pointer.value && pointer.needed) return message.say("%s is null", pointer.name);
    if (reinterpret_cast<std::uintptr_t>(pointer.value) % 16 != 0)
      return message.say("%s is not aligned to 16 bytes", pointer.name);
  }
  return 0;
}

inline int check_device(const Message& message) {
  int count = 0;
  if (const cudaError_t e = cudaGetDeviceCount(&count); e != cudaSuccess || count == 0) {
    if (e == cudaErrorInsufficientDriver || e == cudaErrorNoDevice || e == cudaSuccess) {
      cudaGetLastError();
      return message.say("no NVIDIA GPU: %s", e == cudaSuccess ? "the driver lists none" : cudaGetErrorString(e));
    }
    return message.failed("cudaGetDeviceCount", e);
  }
  int device = 0, major = 0;
  if (const cudaError_t e = cudaGetDevice(&device)) return message.failed("cudaGetDevice", e);
  if (const cudaError_t e = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device)) {
    return message.failed("cudaDeviceGetAttribute", e);
  }
  if (major < 8) return message.say("this GPU has compute capability %d.x; 8.0 and above are supported", major);
  return 0;
}

/// f.template operator()<E, K, V>() for the head dims of the arguments, which have been checked.
template <class E, class Arguments, class F>
auto with_dims(const Arguments& p, F f) {
  const auto with_v = [&]<int K>() {
    if (p.value_dim == 32) return f.template operator()<E, K, 32>();
    if (p.value_dim == 64) return f.template operator()<E, K, 64>();
    return f.template operator()<E, K, 128>();
  };
  if (p.key_dim == 32) return with_v.template operator()<32>();
  if (p.key_dim == 64) return with_v.template operator()<64>();
  return with_v.template operator()<128>();
}

}  // namespace plait::kernels::cuda
