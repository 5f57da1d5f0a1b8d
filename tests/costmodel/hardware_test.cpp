#include "costmodel/hardware.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "src/spec/error.h"

namespace plait::costmodel {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsSupersetOf;

TEST(HardwareTest, ListsTheProfilesThatUsersAskFor) {
  EXPECT_THAT(hardware_names(),
              IsSupersetOf({"h100_sxm", "h200", "a100", "b200", "rtx4090", "laptop_cpu", "phone_soc"}));
}

TEST(HardwareTest, HasEnoughGpusAndOneOfEachSmallMachine) {
  int gpus = 0;
  for (const auto& name : hardware_names()) gpus += find_hardware(name).kind == HardwareKind::gpu;
  EXPECT_GE(gpus, 14);
  EXPECT_EQ(find_hardware("laptop_cpu").kind, HardwareKind::cpu);
  EXPECT_EQ(find_hardware("phone_soc").kind, HardwareKind::soc);
  EXPECT_EQ(find_hardware("jetson_orin").kind, HardwareKind::soc);
}

TEST(HardwareTest, SparsePeaksStandApartAndAreTwiceTheDenseOnes) {
  for (const auto& name : hardware_names()) {
    const auto profile = find_hardware(name);
    for (std::size_t i = 0; i < profile.peak_flops_per_s.size(); ++i) {
      const auto& sparse = profile.sparse_peak_flops_per_s[i];
      if (!sparse) continue;
      ASSERT_TRUE(profile.peak_flops_per_s[i].has_value()) << name;
      EXPECT_DOUBLE_EQ(sparse->value, 2 * profile.peak_flops_per_s[i]->value) << name;
    }
  }
}

/// What of a JSON schema (types aside) this file needs: required and unknown members, ranges, references.
void expect_conforms(const spec::Json& value, const spec::Json& rule, const spec::Json& schema, const std::string& at) {
  if (rule.contains("$ref")) {
    const std::string name = rule["$ref"].get<std::string>().substr(std::string("#/$defs/").size());
    return expect_conforms(value, schema["$defs"][name], schema, at);
  }
  if (value.is_number()) {
    EXPECT_GE(value.get<double>(), rule.value("minimum", -HUGE_VAL)) << at;
    EXPECT_GT(value.get<double>(), rule.value("exclusiveMinimum", -HUGE_VAL)) << at;
    EXPECT_LE(value.get<double>(), rule.value("maximum", HUGE_VAL)) << at;
  }
  if (rule.contains("enum")) {
    EXPECT_EQ(std::count(rule["enum"].begin(), rule["enum"].end(), value), 1) << at;
  }
  if (rule.contains("required")) {
    for (const auto& key : rule["required"]) {
      EXPECT_TRUE(value.contains(key.get<std::string>())) << at << " " << key;
    }
  }
  if (!value.is_object()) return;
  const spec::Json other = rule.value("additionalProperties", spec::Json(true));
  for (const auto& [key, member] : value.items()) {
    const std::string path = at + "." + key;
    if (rule.contains("properties") && rule["properties"].contains(key)) {
      expect_conforms(member, rule["properties"][key], schema, path);
    } else if (other.is_object()) {
      expect_conforms(member, other, schema, path);
    } else {
      EXPECT_TRUE(other.get<bool>() || key.starts_with('_')) << path << " is not in the schema";
    }
  }
}

TEST(HardwareTest, EveryProfileConformsToTheSchema) {
  const spec::Json schema = spec::read_json_file(PLAIT_SOURCE_DIR "/costmodel/hardware.schema.json");
  for (const auto& name : hardware_names()) {
    expect_conforms(spec::Json(hardware_json(name)), schema, schema, name);
  }
}

TEST(HardwareTest, EveryProfileGivesEveryNumberASource) {
  for (const auto& name : hardware_names()) {
    SCOPED_TRACE(name);
    const auto profile = find_hardware(name);
    EXPECT_EQ(profile.name, name);
    EXPECT_FALSE(profile.label.empty());
    EXPECT_FALSE(profile.calibration.empty());
    for (const auto* quantity : {&profile.bandwidth_bytes_per_s, &profile.memory_bytes, &profile.l2_bytes,
                                 &profile.compute_units, &profile.power_w}) {
      EXPECT_GT(quantity->value, 0);
      EXPECT_FALSE(quantity->source.empty());
    }
    for (const auto& peak : profile.peak_flops_per_s) {
      if (!peak) continue;
      EXPECT_GT(peak->value, 0);
      EXPECT_FALSE(peak->source.empty());
    }
    for (std::size_t i = 0; i < kOpKinds; ++i) {
      if (is_collective(static_cast<OpKind>(i)) && !profile.links) continue;
      const OpClass& op = profile.op_classes[i];
      EXPECT_GT(op.relative_error, 0);
      EXPECT_FALSE(op.source.empty());
      EXPECT_NE(op.source, "uncalibrated default") << "a built-in profile states its own constants";
    }
    EXPECT_TRUE(profile.links || profile.kind != HardwareKind::gpu);
    if (profile.links) {
      for (const auto* quantity :
           {&profile.links->node_bytes_per_s, &profile.links->node_devices, &profile.links->network_bytes_per_s}) {
        EXPECT_FALSE(quantity->source.empty());
      }
    }
    if (profile.chunk_times) {
      EXPECT_FALSE(profile.chunk_times->source.empty());
    }
  }
}

// Dense peak = units x clock x FLOPs per clock and unit; the clocks are those that the peak implies.
TEST(HardwareTest, PeaksAgreeWithUnitsAndClocks) {
  struct Row {
    const char* name;
    double mhz;
    double flops_per_clock;
  };
  for (const auto& [name, mhz, flops_per_clock] :
       {Row{"h100_sxm", 1830, 4096}, Row{"h200", 1830, 4096}, Row{"a100", 1410, 2048}, Row{"gb200", 2062, 8192},
        Row{"rtx_pro_6000", 2430, 1024}, Row{"mi300x", 2100, 2048}}) {
    const auto profile = find_hardware(name);
    const double peak = profile.compute_units.value * mhz * 1e6 * flops_per_clock;
    EXPECT_NEAR(profile.peak(spec::DType::bf16) / peak, 1.0, 1e-3) << name;
  }
}

TEST(HardwareTest, NarrowTypesWithoutAPeakAreComputedInTheNextWiderOne) {
  const auto a100 = find_hardware("a100");
  EXPECT_EQ(a100.peak(spec::DType::fp8), a100.peak(spec::DType::bf16));
  EXPECT_EQ(a100.peak(spec::DType::int8), 624e12);
  const auto phone = find_hardware("phone_soc");
  EXPECT_EQ(phone.peak(spec::DType::bf16), phone.peak(spec::DType::fp16));
}

TEST(HardwareTest, AliasesNameTheSameProfile) {
  EXPECT_EQ(find_hardware("h100").name, "h100_sxm");
  EXPECT_EQ(find_hardware("rtx_4090").name, "rtx4090");
}

TEST(HardwareTest, AnUnknownNameListsTheKnownOnesAndTheClosest) {
  try {
    find_hardware("h10");
    FAIL() << "no exception";
  } catch (const spec::SpecError& error) {
    EXPECT_THAT(error.problems().at(0).message, HasSubstr("did you mean \"h100\""));
    EXPECT_THAT(error.problems().at(0).message, HasSubstr("\"laptop_cpu\""));
  }
}

spec::Json minimal() {
  return spec::Json::parse(R"({
    "format": "plait-hardware/1", "name": "mine", "kind": "gpu",
    "peak_flops_per_s": {"fp16": {"value": 1e13, "source": "data sheet"}},
    "bandwidth_bytes_per_s": {"value": 1e12, "source": "data sheet"},
    "memory_bytes": {"value": 16e9, "source": "data sheet"},
    "compute_units": {"value": 20, "source": "data sheet"}})");
}

