#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/cuda_types.h"

/// An embedding and its gradient on NVIDIA GPUs of compute capability 8.0 and above: part of libplait_cuda.so. Pointers
/// are device memory, dense and row-major in the given shape. Nothing is allocated and nothing waits; sums are in a
/// fixed order. Functions return 0, or 1 after writing to `message` what was refused, or which CUDA call failed and
/// why.
extern "C" {

struct PlaitEmbedding {
  std::int64_t members, tokens, classes, width;  ///< M, N, V, D, a multiple of 4
  const std::int64_t* token;                     ///< [M, N], 0 to V - 1
  const float* weight;                           ///< [M, V, D]
  float* y;                                      ///< [M, N, D], rows of the weight by token
  std::int32_t* short_token;                     ///< [M, N], token as the gradient reads it; null where there is none
};
int plait_embedding(const PlaitEmbedding* arguments, CUstream_st* stream, char* message, std::size_t message_bytes);

struct PlaitEmbeddingGradient {
  std::int64_t members, tokens, classes, width;  ///< M, N < 2^30, V, D of 32, 64, 128 or 256
  const std::int32_t* token;                     ///< [M, N], 0 to V - 1
  const float* dy;                               ///< [M, N, D]
  float* d_weight;                               ///< [M, V, D], sums of the rows of dy by token
};
int plait_embedding_gradient(const PlaitEmbeddingGradient* arguments, CUstream_st* stream, char* message,
                             std::size_t message_bytes);

}  // extern "C"
