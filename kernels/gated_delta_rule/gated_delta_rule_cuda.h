#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/cuda_types.h"

/// The gated delta rule with one gate a head and token (or none), on NVIDIA GPUs of compute capability 8.0 and above:
/// the C interface of libplait_cuda.so. Nothing here needs torch, or CUDA's headers.
extern "C" {

/// Pointers are device memory, aligned to 16 bytes, dense and row-major in the given shape. No output may overlap an
/// input or another output. N sequences (population x batch), T >= 0 tokens, H heads, K and V of 32, 64 or 128.
struct PlaitGatedDeltaRule {
  std::int64_t sequences, tokens, heads, key_dim, value_dim;  ///< N, T, H, K, V
  PlaitDataType data_type;                                    ///< of q, k, v, output and their gradients
  PlaitDataType gate_type;                                    ///< of g, beta and their gradients
  float scale;                                                ///< factor on q, usually K^(-1/2)

  const void* q;               ///< [N, T, H, K]
  const void* k;               ///< [N, T, H, K]
  const void* v;               ///< [N, T, H, V]
  const void* g;               ///< [N, T, H], log decay, never above 0; null is no decay
  const void* beta;            ///< [N, T, H]
  const float* initial_state;  ///< [N, H, K, V]; null is zero

  void* output;        ///< [N, T, H, V]; forward only
  float* final_state;  ///< [N, H, K, V]; forward only, may be null

  /// Written by the forward pass, read by the backward pass of the same arguments: what is found inside chunks of 16
  /// tokens, and states between some of them. As many bytes as plait_gated_delta_rule_workspace_bytes says; null in a
  /// forward pass that no backward pass follows.
  void* workspace;

  /// Of the backward pass only.
  const void* d_output;        ///< [N, T, H, V]
  const float* d_final_state;  ///< [N, H, K, V]; null is zero
  void* d_q;                   ///< [N, T, H, K]
  void* d_k;                   ///< [N, T, H, K]
  void* d_v;                   ///< [N, T, H, V]
  void* d_g;                   ///< [N, T, H]; not null exactly if g is not
  void* d_beta;                ///< [N, T, H]
  float* d_initial_state;      ///< [N, H, K, V]; may be null
};

/// 0 when there are no tokens; -1 for arguments that the passes refuse.
std::int64_t plait_gated_delta_rule_workspace_bytes(const PlaitGatedDeltaRule* arguments);

/// 0 when both passes run on the current device with these sizes and types; pointers are not read. Else 1, and why, as
/// the passes say it.
int plait_gated_delta_rule_check(const PlaitGatedDeltaRule* arguments, char* message, std::size_t message_bytes);

/// Enqueue one kernel on the stream of the current device and return without waiting; nothing is allocated, so they may
/// be captured in a graph. Results do not change from run to run. Return 0, or 1 after writing to `message` (of
/// message_bytes, ended by a zero) what was refused and what is allowed, or which CUDA call failed and why.
int plait_gated_delta_rule_forward(const PlaitGatedDeltaRule* arguments, CUstream_st* stream, char* message,
                                   std::size_t message_bytes);
int plait_gated_delta_rule_backward(const PlaitGatedDeltaRule* arguments, CUstream_st* stream, char* message,
                                    std::size_t message_bytes);

/// 0 and the current device's name in `message`, or 1 and why no kernel of this library can run here (no driver, no
/// GPU, one that is too old).
int plait_cuda_device(char* message, std::size_t message_bytes);

}  // extern "C"
