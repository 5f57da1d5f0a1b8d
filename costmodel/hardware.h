#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "costmodel/op.h"
#include "src/spec/json_reader.h"
#include "src/spec/model_spec.h"

namespace plait::costmodel {

/// As in JSON: "gemm", "attention_prefill", ...
std::string_view op_kind_name(OpKind kind);

/// A number and where it is from.
struct Quantity {
  double value = 0;
  std::string source;
};

enum class HardwareKind { gpu, cpu, soc };
inline constexpr std::array<std::pair<HardwareKind, std::string_view>, 3> enum_names(HardwareKind) {
  return {{{HardwareKind::gpu, "gpu"}, {HardwareKind::cpu, "cpu"}, {HardwareKind::soc, "soc"}}};
}

/// Calibration of one class of operators: time = max(flops / (peak compute_efficiency), bytes / (bandwidth
/// bandwidth_efficiency)) + launches latency_s, right to about `relative_error`.
struct OpClass {
  double compute_efficiency = 0;
  double bandwidth_efficiency = 0;
  double latency_s = 0;  ///< per launch, launch overhead included
  double relative_error = 0;
  std::string source;
};

/// A chunked recurrence of 128 x 128 heads walks its chunks one after the other, one head of one sequence per compute
/// unit: time = start_s + waves (wave_s + chunk_s chunks).
struct ChunkTimes {
  double start_s = 0;
  double wave_s = 0;
  double chunk_s = 0;  ///< per 64 tokens
  std::string source;
};

/// How a device reaches others: in its node, and from node to node. Bytes per second of one device in one direction.
struct Links {
  Quantity node_bytes_per_s;
  Quantity node_devices;  ///< that reach each other at that rate
  Quantity network_bytes_per_s;
};

/// Times of chunked recurrences with one library's kernels.
struct Backend {
  std::string name;  ///< "flashinfer", "fla"
  OpClass linear_prefill;
  std::optional<ChunkTimes> chunk_times;  ///< absent: bound by linear_prefill alone
};

/// What a machine can do. Values are per device, dense (no structured sparsity) unless said, SI units. File format:
/// costmodel/hardware.schema.json.
struct HardwareProfile {
  std::string name;   ///< as on the command line
  std::string label;  ///< as its maker calls it
  HardwareKind kind = HardwareKind::gpu;

  std::array<std::optional<Quantity>, enum_names(spec::DType{}).size()> peak_flops_per_s;  ///< by DType
  /// With 2:4 structured sparsity: stored apart, because data sheets print it as the peak; no estimate uses it.
  std::array<std::optional<Quantity>, enum_names(spec::DType{}).size()> sparse_peak_flops_per_s;
  Quantity bandwidth_bytes_per_s;  ///< main memory (HBM, GDDR, LPDDR)
  Quantity memory_bytes;
  Quantity l2_bytes;           ///< last-level cache; 0 when not given
  Quantity compute_units;      ///< SMs, CUs or cores
  Quantity power_w;            ///< power limit; 0 when not given
  std::optional<Links> links;  ///< absent: no times on several devices

  std::array<OpClass, kOpKinds> op_classes;  ///< by OpKind
  std::optional<ChunkTimes> chunk_times;     ///< absent: recurrences are bound by op_classes alone
  std::string backend;                       ///< whose recurrences these are; empty: nobody's
  std::vector<Backend> other_backends;
  double host_launch_s = 0;  ///< least time between two launches; 0: the step is a captured graph
  bool unfused = false;      ///< kernels as Op::launches_apart
  std::string calibration;   ///< in words: what the constants were fitted on

  const OpClass& op_class(OpKind op) const { return op_classes[static_cast<std::size_t>(op)]; }

  /// What the bytes of a class of operators are divided by: main memory, or a link, which must be given.
  double bandwidth(OpKind op) const;

  /// Peak of a type; a type without a peak of its own is computed in bf16, then fp16, then fp32 (weights in a narrow
  /// format are expanded before the product). Every profile has one of the three.
  double peak(spec::DType type) const;
};

/// Built-in profiles (costmodel/hardware/*.json), sorted.
std::vector<std::string> hardware_names();

/// A built-in profile by name or alias ("h100" is "h100_sxm"). Only that profile is parsed. Throws spec::SpecError that
/// lists the names and the closest one.
HardwareProfile find_hardware(std::string_view name_or_alias);

/// The same machine with another library's recurrences. Throws spec::SpecError that lists those with measurements.
HardwareProfile with_backend(HardwareProfile profile, std::string_view name);

/// The same machine when every kernel is launched by the host, as without CUDA graphs: no operator takes less than its
/// launches, 8 us each (70 us per layer of nine kernels in 391 step times of xLSTM, Transformer and Mamba models).
HardwareProfile without_graphs(HardwareProfile profile);

/// The same machine when projections, residual sums and passes over q, k and v are kernels of their own, as the modules
/// of flash-linear-attention run them; servers fuse those that read the same input.
HardwareProfile without_fusion(HardwareProfile profile);

/// A built-in profile as it is written. Throws as find_hardware.
spec::OrderedJson hardware_json(std::string_view name_or_alias);

/// Reads a profile file's content; problems are located below `path`. Op classes that are left out take uncalibrated
/// defaults with a relative error of 0.5, and say so in their source.
HardwareProfile hardware_from_json(const spec::Json& json, const std::string& path, spec::Problems& problems);

}  // namespace plait::costmodel
