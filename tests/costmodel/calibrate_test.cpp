#include "costmodel/calibrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "src/spec/error.h"
#include "tests/costmodel/models.h"

namespace plait::costmodel {
namespace {

using testing::HasSubstr;

std::string problems_of(const std::string& csv) {
  spec::Problems problems;
  read_measurements(csv, "t.csv", problems);
  std::string all;
  for (const auto& problem : problems.list()) all += problem.path + ": " + problem.message + "\n";
  return all;
}

std::vector<Measurement> published(std::string_view hardware, OpKind kind, std::string_view backend) {
  auto rows = published_measurements();
  std::erase_if(rows, [&](const Measurement& row) {
    return row.hardware != hardware || row.op.kind != kind || row.backend != backend;
  });
  return rows;
}

TEST(CalibrateTest, LocatesWhatIsWrongInATable) {
  EXPECT_THAT(problems_of(""), HasSubstr("t.csv: has no line that names the columns"));
  EXPECT_THAT(problems_of("# note\nhardware,op,us\n"), HasSubstr("t.csv:2: the columns lack \"backend\""));
  const std::string head = "hardware,backend,op,us,m,n,k\n";
  EXPECT_THAT(problems_of(head + "h100,x,gem,1,1,1,1\n"), HasSubstr("t.csv:2: unknown op \"gem\"; one of \"gemm\""));
  EXPECT_THAT(problems_of(head + "h100,x,gemm,-1,1,1,1\n"), HasSubstr("us is \"-1\"; a number from 0.001"));
  EXPECT_THAT(problems_of(head + "h100,x,gemm,1,1.5,1,1\n"), HasSubstr("m is 1.5; a whole number"));
  EXPECT_THAT(problems_of(head + "h100,x,gemm,1,1,1\n"), HasSubstr("has 6 cells for 7 columns"));
  EXPECT_THAT(problems_of(head + "h100,x,gemm,nan,1,1,1\n"), HasSubstr("us is \"nan\""));
  EXPECT_EQ(problems_of(head + "h100,x,gemm,1,1,1,1\r\n"), "");
}

TEST(CalibrateTest, FindsTheConstantsThatMadeTheTable) {
  HardwareProfile truth = h100();
  OpClass& gemm = truth.op_classes[static_cast<std::size_t>(OpKind::gemm)];
  gemm.compute_efficiency = 0.6;
  gemm.bandwidth_efficiency = 0.7;
  gemm.latency_s = 7e-6;
  std::vector<Measurement> rows;
  for (const double m : {1.0, 64.0, 1024.0, 16384.0}) {
    for (const double n : {512.0, 4096.0, 16384.0}) {
      Measurement row{.line = 0, .hardware = "h100_sxm", .backend = "x", .shape = {}, .op = {}};
      row.op = {.kind = OpKind::gemm, .flops = 2 * m * n * n, .bytes = 2 * (2 * m * n + n * n)};
      row.seconds = estimated_seconds(row, truth);
      rows.push_back(row);
    }
  }
  const auto fits = calibrate(rows, h100());
  ASSERT_EQ(fits.size(), 1u);
  EXPECT_NEAR(fits[0].constants.compute_efficiency, 0.6, 0.006);
  EXPECT_NEAR(fits[0].constants.bandwidth_efficiency, 0.7, 0.007);
  EXPECT_NEAR(fits[0].constants.latency_s, 7e-6, 0.1e-6);
  EXPECT_GT(fits[0].before.mean, 0.1);
  EXPECT_LT(fits[0].left_out->mean, 0.02);
}

// What the profiles say they took from `plait calibrate` comes out of it again, to the last of three digits.
TEST(CalibrateTest, ReproducesTheShippedConstantsFromTheShippedTable) {
  int checked = 0;
  for (const std::string& name : hardware_names()) {
    const HardwareProfile shipped = find_hardware(name);
    for (const Backend& backend : shipped.other_backends) {
      SCOPED_TRACE(name + " " + backend.name);
      if (backend.chunk_times->source.find("carried over") != std::string::npos) continue;
      ASSERT_THAT(backend.chunk_times->source, HasSubstr("plait calibrate"));
      // Fitted from the profile without them: what is shipped must not depend on itself.
      HardwareProfile base = shipped;
      base.other_backends.clear();
      const auto fits = calibrate(published(name, OpKind::linear_prefill, backend.name), base);
      ASSERT_EQ(fits.size(), 1u);
      EXPECT_EQ(fits[0].chunk_times->start_s, backend.chunk_times->start_s);
      EXPECT_EQ(fits[0].chunk_times->wave_s, backend.chunk_times->wave_s);
      EXPECT_EQ(fits[0].chunk_times->chunk_s, backend.chunk_times->chunk_s);
      EXPECT_EQ(fits[0].constants.compute_efficiency, backend.linear_prefill.compute_efficiency);
      EXPECT_EQ(fits[0].constants.relative_error, backend.linear_prefill.relative_error);
      ++checked;
    }
  }
  EXPECT_GE(checked, 5);
}

// Through the whole path, from a shape to its operator: the mean error that a profile states holds on the rows of its
// own backend.
TEST(CalibrateTest, StatedErrorsHoldOnTheShippedTable) {
  for (const char* name : {"h100_sxm", "h200", "b200", "l40s", "rtx_pro_6000"}) {
    const HardwareProfile hardware = find_hardware(name);
    auto rows = published_measurements();
    std::erase_if(rows, [&](const Measurement& row) {
      return row.hardware != name || (row.op.kind == OpKind::linear_prefill && row.backend != hardware.backend);
    });
    for (const Fit& fit : calibrate(rows, hardware)) {
      EXPECT_LT(fit.before.mean, hardware.op_class(fit.kind).relative_error) << name << " " << op_kind_name(fit.kind);
    }
  }
}

TEST(CalibrateTest, LeavesOutStatesThatStayInTheCache) {
  const auto rows = published("h100_sxm", OpKind::state_decode, "flashinfer");
  const auto fits = calibrate(rows, h100());
  EXPECT_EQ(fits.at(0).in_cache + fits.at(0).before.rows, rows.size());
  EXPECT_EQ(fits.at(0).in_cache, 3u) << "1, 8 and 32 sequences of 2 MiB against 50 MiB";
}

TEST(CalibrateTest, WritesAProfileThatReadsBack) {
  const auto fits = calibrate(published("h100_sxm", OpKind::linear_prefill, "fla"), h100());
  spec::OrderedJson json = hardware_json("h100");
  json.erase(json.find("backends"));
  write_constants(fits, json);
  spec::Problems problems;
  const auto profile = hardware_from_json(spec::Json(json), "", problems);
  problems.throw_if_any();
  EXPECT_EQ(with_backend(profile, "fla").chunk_times->chunk_s, fits[0].chunk_times->chunk_s);
  EXPECT_EQ(profile.chunk_times->chunk_s, h100().chunk_times->chunk_s) << "the profile's own stay";
}

TEST(CalibrateTest, TooFewRowsChangeNothing) {
  auto rows = published("h100_sxm", OpKind::linear_prefill, "fla");
  rows.resize(2);
  const auto fits = calibrate(rows, h100());
  EXPECT_FALSE(fits.at(0).after.has_value());
  spec::OrderedJson json = hardware_json("h100");
  write_constants(fits, json);
  EXPECT_EQ(json.dump(), hardware_json("h100").dump());
}

TEST(BackendTest, AnUnmeasuredOneIsRefusedWithThoseThatAre) {
  try {
    with_backend(h100(), "flashqla");
    FAIL() << "no exception";
  } catch (const spec::SpecError& error) {
    EXPECT_THAT(
        error.what(),
        HasSubstr(
            "backend: \"flashqla\" has not been measured on h100_sxm; one of \"flashinfer\", \"fla\" or \"plait\""));
  }
}

TEST(BackendTest, SlowerKernelsMakeSlowerPrefillsAndNothingElse) {
  const spec::LayerSpec layer{.mixer = gdn(16, 32, 128, 128)};
  const auto fast = layer_cost(layer, model(2048, 100), {}, h100());
  const auto slow = layer_cost(layer, model(2048, 100), {}, with_backend(h100(), "fla"));
  EXPECT_NEAR(slow.prefill.value - fast.prefill.value, 4027e-6 - 1511e-6, 0.35 * (4027e-6 - 1511e-6))
      << "32 heads, 32k tokens: the two rows of the table";
  EXPECT_EQ(slow.decode_step, fast.decode_step);
  EXPECT_EQ(slow.forward_flops, fast.forward_flops);
}

TEST(GraphsTest, ModulesOfALibraryLaunchEveryProjectionAndPassByThemselves) {
  // Of flash-linear-attention 0.6.0, counted in a profile of a decode step: seven projections instead of two, gate and
  // up projection apart, three convolutions, and a third kernel for two norms and two residual sums.
  const spec::LayerSpec layer{.mixer = gdn(16, 16, 128, 128), .channel_mixer = spec::SwiGlu{512}};
  const auto fused = layer_cost(layer, model(256, 100), {}, h100());
  const auto apart = layer_cost(layer, model(256, 100), {}, without_fusion(h100()));
  const double product = h100().op_class(OpKind::gemm).latency_s;
  const double pass = h100().op_class(OpKind::elementwise).latency_s;
  EXPECT_NEAR(apart.decode_step.value - fused.decode_step.value, (5 + 1) * product + (2 + 1) * pass, 1e-10);
  EXPECT_EQ(apart.decode_hbm_bytes, fused.decode_hbm_bytes);
}

TEST(GraphsTest, WithoutGraphsAStepTakesAtLeastItsLaunches) {
  const spec::LayerSpec layer{.mixer = gdn(4, 4, 64, 64), .channel_mixer = spec::SwiGlu{512}};
  const auto graph = layer_cost(layer, model(256, 100), {}, h100());
  const auto eager = layer_cost(layer, model(256, 100), {}, without_graphs(h100()));
  EXPECT_GT(graph.decode_step.value, 25e-6);
  EXPECT_NEAR(eager.decode_step.value, 9 * 8e-6, 12e-6);
  const spec::Workload large{.context = 32768, .batch = 8};
  const double busy = layer_cost(layer, model(256, 100), large, h100()).prefill.value;
  EXPECT_NEAR(layer_cost(layer, model(256, 100), large, without_graphs(h100())).prefill.value / busy, 1, 0.02)
      << "a device with much to do hides the host";
}

}  // namespace
}  // namespace plait::costmodel
