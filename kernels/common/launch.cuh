#pragma once

#include <cuda_runtime.h>

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>

/// What every launcher needs: words for the caller, and the checks before a launch.
namespace plait::kernels::cuda {

struct Message {
  char* text;
  std::size_t bytes;

  /// Returns 1, the failure that C callers see.
  [[gnu::format(printf, 2, 3)]] int say(const char* format, ...) const {
    if (text && bytes > 0) {
      std::va_list arguments;
      va_start(arguments, format);
      std::vsnprintf(text, bytes, format, arguments);
      va_end(arguments);
    }
    return 1;
  }
  int failed(const char* call, cudaError_t error) const {
    return say("%s: %s (%s)", call, cudaGetErrorString(error), cudaGetErrorName(error));
  }
};

/// Whether the current device has the shared memory that a block of `name` takes.
inline int check_shared_memory(const char* name, int shared_bytes, const Message& message) {
  int device = 0, available = 0;
  if (const cudaError_t e = cudaGetDevice(&device)) return message.failed("cudaGetDevice", e);
  if (const cudaError_t e = cudaDeviceGetAttribute(&available, cudaDevAttrMaxSharedMemoryPerBlockOptin, device)) {
    return message.failed("cudaDeviceGetAttribute", e);
  }
  if (shared_bytes > available) {
    return message.say("%s needs %d bytes of shared memory a block for these head dims; this GPU has %d", name,
                       shared_bytes, available);
  }
  return 0;
}

/// Launches a kernel of one parameter with dynamic shared memory, or says why not.
template <class Parameters>
int launch(void (*kernel)(Parameters), const char* name, dim3 blocks, int threads, int shared_bytes,
           const Parameters& parameters, cudaStream_t stream, const Message& message) {
  if (check_shared_memory(name, shared_bytes, message)) return 1;
  if (const cudaError_t e = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes)) {
    return message.failed("cudaFuncSetAttribute", e);
  }
  kernel<<<blocks, static_cast<unsigned>(threads), static_cast<std::size_t>(shared_bytes), stream>>>(parameters);
  if (const cudaError_t e = cudaGetLastError()) return message.failed(name, e);
  return 0;
}

}  // namespace plait::kernels::cuda
