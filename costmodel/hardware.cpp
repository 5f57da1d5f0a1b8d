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

constexpr std::array<std::string_view, kOpKinds> kOpNames = {"gemm",           "attention_prefill", "attention_decode",
                                                             "linear_prefill", "state_decode",      "elementwise"};

constexpr double kHuge = 1e20;

std::string_view stem(std::string_view file) { return file.substr(0, file.size() - kExtension.size()); }

OpClass uncalibrated(OpKind kind) {
  const bool product = kind == OpKind::gemm;
  const bool vector = kind == OpKind::state_decode || kind == OpKind::elementwise;
  return {.compute_efficiency = product  ? 0.7
                                : vector ? 0.05
                                         : 0.4,
          .bandwidth_efficiency = 0.8,
          .latency_s = 5e-6,
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

void read_peaks(spec::ObjectReader& reader, HardwareProfile& profile) {
  const spec::Json* json = reader.require("peak_flops_per_s");
  if (json == nullptr) return;
  spec::ObjectReader peaks(*json, reader.path("peak_flops_per_s"), reader.problems());
  for (const auto& [type, name] : enum_names(spec::DType{})) {
    if (peaks.has(name)) profile.peak_flops_per_s[static_cast<std::size_t>(type)] = required_quantity(peaks, name);
  }
  if (!peaks.has("bf16") && !peaks.has("fp16") && !peaks.has("fp32")) {
    reader.problems().add(reader.path("peak_flops_per_s"), "needs a peak for bf16, fp16 or fp32");
  }
  peaks.finish();
}

void read_op_classes(spec::ObjectReader& reader, HardwareProfile& profile) {
  for (std::size_t i = 0; i < kOpKinds; ++i) profile.op_classes[i] = uncalibrated(static_cast<OpKind>(i));
  const spec::Json* json = reader.get("op_classes");
  if (json == nullptr) return;
  spec::ObjectReader classes(*json, reader.path("op_classes"), reader.problems());
  for (std::size_t i = 0; i < kOpKinds; ++i) {
    const spec::Json* row = classes.get(kOpNames[i]);
    if (row == nullptr) continue;
    spec::ObjectReader fields(*row, classes.path(kOpNames[i]), reader.problems());
    auto& op = profile.op_classes[i];
    op.compute_efficiency = fields.number("compute_efficiency", 1e-6, 1.0);
    op.bandwidth_efficiency = fields.number("bandwidth_efficiency", 1e-6, 1.0);
    op.latency_s = fields.number("latency_s", 0.0, 1.0);
    op.relative_error = fields.number("relative_error", 0.0, 10.0);
    op.source = fields.string("source");
    fields.finish();
  }
  classes.finish();
}

void read_chunk_times(spec::ObjectReader& reader, HardwareProfile& profile) {
  const spec::Json* json = reader.get("chunk_times");
  if (json == nullptr) return;
  spec::ObjectReader fields(*json, reader.path("chunk_times"), reader.problems());
  ChunkTimes times;
  times.start_s = fields.number("start_s", 0.0, 1.0);
  times.wave_s = fields.number("wave_s", 0.0, 1.0);
  times.chunk_s = fields.number("chunk_s", 0.0, 1.0);
  times.source = fields.string("source");
  fields.finish();
  profile.chunk_times = std::move(times);
}

}  // namespace

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
  std::string_view name = name_or_alias;
  for (const auto& [alias, full] : kAliases) {
    if (alias == name_or_alias) name = full;
  }
  for (const auto& file : embedded::hardware_files()) {
    if (stem(file.name) != name) continue;
    spec::Problems problems;
    auto profile = hardware_from_json(spec::Json::parse(file.content), std::string(file.name), problems);
    problems.throw_if_any();
    return profile;
  }
  auto names = hardware_names();
  const std::string listed = spec::quoted_list(names);
  for (const auto& [alias, full] : kAliases) names.emplace_back(alias);
  const std::string closest = spec::closest_name(name_or_alias, names);
  throw spec::SpecError("hardware", fmt::format("unknown hardware \"{}\"; one of {}{}", name_or_alias, listed,
                                                closest.empty() ? "" : fmt::format("; did you mean \"{}\"?", closest)));
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
  read_op_classes(reader, profile);
  read_chunk_times(reader, profile);
  profile.calibration = reader.string("calibration", "");
  reader.finish();
  return profile;
}

}  // namespace plait::costmodel
