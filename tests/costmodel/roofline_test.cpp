#include "costmodel/roofline.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/costmodel/models.h"

namespace plait::costmodel {
namespace {

double relative_error(double predicted, double measured) { return std::abs(predicted - measured) / measured; }

double seconds(const Op& op, const HardwareProfile& hardware) {
  Timeline timeline;
  timeline.add(op, hardware, spec::DType::bf16);
  return timeline.time().value;
}

constexpr double kTick = 0x1p-40;  // times are whole multiples

TEST(RooflineTest, AProductTakesTheSlowerOfArithmeticAndTrafficPlusItsLaunch) {
  const Op compute{.kind = OpKind::gemm, .flops = 989e12 * 0.775, .bytes = 1e9, .launches = 2};
  const Op memory{.kind = OpKind::gemm, .flops = 1e9, .bytes = 3350e9 * 0.825, .launches = 2};
  EXPECT_NEAR(seconds(compute, h100()), 1 + 6e-6, kTick);
  EXPECT_NEAR(seconds(memory, h100()), 1 + 6e-6, kTick);
  Timeline timeline;
  timeline.add(memory, h100(), spec::DType::bf16);
  EXPECT_EQ(timeline.bound(), Bound::memory);
}

TEST(RooflineTest, TheIntervalIsTheClassError) {
  Timeline timeline;
  timeline.add({.kind = OpKind::gemm, .flops = 1e15}, h100(), spec::DType::bf16);
  EXPECT_NEAR(timeline.time().high, timeline.time().value * 1.115, kTick);
  EXPECT_NEAR(timeline.time().low, timeline.time().value / 1.115, kTick);
}

TEST(RooflineTest, ASumOfTimesDoesNotDependOnItsOrder) {
  const std::vector<double> flops = {1e9, 3.3e11, 7.77e13, 1.23e10, 9e8, 5.4321e14};
  const auto time_of = [](const std::vector<double>& order) {
    Estimate sum;
    for (const double f : order) {
      Timeline timeline;
      timeline.add({.kind = OpKind::gemm, .flops = f}, h100(), spec::DType::bf16);
      sum += timeline.time();
    }
    return sum;
  };
  std::vector<double> reversed(flops.rbegin(), flops.rend());
  EXPECT_EQ(time_of(flops), time_of(reversed));
}

// aiconfigurator operator tables, Gated DeltaNet with heads of 128, FlashInfer kernels; value heads, batch, tokens,
// microseconds. The profile states the mean error of the whole tables (H100 9.2 %, B200 3.5 %); this excerpt has a
// point of 64 tokens with a larger one.
struct MeasuredPrefill {
  const char* hardware;
  double heads, batch, tokens, us;
};
constexpr MeasuredPrefill kMeasuredPrefill[] = {
    {"h100", 32, 1, 64, 11.7},    {"h100", 32, 1, 1024, 57.3},  {"h100", 32, 1, 2048, 105.7},
    {"h100", 32, 1, 4096, 199.8}, {"h100", 32, 1, 8192, 390.8}, {"h100", 32, 1, 16384, 767},
    {"h100", 32, 1, 32768, 1511}, {"h100", 32, 8, 1024, 125},   {"h100", 32, 8, 4096, 413},
    {"h100", 32, 8, 32768, 3521}, {"h100", 64, 8, 4096, 861},   {"h100", 64, 8, 32768, 7058},
    {"h100", 16, 8, 4096, 215},   {"h100", 16, 8, 32768, 1812}, {"b200", 32, 1, 64, 21.3},
    {"b200", 32, 1, 1024, 57},    {"b200", 32, 1, 4096, 174},   {"b200", 32, 1, 8192, 328},
    {"b200", 32, 1, 32768, 1252},
};

TEST(RooflineTest, ChunkedPrefillIsRightToItsStatedErrorOnTheMeasuredShapes) {
  for (const char* name : {"h100", "b200"}) {
    const auto hardware = find_hardware(name);
    double sum = 0;
    int rows = 0;
    for (const auto& row : kMeasuredPrefill) {
      if (std::string_view(row.hardware) != name) continue;
      const Op op{
          .kind = OpKind::linear_prefill, .strands = row.heads * row.batch, .chunks = std::ceil(row.tokens / 64)};
      const double error = relative_error(seconds(op, hardware) * 1e6, row.us);
      EXPECT_LT(error, 0.20) << name << " " << row.heads << " x " << row.batch << " x " << row.tokens;
      sum += error;
      ++rows;
    }
    EXPECT_LT(sum / rows, hardware.op_class(OpKind::linear_prefill).relative_error) << name;
  }
}

// Same tables: one decode step, 32 value heads of 128 x 128, fp32 state larger than twice the L2.
TEST(RooflineTest, StateDecodeIsRightToTenPercentOnTheMeasuredShapes) {
  struct Row {
    const char* hardware;
    double batch, us;
  };
  for (const auto& row : {Row{"h100", 64, 95}, Row{"h100", 128, 185}, Row{"h100", 256, 364}, Row{"h100", 1024, 1440},
                          Row{"h200", 64, 71.6}, Row{"h200", 256, 267}, Row{"h200", 1024, 1052}, Row{"b200", 256, 171},
                          Row{"b200", 1024, 659}, Row{"l40s", 256, 1631}}) {
    const Op op{.kind = OpKind::state_decode, .bytes = 2 * 4 * 32 * 128 * 128 * row.batch};
    EXPECT_LT(relative_error(seconds(op, find_hardware(row.hardware)) * 1e6, row.us), 0.10)
        << row.hardware << " " << row.batch;
  }
}

// FlashAttention-3, causal prefill on H100, 32 heads of 128, batch 1: within the stated error where the table's own
// efficiency (0.46 at 2K, 0.61 at 16K) is near the constant 0.55.
TEST(RooflineTest, CausalPrefillIsRightToItsStatedErrorOnTheMeasuredShapes) {
  struct Row {
    std::int64_t tokens;
    double ms;
  };
  for (const auto& [tokens, ms] : {Row{4096, 0.264}, Row{8192, 0.912}, Row{16384, 3.31}}) {
    const Op op{.kind = OpKind::attention_prefill, .flops = causal_pairs(tokens, 0).approximate() * 4 * 32 * 128};
    EXPECT_LT(relative_error(seconds(op, h100()) * 1e3, ms), 0.24) << tokens;
  }
}

TEST(RooflineTest, AStateThatFillsMoreUnitsThanThereAreTakesAnotherWave) {
  const auto time = [](double strands) {
    return seconds({.kind = OpKind::linear_prefill, .strands = strands, .chunks = 100}, h100());
  };
  EXPECT_EQ(time(1), time(132));
  EXPECT_GT(time(133), 1.9 * time(132));
}

TEST(RooflineTest, EveryChunkKernelStatesWhereItsFactorIsFrom) {
  for (int i = 1; i <= static_cast<int>(ChunkKernel::elementwise_scan); ++i) {
    const auto& time = chunk_kernel_time(static_cast<ChunkKernel>(i));
    EXPECT_GE(time.factor, 1.0);
    EXPECT_FALSE(time.source.empty());
  }
}

}  // namespace
}  // namespace plait::costmodel
