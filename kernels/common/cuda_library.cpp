#include "kernels/common/cuda_library.h"

#include <dlfcn.h>

#include <array>
#include <filesystem>

namespace plait::kernels {
namespace {

constexpr const char* kLibrary = "libplait_cuda.so";

CudaLibrary load() {
  CudaLibrary out;
  Dl_info here{};
  dladdr(reinterpret_cast<const void*>(&cuda_library), &here);
  const std::filesystem::path path = std::filesystem::path(here.dli_fname).parent_path() / kLibrary;
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    out.missing = std::string("this plait was built without CUDA kernels (") + dlerror() + ")";
    return out;
  }
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (function == nullptr) out.missing = path.string() + " has no " + name;
  };
  decltype(&plait_cuda_device) device = nullptr;
  find(device, "plait_cuda_device");
  find(out.gated_delta_rule_check, "plait_gated_delta_rule_check");
  find(out.gated_delta_rule_workspace_bytes, "plait_gated_delta_rule_workspace_bytes");
  find(out.gated_delta_rule_forward, "plait_gated_delta_rule_forward");
  find(out.gated_delta_rule_backward, "plait_gated_delta_rule_backward");
  find(out.linear_attention_check, "plait_linear_attention_check");
  find(out.linear_attention_workspace_bytes, "plait_linear_attention_workspace_bytes");
  find(out.linear_attention_forward, "plait_linear_attention_forward");
  find(out.linear_attention_backward, "plait_linear_attention_backward");
  find(out.cross_entropy, "plait_cross_entropy");
  find(out.take_gradients, "plait_take_gradients");
  find(out.member_norms, "plait_member_norms");
  find(out.step_rates, "plait_step_rates");
  find(out.adamw, "plait_adamw");
  find(out.random_words, "plait_random_words");
  find(out.sort_rows, "plait_sort_rows");
  find(out.distinct, "plait_distinct");
  find(out.embedding, "plait_embedding");
  find(out.embedding_gradient, "plait_embedding_gradient");
  find(out.copy_weights, "plait_copy_weights");
  find(out.part_sums, "plait_part_sums");
  find(out.norm_partials, "plait_norm_partials");
  find(out.norm_forward, "plait_norm_forward");
  find(out.norm_backward, "plait_norm_backward");
  find(out.short_conv_partials, "plait_short_conv_partials");
  find(out.short_conv_forward, "plait_short_conv_forward");
  find(out.short_conv_backward, "plait_short_conv_backward");
  find(out.delta_inputs_weight_partials, "plait_delta_inputs_weight_partials");
  find(out.delta_inputs_gate_partials, "plait_delta_inputs_gate_partials");
  find(out.delta_inputs_forward, "plait_delta_inputs_forward");
  find(out.delta_inputs_backward, "plait_delta_inputs_backward");
  find(out.swiglu_forward, "plait_swiglu_forward");
  find(out.swiglu_backward, "plait_swiglu_backward");
  std::array<char, 256> message{};
  if (out.missing.empty() && device(message.data(), message.size()) != 0) out.missing = message.data();
  return out;
}

}  // namespace

const CudaLibrary& cuda_library() {
  static const CudaLibrary library = load();
  return library;
}

}  // namespace plait::kernels
