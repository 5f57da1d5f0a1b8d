#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/cuda_types.h"

/// Norms and short convolution on NVIDIA GPUs of compute capability 8.0 and above, each in one pass over its tensors:
/// part of libplait_cuda.so. Pointers are device memory, dense and row-major in the given shape. Nothing is allocated
/// and nothing waits; sums are in a fixed order, so results do not change from run to run. Functions return 0, or 1
/// after writing to `message` which CUDA call failed and why.
extern "C" {

enum PlaitActivation : std::int32_t { PLAIT_NO_ACTIVATION = 0, PLAIT_SWISH = 1, PLAIT_SIGMOID = 2 };

/// y = x / sqrt(sum(x^2) / divisor + eps) * weight * activation(gate) over the last axis, a multiple of 8 and at most
/// 1024 wide.
struct PlaitNorm {
  std::int64_t members, rows, width;  ///< M, rows of a member, D
  PlaitDataType data_type;            ///< of x and dx
  PlaitDataType out_type;             ///< of y, gate, dy and dgate: x's, or bf16 beside fp32
  PlaitActivation activation;
  float divisor, eps;
  const void* x;        ///< [M, rows, D]
  const float* weight;  ///< [M, D]; null is ones
  const void* gate;     ///< [M, rows, D]; null is no gate
  void* y;              ///< [M, rows, D]; forward only

  /// Of the backward pass only.
  const void* dy;          ///< [M, rows, D]
  void* dx;                ///< [M, rows, D]
  void* dgate;             ///< [M, rows, D]; not null exactly if gate is not
  float* weight_partials;  ///< [M, plait_norm_partials, D], whose sum over the second axis is dweight; not null exactly
                           ///< if weight is not
};
std::int64_t plait_norm_partials(const PlaitNorm* arguments);
int plait_norm_forward(const PlaitNorm* arguments, CUstream_st* stream, char* message, std::size_t message_bytes);
int plait_norm_backward(const PlaitNorm* arguments, CUstream_st* stream, char* message, std::size_t message_bytes);

/// y_t = activation(bias + sum_s weight[:, W-1-s] x_{t-s}), zero before the start; W of 2, 3 or 4,
/// D a multiple of 4 and at most 2048.
struct PlaitShortConv {
  std::int64_t members, batch, tokens, channels, width;  ///< M, B, T, D, W
  PlaitDataType data_type;                               ///< of x, y and their gradients
  PlaitActivation activation;                            ///< none or swish
  const void* x;                                         ///< [M, B, T, D]
  const float* weight;                                   ///< [M, D, W]
  const float* bias;                                     ///< [M, D]; null is zero
  void* y;                                               ///< [M, B, T, D]; forward only

  /// Of the backward pass only.
  const void* dy;   ///< [M, B, T, D]
  void* dx;         ///< [M, B, T, D]
  float* partials;  ///< [M, plait_short_conv_partials, D, W + 1]: summed over the second axis, dweight and then dbias
};
std::int64_t plait_short_conv_partials(const PlaitShortConv* arguments);
int plait_short_conv_forward(const PlaitShortConv* arguments, CUstream_st* stream, char* message,
                             std::size_t message_bytes);
int plait_short_conv_backward(const PlaitShortConv* arguments, CUstream_st* stream, char* message,
                              std::size_t message_bytes);

}  // extern "C"
