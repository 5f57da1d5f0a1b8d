#include <algorithm>

#include "kernels/gated_delta_rule/backward.cuh"
#include "kernels/gated_delta_rule/dispatch.cuh"
#include "kernels/gated_delta_rule/forward.cuh"

namespace plait::kernels::cuda {
namespace {

std::int64_t workspace_bytes(const PlaitGatedDeltaRule& p) {
  const auto of = [&]<class E, int K, int V>() {
    constexpr std::int64_t kEvery = checkpoint_tokens<E, K, V>();
    const std::int64_t checkpoints = p.tokens > 0 ? (p.tokens + kEvery - 1) / kEvery - 1 : 0;
    return record_bytes<E>(p) + p.sequences * p.heads * checkpoints * K * V * static_cast<std::int64_t>(sizeof(E));
  };
  return p.data_type == PLAIT_BFLOAT16 ? with_dims<Bf16>(p, of) : with_dims<float>(p, of);
}

int check_fit(const PlaitGatedDeltaRule& p, const Message& message) {
  const auto of = [&]<class E, int K, int V>() {
    constexpr int kMost = std::max(ForwardShape<E, K, V>::kMostBytes, BackwardShape<E, K, V>::kBytes);
    return check_shared_memory("gated_delta_rule", kMost, message);
  };
  return p.data_type == PLAIT_BFLOAT16 ? with_dims<Bf16>(p, of) : with_dims<float>(p, of);
}

}  // namespace
}  // namespace plait::kernels::cuda

using namespace plait::kernels::cuda;

extern "C" {

std::int64_t plait_gated_delta_rule_workspace_bytes(const PlaitGatedDeltaRule* p) {
  return check_shape(*p, Message{nullptr, 0}) ? -1 : workspace_bytes(*p);
}

int plait_gated_delta_rule_check(const PlaitGatedDeltaRule* p, char* text, std::size_t text_bytes) {
  const Message message{text, text_bytes};
  return check_shape(*p, message) || check_device(message) || check_fit(*p, message);
}

int plait_gated_delta_rule_forward(const PlaitGatedDeltaRule* p, CUstream_st* stream, char* text,
                                   std::size_t text_bytes) {
  const Message message{text, text_bytes};
  if (check_shape(*p, message)) return 1;
  const bool any = p->tokens > 0 && p->sequences * p->heads > 0;
  const Pointer pointers[] = {{"q", p->q, any},
                              {"k", p->k, any},
                              {"v", p->v, any},
                              {"g", p->g, false},
                              {"beta", p->beta, any},
                              {"initial_state", p->initial_state, false},
                              {"output", p->output, any},
                              {"final_state", p->final_state, false},
                              {"workspace", p->workspace, false}};
  if (check_pointers(pointers, message)) return 1;
  if (check_device(message)) return 1;
  if (p->sequences * p->heads == 0) return 0;
  return p->data_type == PLAIT_BFLOAT16 ? forward_bf16(*p, stream, message) : forward_fp32(*p, stream, message);
}

int plait_gated_delta_rule_backward(const PlaitGatedDeltaRule* p, CUstream_st* stream, char* text,
                                    std::size_t text_bytes) {
  const Message message{text, text_bytes};
  if (check_shape(*p, message)) return 1;
  const bool any = p->tokens > 0 && p->sequences * p->heads > 0;
  const Pointer pointers[] = {{"q", p->q, any},
                              {"k", p->k, any},
                              {"v", p->v, any},
                              {"g", p->g, false},
                              {"beta", p->beta, any},
                              {"initial_state", p->initial_state, false},
                              {"workspace", p->workspace, workspace_bytes(*p) > 0},
                              {"d_output", p->d_output, any},
                              {"d_final_state", p->d_final_state, false},
                              {"d_q", p->d_q, any},
                              {"d_k", p->d_k, any},
                              {"d_v", p->d_v, any},
                              {"d_g", p->d_g, any && p->g},
                              {"d_beta", p->d_beta, any},
                              {"d_initial_state", p->d_initial_state, false}};
  if (check_pointers(pointers, message)) return 1;
  if (check_device(message)) return 1;
  if (p->sequences * p->heads == 0) return 0;
  return p->data_type == PLAIT_BFLOAT16 ? backward_bf16(*p, stream, message) : backward_fp32(*p, stream, message);
}

int plait_cuda_device(char* text, std::size_t text_bytes) {
  const Message message{text, text_bytes};
  if (check_device(message)) return 1;
  int device = 0;
  cudaDeviceProp properties;
  if (const cudaError_t e = cudaGetDevice(&device)) return message.failed("cudaGetDevice", e);
  if (const cudaError_t e = cudaGetDeviceProperties(&properties, device))
    return message.failed("cudaGetDeviceProperties", e);
  message.say("%s", properties.name);
  return 0;
}

}  // extern "C"
