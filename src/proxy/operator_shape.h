#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "src/spec/mixer.h"

namespace plait::proxy {

/// Operators whose time `plait measure` takes, named as in tables of measurements (costmodel/calibrate.h).
enum class MeasuredOp {
  gemm,                     ///< m, n, k
  attention_prefill,        ///< batch, tokens, heads, key_heads, head_dim
  attention_decode,         ///< the same; `tokens` are in the cache
  gated_delta_net_prefill,  ///< the same; key_heads equals heads
  gated_delta_net_decode,   ///< the same; `tokens` is not read
  rms_norm                  ///< m rows of n
};
inline constexpr std::array<std::pair<MeasuredOp, std::string_view>, 6> enum_names(MeasuredOp) {
  return {{{MeasuredOp::gemm, "gemm"},
           {MeasuredOp::attention_prefill, "attention_prefill"},
           {MeasuredOp::attention_decode, "attention_decode"},
           {MeasuredOp::gated_delta_net_prefill, "gated_delta_net_prefill"},
           {MeasuredOp::gated_delta_net_decode, "gated_delta_net_decode"},
           {MeasuredOp::rms_norm, "rms_norm"}}};
}

/// One operator in bf16, states in fp32. Sizes that an operator does not have are 0.
struct OperatorShape {
  MeasuredOp op = MeasuredOp::gemm;
  spec::Dim batch = 0, tokens = 0;
  spec::Dim m = 0, n = 0, k = 0;
  spec::Dim heads = 0, key_heads = 0, head_dim = 0;
};

struct OperatorTime {
  double seconds = 0;    ///< median of the runs
  bool graphed = false;  ///< launched as a CUDA graph, without the host's time for each kernel
};

}  // namespace plait::proxy