TEST(HardwareTest, AUserFileWithoutCalibrationGetsWideLabelledDefaults) {
  spec::Problems problems;
  const auto profile = hardware_from_json(minimal(), "file", problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(profile.label, "mine");
  EXPECT_FALSE(profile.chunk_times);
  for (const auto& op : profile.op_classes) {
    EXPECT_EQ(op.source, "uncalibrated default");
    EXPECT_EQ(op.relative_error, 0.5);
  }
}

TEST(HardwareTest, NumbersThatWouldMakeTimesInfiniteAreRefused) {
  auto json = minimal();
  json["peak_flops_per_s"]["fp16"]["value"] = 1e-300;
  json["bandwidth_bytes_per_s"]["value"] = 0.5;
  json["compute_units"]["value"] = 1e-320;
  spec::Problems problems;
  hardware_from_json(json, "file", problems);
  ASSERT_EQ(problems.size(), 3u);
  for (const auto& problem : problems.list()) EXPECT_THAT(problem.message, HasSubstr("allowed are 1 to 1e+20"));
}

TEST(HardwareTest, EveryMistakeOfAUserFileIsLocated) {
  auto json = minimal();
  json["format"] = "plait-hardware/9";
  json["kind"] = "tpu";
  json["peak_flops_per_s"] = {{"fp64", {{"value", 1}, {"source", "x"}}}};
  json["bandwidth_bytes_per_s"] = {{"value", 0}, {"source", "x"}};
  json["memory_bytes"] = {{"value", 16e9}};
  json["compute_units"] = {{"value", 20}, {"source", ""}};
  json["op_classes"] = {{"gemm", {{"compute_efficiency", 2.0}}}, {"gem", 1}};
  json["watts"] = 3;
  spec::Problems problems;
  hardware_from_json(json, "file", problems);
  std::vector<std::string> paths;
  for (const auto& problem : problems.list()) paths.push_back(problem.path);
  for (const char* path : {"file.format", "file.kind", "file.peak_flops_per_s", "file.peak_flops_per_s.fp64",
                           "file.bandwidth_bytes_per_s.value", "file.memory_bytes.source", "file.compute_units.source",
                           "file.op_classes.gemm.compute_efficiency", "file.op_classes.gemm.latency_s",
                           "file.op_classes.gem", "file.watts"}) {
    EXPECT_THAT(paths, Contains(path));
  }
}

}  // namespace
}  // namespace plait::costmodel
