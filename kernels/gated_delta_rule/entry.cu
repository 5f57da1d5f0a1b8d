#include "kernels/gated_delta_rule/chunk.cuh"
#include "kernels/gated_delta_rule/dispatch.cuh"

namespace plait::kernels::cuda {
namespace {

bool has_dim(std::int64_t d) { return d == 32 || d == 64 || d == 128; }
bool has_type(PlaitDataType t) { return t == PLAIT_FLOAT32 || t == PLAIT_BFLOAT16; }

int check_shape(const PlaitGatedDeltaRule& p, const Message& message) {
  if (p.sequences < 0 || p.tokens < 0 || p.heads < 0) {
    return message.say("sequences, tokens and heads are %lld, %lld, %lld; none may be negative",
                       static_cast<long long>(p.sequences), static_cast<long long>(p.tokens),
                       static_cast<long long>(p.heads));
  }
  if (p.heads > 0 && p.sequences > 0x7fffffffLL / p.heads) {
    return message.say("sequences x heads is %lld x %lld; at most 2147483647", static_cast<long long>(p.sequences),
                       static_cast<long long>(p.heads));
  }
  if (p.tokens > 0x3fffffffLL)
    return message.say("tokens is %lld; at most 1073741823", static_cast<long long>(p.tokens));
  if (!has_dim(p.key_dim))
    return message.say("key_dim is %lld; 32, 64 and 128 are supported", static_cast<long long>(p.key_dim));
  if (!has_dim(p.value_dim))
    return message.say("value_dim is %lld; 32, 64 and 128 are supported", static_cast<long long>(p.value_dim));
  if (!has_type(p.data_type))
    return message.say("data_type is %d; fp32 (0) and bf16 (1) are supported", static_cast<int>(p.data_type));
  if (!has_type(p.gate_type))
    return message.say("gate_type is %d; fp32 (0) and bf16 (1) are supported", static_cast<int>(p.gate_type));
  return 0;
}

struct Pointer {
  const char* name;
  const void* value;
  bool needed;
};

template <std::size_t n>
int check_pointers(const Pointer (&pointers)[n], const Message& message) {
  for (const Pointer& pointer : pointers) {
    if (!pointer.value && pointer.needed) return message.say("%s is null", pointer.name);
    if (reinterpret_cast<std::uintptr_t>(pointer.value) % 16 != 0)
      return message.say("%s is not aligned to 16 bytes", pointer.name);
  }
  return 0;
}

int check_device(const Message& message) {
  int count = 0;
  if (const cudaError_t e = cudaGetDeviceCount(&count); e != cudaSuccess || count == 0) {
    if (e == cudaErrorInsufficientDriver || e == cudaErrorNoDevice || e == cudaSuccess) {
      cudaGetLastError();
      return message.say("no NVIDIA GPU: %s", e == cudaSuccess ? "the driver lists none" : cudaGetErrorString(e));
    }
    return message.failed("cudaGetDeviceCount", e);
  }
  int device = 0, major = 0;
  if (const cudaError_t e = cudaGetDevice(&device)) return message.failed("cudaGetDevice", e);
  if (const cudaError_t e = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device)) {
    return message.failed("cudaDeviceGetAttribute", e);
  }
  if (major < 8) return message.say("this GPU has compute capability %d.x; 8.0 and above are supported", major);
  return 0;
}

std::int64_t workspace_bytes(const PlaitGatedDeltaRule& p) {
  const auto of = [&]<class E, int K, int V>() {
    constexpr std::int64_t kEvery = checkpoint_tokens<E, K, V>();
    const std::int64_t checkpoints = p.tokens > 0 ? (p.tokens + kEvery - 1) / kEvery - 1 : 0;
    return p.sequences * p.heads * checkpoints * K * V * static_cast<std::int64_t>(sizeof(E));
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
