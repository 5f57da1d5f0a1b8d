#include "costmodel/hardware.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <stdexcept>
#include <utility>

#include "src/spec/embedded_file.h"
#include "src/spec/error.h"

namespace plait::embedded {
std::span<const spec::EmbeddedFile> hardware_files();
}

namespace plait::costmodel {
namespace {

constexpr std::string_view kFormat = "plait-hardware/1";
constexpr std::string_view kExtension = ".json";

constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
    {"h100", "h100_sxm"}, {"a100_sxm", "a100"},     {"rtx_4090", "rtx4090"},
    {"4090", "rtx4090"},  {"laptop", "laptop_cpu"}, {"phone", "phone_soc"},
};

constexpr std::array<std::string_view, kOpKinds> kOpNames = {
    "gemm",         "attention_prefill", "attention_decode", "linear_prefill",
    "state_decode", "elementwise",       "node_collective",  "network_collective"};

constexpr double kHuge = 1e20;

std::string_view stem(std::string_view file) { return file.substr(0, file.size() - kExtension.size()); }

OpClass uncalibrated(OpKind kind) {
  const bool product = kind == OpKind::gemm;
  const bool vector = kind == OpKind::state_decode || kind == OpKind::elementwise;
  return {.compute_efficiency = product  ? 0.7
                                : vector ? 0.05
                                         : 0.4,
          .bandwidth_efficiency = 0.8,
          .latency_s = is_collective(kind) ? 20e-6 : 5e-6,
          .relative_error = 0.5,
          .source = "uncalibrated default"};
}

/// {"value": 989e12, "source": "..."}.
Quantity read_quantity(const spec::Json& json, const std::string& path, double low, spec::Problems& problems) {
  spec::ObjectReader reader(json, path, problems);
  Quantity quantity;
  quantity.value = reader.number("value", low, kHuge);
  quantity.source = reader.string("source");
  reader.finish();
  if (quantity.source.empty() && json.is_object() && json.contains("source")) {
    problems.add(reader.path("source"), "is empty; say where the number is from");
  }
  return quantity;
}

/// At least one per second, byte or unit: what is divided by it stays finite.
Quantity required_quantity(spec::ObjectReader& reader, std::string_view key) {
  const spec::Json* json = reader.require(key);
  return json == nullptr ? Quantity{} : read_quantity(*json, reader.path(key), 1.0, reader.problems());
}

Quantity optional_quantity(spec::ObjectReader& reader, std::string_view key) {
  const spec::Json* json = reader.get(key);
  return json == nullptr ? Quantity{} : read_quantity(*json, reader.path(key), 0.0, reader.problems());
}

using Peaks = decltype(HardwareProfile::peak_flops_per_s);

void read_peaks(spec::ObjectReader& peaks, Peaks& out) {
  for (const auto& [type, name] : enum_names(spec::DType{})) {
    if (peaks.has(name)) out[static_cast<std::size_t>(type)] = required_quantity(peaks, name);
  }
  peaks.finish();
}

void read_peaks(spec::ObjectReader& reader, HardwareProfile& profile) {
  const spec::Json* json = reader.require("peak_flops_per_s");
  if (json == nullptr) return;
  spec::ObjectReader peaks(*json, reader.path("peak_flops_per_s"), reader.problems());
  if (!peaks.has("bf16") && !peaks.has("fp16") && !peaks.has("fp32")) {
    reader.problems().add(reader.path("peak_flops_per_s"), "needs a peak for bf16, fp16 or fp32");
  }
  read_peaks(peaks, profile.peak_flops_per_s);
  if (const spec::Json* sparse = reader.get("sparse_peak_flops_per_s")) {
    spec::ObjectReader fields(*sparse, reader.path("sparse_peak_flops_per_s"), reader.problems());
    read_peaks(fields, profile.sparse_peak_flops_per_s);
  }
}

OpClass read_op_class(const spec::Json& json, const std::string& path, spec::Problems& problems) {
  spec::ObjectReader fields(json, path, problems);
  OpClass op;
  op.compute_efficiency = fields.number("compute_efficiency", 1e-6, 1.0);
  op.bandwidth_efficiency = fields.number("bandwidth_efficiency", 1e-6, 1.0);
  op.latency_s = fields.number("latency_s", 0.0, 1.0);
  op.relative_error = fields.number("relative_error", 0.0, 10.0);
  op.source = fields.string("source");
  fields.finish();
  return op;
}

void read_op_classes(spec::ObjectReader& reader, HardwareProfile& profile) {
  for (std::size_t i = 0; i < kOpKinds; ++i) profile.op_classes[i] = uncalibrated(static_cast<OpKind>(i));
  const spec::Json* json = reader.get("op_classes");
  if (json == nullptr) return;
  spec::ObjectReader classes(*json, reader.path("op_classes"), reader.problems());
  for (std::size_t i = 0; i < kOpKinds; ++i) {
    if (const spec::Json* row = classes.get(kOpNames[i])) {
      profile.op_classes[i] = read_op_class(*row, classes.path(kOpNames[i]), reader.problems());
    }
  }
  classes.finish();
}

std::optional<ChunkTimes> read_chunk_times(spec::ObjectReader& reader) {
  const spec::Json* json = reader.get("chunk_times");
  if (json == nullptr) return std::nullopt;
  spec::ObjectReader fields(*json, reader.path("chunk_times"), reader.problems());
  ChunkTimes times;
  times.start_s = fields.number("start_s", 0.0, 1.0);
  times.wave_s = fields.number("wave_s", 0.0, 1.0);
  times.chunk_s = fields.number("chunk_s", 0.0, 1.0);
  times.source = fields.string("source");
  fields.finish();
  return times;
}

void read_backends(spec::ObjectReader& reader, HardwareProfile& profile) {
  profile.backend = reader.string("backend", "");
  const spec::Json* json = reader.get("backends");
  if (json == nullptr) return;
  if (!json->is_object()) {
    reader.problems().add(reader.path("backends"), "is not an object of backends by name");
    return;
  }
  for (const auto& [name, value] : json->items()) {
    spec::ObjectReader fields(value, spec::join_path(reader.path("backends"), name), reader.problems());
    Backend backend{.name = name, .linear_prefill = uncalibrated(OpKind::linear_prefill), .chunk_times = {}};
    if (const spec::Json* row = fields.require("linear_prefill")) {
      backend.linear_prefill = read_op_class(*row, fields.path("linear_prefill"), reader.problems());
    }
    backend.chunk_times = read_chunk_times(fields);
    fields.finish();
    profile.other_backends.push_back(std::move(backend));
  }
}

std::optional<Links> read_links(spec::ObjectReader& reader) {
  const spec::Json* json = reader.get("links");
  if (json == nullptr) return std::nullopt;
  spec::ObjectReader fields(*json, reader.path("links"), reader.problems());
  Links links;
  links.node_bytes_per_s = required_quantity(fields, "node_bytes_per_s");
  links.node_devices = required_quantity(fields, "node_devices");
  links.network_bytes_per_s = required_quantity(fields, "network_bytes_per_s");
  fields.finish();
  return links;
}

const spec::EmbeddedFile* find_file(std::string_view name_or_alias) {
  std::string_view name = name_or_alias;
  for (const auto& [alias, full] : kAliases) {
    if (alias == name_or_alias) name = full;
  }
  for (const auto& file : embedded::hardware_files()) {
    if (stem(file.name) == name) return &file;
  }
  return nullptr;
}

[[noreturn]] void throw_unknown(std::string_view name) {
  auto names = hardware_names();
  const std::string listed = spec::quoted_list(names);
  for (const auto& [alias, full] : kAliases) names.emplace_back(alias);
  const std::string closest = spec::closest_name(name, names);
  throw spec::SpecError("hardware", fmt::format("unknown hardware \"{}\"; one of {}{}", name, listed,
                                                closest.empty() ? "" : fmt::format("; did you mean \"{}\"?", closest)));
}

}  // namespace

