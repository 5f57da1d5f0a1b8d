#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/cuda_types.h"

/// What stands around the recurrences, on NVIDIA GPUs of compute capability 8.0 and above, each in one pass over its
/// tensors: part of libplait_cuda.so. Pointers are device memory, dense and row-major in the given shape. Nothing is
/// allocated and nothing waits; sums are in a fixed order, so results do not change from run to run. Functions return
/// 0, or 1 after writing to `message` which CUDA call failed and why.
extern "C" {

enum PlaitActivation : std::int32_t { PLAIT_NO_ACTIVATION = 0, PLAIT_SWISH = 1, PLAIT_SIGMOID = 2 };

/// y = z / sqrt(sum(z^2) / divisor + eps) * weight * activation(gate) over the last axis, a multiple of 8 and at most
/// 1024 wide, with z = x + add.
struct PlaitNorm {
  std::int64_t members, rows, width;  ///< M, rows of a member, D
  PlaitDataType data_type;            ///< of x and dx
  PlaitDataType out_type;             ///< of y, gate, dy and dgate: x's, or bf16 beside fp32
  PlaitActivation activation;
  float divisor, eps;
  /// Rows of gate and dgate that lie beside each other, and numbers from one such group to the next, a multiple of 8; 0
  /// and 0 where they are dense.
  std::int64_t gate_group, gate_stride;
  const void* x;        ///< [M, rows, D]
  const float* weight;  ///< [M, D]; null is ones
  const void* gate;     ///< [M, rows, D], or strided as below; null is no gate
  const void* add;      ///< [M, rows, D] of out_type; null is no addend. Forward only: backward, x is z
  void* sum;            ///< [M, rows, D] of x's type, z; not null exactly if add is not; forward only
  void* y;              ///< [M, rows, D]; forward only

  /// Of the backward pass only.
  const void* dy;          ///< [M, rows, D]
  const void* d_sum;       ///< [M, rows, D] of x's type, what z gets from elsewhere; null is zero
  void* dx;                ///< [M, rows, D]
  void* d_add;             ///< [M, rows, D] of out_type, dx rounded; may be null
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

/// What a delta rule takes, from the columns [q | k | v | a | b | padding] of one product u: causal convolution without
/// bias and SiLU of q, k and v, q and k then divided by their heads' length (sqrt(sum + 1e-6)); the log decay g =
/// -exp(a_log) softplus(a + dt_bias) and beta = beta_scale sigmoid(b). K a power of two from 4 to 128 that divides the
/// channels D = 2 H K + Hv V, at most 1536; W of 2, 3 or 4.
struct PlaitDeltaInputs {
  std::int64_t members, batch, tokens;                         ///< M, B, T
  std::int64_t heads, value_heads, key_dim, value_dim, width;  ///< H, Hv, K, V, W
  std::int64_t columns;                                        ///< C of u, a multiple of 4
  std::int64_t row_stride;  ///< numbers from a token of u, and of d_u, to the next: a multiple of 4
  PlaitDataType data_type;  ///< of u, q, k, v and their gradients
  float beta_scale;
  const void* u;         ///< [M, B, T, C], rows strided
  const float* weight;   ///< [M, D, W]
  const float* a_log;    ///< [M, Hv]; null is no decay: no columns a, no g
  const float* dt_bias;  ///< [M, Hv]; not null exactly if a_log is not

  /// Of the forward pass only.
  void* q;      ///< [M, B, T, H, K]
  void* k;      ///< [M, B, T, H, K]
  void* v;      ///< [M, B, T, Hv, V]
  float* g;     ///< [M, B, T, Hv]
  float* beta;  ///< [M, B, T, Hv]

  /// Of the backward pass only.
  const void *d_q, *d_k, *d_v;
  const float *d_g, *d_beta;
  void* d_u;               ///< [M, B, T, C], rows strided
  float* weight_partials;  ///< [M, plait_delta_inputs_weight_partials, D, W], summed over the second axis dweight
  float* gate_partials;    ///< [M, plait_delta_inputs_gate_partials, 2, Hv], likewise d a_log and d dt_bias
};
std::int64_t plait_delta_inputs_weight_partials(const PlaitDeltaInputs* arguments);
std::int64_t plait_delta_inputs_gate_partials(const PlaitDeltaInputs* arguments);
int plait_delta_inputs_forward(const PlaitDeltaInputs* arguments, CUstream_st* stream, char* message,
                               std::size_t message_bytes);
int plait_delta_inputs_backward(const PlaitDeltaInputs* arguments, CUstream_st* stream, char* message,
                                std::size_t message_bytes);

/// y = silu(gate) * up for u = [gate | up], F a multiple of 8.
struct PlaitSwiGlu {
  std::int64_t rows, width;  ///< R, F
  PlaitDataType data_type;   ///< of all
  const void* u;             ///< [R, 2 F]
  void* y;                   ///< [R, F]; forward only

  /// Of the backward pass only.
  const void* dy;  ///< [R, F]
  void* du;        ///< [R, 2 F]
};
int plait_swiglu_forward(const PlaitSwiGlu* arguments, CUstream_st* stream, char* message, std::size_t message_bytes);
int plait_swiglu_backward(const PlaitSwiGlu* arguments, CUstream_st* stream, char* message, std::size_t message_bytes);

}  // extern "C"
