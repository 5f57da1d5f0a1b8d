#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/cuda_types.h"

/// Copies of weights for products: part of libplait_cuda.so. Pointers are device memory.
extern "C" {

/// A weight of M members, `count` fp32 numbers each, dense, to where rows of a wider matrix begin.
struct PlaitWeightCopy {
  const float* from;  ///< [M, count]
  void* to;           ///< of the joined type
  std::int64_t count;
  std::int64_t stride;      ///< numbers from a member of `to` to the next
  std::int64_t members;     ///< M
  PlaitDataType data_type;  ///< of `to`
};
enum { PLAIT_WEIGHTS_AT_ONCE = 64 };  ///< at most
struct PlaitCopyWeights {
  std::int64_t count;
  PlaitWeightCopy of[PLAIT_WEIGHTS_AT_ONCE];  ///< the first `count`
};
/// Returns 0, or 1 after writing to `message` which CUDA call failed and why. Enqueues one kernel and does not wait.
int plait_copy_weights(const PlaitCopyWeights* arguments, CUstream_st* stream, char* message,
                       std::size_t message_bytes);

}  // extern "C"