std::string_view op_kind_name(OpKind kind) { return kOpNames[static_cast<std::size_t>(kind)]; }

double HardwareProfile::bandwidth(OpKind op) const {
  if (!is_collective(op)) return bandwidth_bytes_per_s.value;
  return op == OpKind::node_collective ? links.value().node_bytes_per_s.value : links.value().network_bytes_per_s.value;
}

double HardwareProfile::peak(spec::DType type) const {
  for (const auto candidate : {type, spec::DType::bf16, spec::DType::fp16, spec::DType::fp32}) {
    if (const auto& quantity = peak_flops_per_s[static_cast<std::size_t>(candidate)]) return quantity->value;
  }
  throw std::logic_error("hardware profile without a peak");
}

std::vector<std::string> hardware_names() {
  std::vector<std::string> names;
  for (const auto& file : embedded::hardware_files()) names.emplace_back(stem(file.name));
  std::sort(names.begin(), names.end());
  return names;
}

HardwareProfile find_hardware(std::string_view name_or_alias) {
  const spec::EmbeddedFile* file = find_file(name_or_alias);
  if (file == nullptr) throw_unknown(name_or_alias);
  spec::Problems problems;
  auto profile = hardware_from_json(spec::Json::parse(file->content), std::string(file->name), problems);
  problems.throw_if_any();
  return profile;
}

