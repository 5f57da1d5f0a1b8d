#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/cuda_types.h"

/// Cross-entropy of rows of logits on NVIDIA GPUs of compute capability 8.0 and above: part of libplait_cuda.so.
/// Pointers are device memory, dense and row-major in the given shape. Nothing is allocated and nothing waits.
/// Functions return 0, or 1 after writing to `message` which CUDA call failed and why.
extern "C" {

struct PlaitCrossEntropy {
  std::int64_t rows, classes;  ///< R, V
  PlaitDataType data_type;     ///< of logits and d_logits
  const void* logits;          ///< [R, V]
  const std::int64_t* labels;  ///< [R], 0 to V - 1

  float* loss;  ///< [R], forward only
  bool* hits;   ///< [R], whether the label is the first of the largest; forward only
  float* lse;   ///< [R], log sum exp: written by the forward pass, read by the backward pass

  /// Of the backward pass only.
  const float* d_loss;  ///< [R]
  void* d_logits;       ///< [R, V]; may be `logits`
};
int plait_cross_entropy_forward(const PlaitCrossEntropy* arguments, CUstream_st* stream, char* message,
                                std::size_t message_bytes);
int plait_cross_entropy_backward(const PlaitCrossEntropy* arguments, CUstream_st* stream, char* message,
                                 std::size_t message_bytes);

/// The same for logits that are never written: rows x times a weight, bf16 with fp32 sums. Sums are in a fixed order.
struct PlaitLinearCrossEntropy {
  std::int64_t members, rows, classes, width;  ///< M, R, V (a multiple of 64), D of 32, 64 or 128
  const void* x;                               ///< [M, R, D] bf16
  const void* weight;                          ///< [M, V, D] bf16
  const std::int64_t* labels;                  ///< [M, R], 0 to V - 1

  float* loss;  ///< [M, R], forward only
  bool* hits;   ///< [M, R], as above; forward only
  float* lse;   ///< [M, R], log sum exp: written by the forward pass, read by the backward pass
  /// Space of the forward pass, plait_linear_cross_entropy_class_bytes bytes.
  void* class_parts;

  /// Of the backward pass only.
  const float* d_loss;    ///< [M, R]
  void* d_x;              ///< [M, R, D] bf16
  float* d_weight_parts;  ///< [plait_linear_cross_entropy_row_parts, M, V, D], whose sum over the first axis is
                          ///< dweight
};
std::int64_t plait_linear_cross_entropy_class_bytes(const PlaitLinearCrossEntropy* arguments);
std::int64_t plait_linear_cross_entropy_row_parts(const PlaitLinearCrossEntropy* arguments);
int plait_linear_cross_entropy_forward(const PlaitLinearCrossEntropy* arguments, CUstream_st* stream, char* message,
                                       std::size_t message_bytes);
int plait_linear_cross_entropy_backward(const PlaitLinearCrossEntropy* arguments, CUstream_st* stream, char* message,
                                        std::size_t message_bytes);

}  // extern "C"
