#include <algorithm>

#include "kernels/linear_attention/backward.cuh"
#include "kernels/linear_attention/dispatch.cuh"
#include "kernels/linear_attention/forward.cuh"

namespace plait::kernels::cuda::linear {
namespace {

int check_arguments(const PlaitLinearAttention& p, const Message& message) {
  if (check_shape(p, message)) return 1;
  if (!by_channel(p)) return 0;
  if (p.gate_dim != p.key_dim)
    return message.say("gate_dim is %lld; 1 and %lld (key_dim) are supported", static_cast<long long>(p.gate_dim),
                       static_cast<long long>(p.key_dim));
  if (p.gate_type != PLAIT_FLOAT32)
    return message.say("gate_type is bf16 (1) with one gate a key channel; fp32 (0) is supported");
  return 0;
}

std::int64_t workspace_bytes(const PlaitLinearAttention& p) {
  const auto of = [&]<class E, int K, int V, bool kByChannel>() {
    constexpr std::int64_t kEvery = checkpoint_tokens<E, K, V, kByChannel>();
    const std::int64_t checkpoints = p.tokens > 0 ? (p.tokens + kEvery - 1) / kEvery - 1 : 0;
    return p.sequences * p.heads * checkpoints * K * V * static_cast<std::int64_t>(sizeof(E));
  };
  return p.data_type == PLAIT_BFLOAT16 ? with_shape<Bf16>(p, of) : with_shape<float>(p, of);
}

int check_fit(const PlaitLinearAttention& p, const Message& message) {
  const auto of = [&]<class E, int K, int V, bool kByChannel>() {
    constexpr int kMost =
        std::max(ForwardShape<E, K, V, kByChannel>::kMostBytes, BackwardShape<E, K, V, kByChannel>::kBytes);
    return check_shared_memory("linear_attention", kMost, message);
  };
  return p.data_type == PLAIT_BFLOAT16 ? with_shape<Bf16>(p, of) : with_shape<float>(p, of);
}

}  // namespace
}  // namespace plait::kernels::cuda::linear

using namespace plait::kernels::cuda;

extern "C" {

std::int64_t plait_linear_attention_workspace_bytes(const PlaitLinearAttention* p) {
  return linear::check_arguments(*p, Message{nullptr, 0}) ? -1 : linear::workspace_bytes(*p);
}

int plait_linear_attention_check(const PlaitLinearAttention* p, char* text, std::size_t text_bytes) {
  const Message message{text, text_bytes};
  return linear::check_arguments(*p, message) || check_device(message) || linear::check_fit(*p, message);
}

int plait_linear_attention_forward(const PlaitLinearAttention* p, CUstream_st* stream, char* text,
                                   std::size_t text_bytes) {
  const Message message{text, text_bytes};
  if (linear::check_arguments(*p, message)) return 1;
  const bool any = p->tokens > 0 && p->sequences * p->heads > 0;
  const Pointer pointers[] = {{"q", p->q, any},
                              {"k", p->k, any},
                              {"v", p->v, any},
                              {"g", p->g, false},
                              {"initial_state", p->initial_state, false},
                              {"output", p->output, any},
                              {"final_state", p->final_state, false},
                              {"workspace", p->workspace, false}};
  if (check_pointers(pointers, message)) return 1;
  if (check_device(message)) return 1;
  if (p->sequences * p->heads == 0) return 0;
  return p->data_type == PLAIT_BFLOAT16 ? linear::forward_bf16(*p, stream, message)
                                        : linear::forward_fp32(*p, stream, message);
}

int plait_linear_attention_backward(const PlaitLinearAttention* p, CUstream_st* stream, char* text,
                                    std::size_t text_bytes) {
  const Message message{text, text_bytes};
  if (linear::check_arguments(*p, message)) return 1;
  const bool any = p->tokens > 0 && p->sequences * p->heads > 0;
  const Pointer pointers[] = {{"q", p->q, any},
                              {"k", p->k, any},
                              {"v", p->v, any},
                              {"g", p->g, false},
                              {"initial_state", p->initial_state, false},
                              {"workspace", p->workspace, linear::workspace_bytes(*p) > 0},
                              {"d_output", p->d_output, any},
                              {"d_final_state", p->d_final_state, false},
                              {"d_q", p->d_q, any},
                              {"d_k", p->d_k, any},
                              {"d_v", p->d_v, any},
                              {"d_g", p->d_g, false},
                              {"d_initial_state", p->d_initial_state, false}};
  if (check_pointers(pointers, message)) return 1;
  if (check_device(message)) return 1;
  if (p->sequences * p->heads == 0) return 0;
  return p->data_type == PLAIT_BFLOAT16 ? linear::backward_bf16(*p, stream, message)
                                        : linear::backward_fp32(*p, stream, message);
}

}  // extern "C"