spec::OrderedJson hardware_json(std::string_view name_or_alias) {
  const spec::EmbeddedFile* file = find_file(name_or_alias);
  if (file == nullptr) throw_unknown(name_or_alias);
  return spec::OrderedJson::parse(file->content);
}

HardwareProfile with_backend(HardwareProfile profile, std::string_view name) {
  if (name == profile.backend) return profile;
  std::vector<std::string> names;
  if (!profile.backend.empty()) names.push_back(profile.backend);
  for (Backend& backend : profile.other_backends) {
    names.push_back(backend.name);
    if (backend.name != name) continue;
    profile.op_classes[static_cast<std::size_t>(OpKind::linear_prefill)] = std::move(backend.linear_prefill);
    profile.chunk_times = std::move(backend.chunk_times);
    profile.backend = name;
    profile.other_backends.clear();
    return profile;
  }
  throw spec::SpecError("backend",
                        fmt::format("\"{}\" has not been measured on {}; {}", name, profile.name,
                                    names.empty() ? "no backend has" : "one of " + spec::quoted_list(names)));
}

HardwareProfile without_graphs(HardwareProfile profile) {
  profile.host_launch_s = 8e-6;
  return profile;
}

HardwareProfile without_fusion(HardwareProfile profile) {
  profile.unfused = true;
  return profile;
}

HardwareProfile hardware_from_json(const spec::Json& json, const std::string& path, spec::Problems& problems) {
  HardwareProfile profile;
  spec::ObjectReader reader(json, path, problems);
  if (const auto format = reader.string("format"); !format.empty() && format != kFormat) {
    problems.add(reader.path("format"), fmt::format("is \"{}\"; this program reads \"{}\"", format, kFormat));
  }
  profile.name = reader.string("name");
  profile.label = reader.string("label", profile.name);
  profile.kind = reader.choice<HardwareKind>("kind");
  read_peaks(reader, profile);
  profile.bandwidth_bytes_per_s = required_quantity(reader, "bandwidth_bytes_per_s");
  profile.memory_bytes = required_quantity(reader, "memory_bytes");
  profile.compute_units = required_quantity(reader, "compute_units");
  profile.l2_bytes = optional_quantity(reader, "l2_bytes");
  profile.power_w = optional_quantity(reader, "power_w");
  profile.links = read_links(reader);
  read_op_classes(reader, profile);
  profile.chunk_times = read_chunk_times(reader);
  read_backends(reader, profile);
  profile.calibration = reader.string("calibration", "");
  reader.finish();
  return profile;
}

}  // namespace plait::costmodel
