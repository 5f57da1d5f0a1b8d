#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/cuda_types.h"

/// Cross-entropy of rows of bf16 logits on NVIDIA GPUs of compute capability 8.0 and above: part of libplait_cuda.so.
/// Pointers are device memory, dense and row-major in the given shape. Nothing is allocated and nothing waits.
/// Returns 0, or 1 after writing to `message` which CUDA call failed and why.
extern "C" {

enum { PLAIT_CROSS_ENTROPY_CLASSES = 32768 };  ///< at most

struct PlaitCrossEntropy {
  std::int64_t rows, classes;  ///< R, V, a multiple of 8
  void* logits;                ///< [R, V]; replaced by the loss's gradient times d_loss, unless that is 0
  const std::int64_t* labels;  ///< [R], 0 to V - 1
  float d_loss;

  float* loss;  ///< [R]
  bool* hits;   ///< [R], whether the label is the first of the largest
};
int plait_cross_entropy(const PlaitCrossEntropy* arguments, CUstream_st* stream, char* message,
                        std::size_t message_bytes);

}  // extern "C"
