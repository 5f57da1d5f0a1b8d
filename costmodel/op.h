#pragma once

#include <algorithm>
#include <boost/container/static_vector.hpp>
#include <cstddef>

namespace plait::costmodel {

/// Classes of operators that share calibration constants (HardwareProfile::OpClass).
enum class OpKind {
  gemm,               ///< dense matrix product; a decode step's is bound by reading the weights
  attention_prefill,  ///< causal softmax attention over a whole sequence
  attention_decode,   ///< one query per sequence against a cache
  linear_prefill,     ///< chunked recurrence over a whole sequence
  state_decode,       ///< one recurrent step: the state is read and written
  elementwise,        ///< norms, activations, gates, short convolutions, residual sums
  node_collective,    ///< between devices of one node; `bytes` go over one device's link in each direction
  network_collective  ///< between nodes; `bytes` go over one device's share of the network
};
inline constexpr std::size_t kOpKinds = 8;
constexpr bool is_collective(OpKind kind) {
  return kind == OpKind::node_collective || kind == OpKind::network_collective;
}

/// What one or more kernels of one class do. Doubles, because this feeds estimated times; exact counts live in
/// CostReport.
struct Op {
  OpKind kind = OpKind::elementwise;
  double flops = 0;
  double bytes = 0;           ///< moved to or from main memory, or over the link of a collective
  double launches = 1;        ///< kernels; each pays the class's latency
  double launches_apart = 0;  ///< kernels when nothing is fused (HardwareProfile::unfused); 0: as many

  // linear_prefill only: `strands` state tiles walk `chunks` chunks one after the other, as many at once as there are
  // compute units; `chunk_factor` is the time of a chunk relative to the Gated DeltaNet kernel.
  double strands = 0;
  double chunks = 0;
  double chunk_factor = 1;
  double kernel_error = 0;  ///< relative error of chunk_factor

  double kernels(bool unfused) const { return unfused ? std::max(launches, launches_apart) : launches; }
};

/// Operators of a layer's branch or channel mixer; inline storage, so that costing allocates nothing.
using OpList = boost::container::static_vector<Op, 4>;

}  // namespace plait::costmodel
