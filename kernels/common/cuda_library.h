#pragma once

#include <string>

#include "kernels/adamw/adamw_cuda.h"
#include "kernels/common/part_sums_cuda.h"
#include "kernels/cross_entropy/cross_entropy_cuda.h"
#include "kernels/embedding/embedding_cuda.h"
#include "kernels/gated_delta_rule/gated_delta_rule_cuda.h"
#include "kernels/joined_weights/joined_weights_cuda.h"
#include "kernels/linear_attention/linear_attention_cuda.h"
#include "kernels/random/random_cuda.h"
#include "kernels/sequence/sequence_cuda.h"

namespace plait::kernels {

/// plait's own CUDA kernels: libplait_cuda.so, which stands beside the library that this code is in.
struct CudaLibrary {
  decltype(&plait_gated_delta_rule_check) gated_delta_rule_check = nullptr;
  decltype(&plait_gated_delta_rule_workspace_bytes) gated_delta_rule_workspace_bytes = nullptr;
  decltype(&plait_gated_delta_rule_forward) gated_delta_rule_forward = nullptr;
  decltype(&plait_gated_delta_rule_backward) gated_delta_rule_backward = nullptr;
  decltype(&plait_linear_attention_check) linear_attention_check = nullptr;
  decltype(&plait_linear_attention_workspace_bytes) linear_attention_workspace_bytes = nullptr;
  decltype(&plait_linear_attention_forward) linear_attention_forward = nullptr;
  decltype(&plait_linear_attention_backward) linear_attention_backward = nullptr;
  decltype(&plait_cross_entropy) cross_entropy = nullptr;
  decltype(&plait_take_gradients) take_gradients = nullptr;
  decltype(&plait_member_norms) member_norms = nullptr;
  decltype(&plait_step_rates) step_rates = nullptr;
  decltype(&plait_adamw) adamw = nullptr;
  decltype(&plait_random_words) random_words = nullptr;
  decltype(&plait_sort_rows) sort_rows = nullptr;
  decltype(&plait_distinct) distinct = nullptr;
  decltype(&plait_embedding) embedding = nullptr;
  decltype(&plait_embedding_gradient) embedding_gradient = nullptr;
  decltype(&plait_copy_weights) copy_weights = nullptr;
  decltype(&plait_part_sums) part_sums = nullptr;
  decltype(&plait_norm_partials) norm_partials = nullptr;
  decltype(&plait_norm_forward) norm_forward = nullptr;
  decltype(&plait_norm_backward) norm_backward = nullptr;
  decltype(&plait_short_conv_partials) short_conv_partials = nullptr;
  decltype(&plait_short_conv_forward) short_conv_forward = nullptr;
  decltype(&plait_short_conv_backward) short_conv_backward = nullptr;
  decltype(&plait_delta_inputs_weight_partials) delta_inputs_weight_partials = nullptr;
  decltype(&plait_delta_inputs_gate_partials) delta_inputs_gate_partials = nullptr;
  decltype(&plait_delta_inputs_forward) delta_inputs_forward = nullptr;
  decltype(&plait_delta_inputs_backward) delta_inputs_backward = nullptr;
  decltype(&plait_swiglu_forward) swiglu_forward = nullptr;
  decltype(&plait_swiglu_backward) swiglu_backward = nullptr;
  std::string missing;  ///< why there are none; empty when all are there
};

/// Loaded when it is first asked for. The current device must be one that LibTorch has opened.
const CudaLibrary& cuda_library();

}  // namespace plait::kernels
