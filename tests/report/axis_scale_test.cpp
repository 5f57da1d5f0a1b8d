#include "src/report/axis_scale.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace plait::report {
namespace {

using testing::ElementsAre;

std::vector<std::string> labels(const AxisScale& scale, std::size_t count) {
  std::vector<std::string> list;
  for (const Tick& tick : scale.ticks(count)) list.push_back(tick.label);
  return list;
}

double any_double(int exponent) {
  const double mantissa = *rc::gen::map(rc::gen::inRange(-1'000'000, 1'000'000), [](int k) { return k * 1e-6; });
  return std::ldexp(mantissa, *rc::gen::inRange(-exponent, exponent));
}

RC_GTEST_PROP(Ticks, LinearTicksAreMonotoneBoundedAndLeaveLessThanAStepFree, ()) {
  const double low = any_double(40);
  const double high = low + std::ldexp(1.0, *rc::gen::inRange(-20, 40)) * (1 + 1e-3 * *rc::gen::inRange(0, 1000));
  RC_PRE(high - low > 1e-9 * std::max(std::abs(low), std::abs(high)));
  const std::size_t count = *rc::gen::inRange<std::size_t>(2, 15);
  const std::vector<double> ticks = linear_ticks(low, high, count);
  RC_ASSERT(ticks.size() <= count);
  RC_ASSERT(std::ranges::is_sorted(ticks, std::less_equal<>()) || ticks.size() < 2);
  for (const double tick : ticks) RC_ASSERT(tick >= low && tick <= high);
  // Six multiples of 2 span 10, so two of 5; with count 4 that fails: [6, 14] has five of 2 and one of 5.
  if (count >= 5) RC_ASSERT(ticks.size() >= 2);
  if (ticks.size() < 2) return;
  const double step = (ticks.back() - ticks.front()) / static_cast<double>(ticks.size() - 1) * (1 + 1e-6);
  RC_ASSERT(ticks.front() - low <= step);
  RC_ASSERT(high - ticks.back() <= step);
}

RC_GTEST_PROP(Ticks, LogTicksAreMonotoneBoundedAndInside, ()) {
  const double low = std::ldexp(1.0 + 1e-3 * *rc::gen::inRange(0, 1000), *rc::gen::inRange(-40, 40));
  const double high = low * std::ldexp(1.1, *rc::gen::inRange(0, 60));
  const std::size_t count = *rc::gen::inRange<std::size_t>(2, 15);
  const std::vector<double> ticks = log_ticks(low, high, count, *rc::gen::arbitrary<bool>());
  RC_ASSERT(ticks.size() <= count);
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    RC_ASSERT(ticks[i] >= low && ticks[i] <= high);
    if (i > 0) RC_ASSERT(ticks[i] > ticks[i - 1]);
  }
}

TEST(Ticks, StepsAreOneTwoFive) {
  EXPECT_THAT(linear_ticks(0.18, 0.47, 7), ElementsAre(0.2, 0.25, 0.3, 0.35, 0.4, 0.45));
  EXPECT_THAT(linear_ticks(-0.4, 12.4, 7), ElementsAre(0, 2, 4, 6, 8, 10, 12));
  EXPECT_THAT(log_ticks(0.8, 110, 9, false), ElementsAre(1, 2, 5, 10, 20, 50, 100));
  EXPECT_THAT(log_ticks(0.8, 1.1e6, 5, false), ElementsAre(1, 100, 1e4, 1e6));
  EXPECT_THAT(log_ticks(3, 300, 5, true), ElementsAre(4, 16, 64, 256));
}

TEST(AxisScale, ALinearAxisNamesItsUnitOnceAndALogarithmicOneWithEveryTick) {
  const double gib = 0x1p30;
  const AxisScale linear({"KV cache", "bytes"}, std::vector{0.0, 12 * gib});
  EXPECT_EQ(linear.title(), "KV cache (GiB)");
  EXPECT_THAT(labels(linear, 7), ElementsAre("0", "2", "4", "6", "8", "10", "12"));
  const AxisScale log({"KV cache", "bytes"}, std::vector{gib / 1024, gib});
  EXPECT_TRUE(log.log());
  EXPECT_EQ(log.title(), "KV cache");
  EXPECT_THAT(labels(log, 6), ElementsAre("1 MiB", "4 MiB", "16 MiB", "64 MiB", "256 MiB", "1 GiB"));
}

TEST(AxisScale, ItIsLogarithmicBeyondTwoDecadesOfPositiveValuesUnlessTold) {
  const auto is_log = [](Axis axis, std::vector<double> values) { return AxisScale(axis, values).log(); };
  EXPECT_TRUE(is_log({"a"}, {1, 101}));
  EXPECT_FALSE(is_log({"a"}, {1, 100}));
  EXPECT_FALSE(is_log({"a"}, {0, 1000}));
  EXPECT_FALSE(is_log({"a"}, {-1, 1000}));
  EXPECT_FALSE(is_log({.label = "a", .log = false}, {1, 1000}));
  EXPECT_TRUE(is_log({.label = "a", .log = true}, {1, 2}));
  EXPECT_FALSE(is_log({"a"}, {}));
}

RC_GTEST_PROP(AxisScale, EveryValueLiesInsideAndOrderIsKept, (std::vector<int> raw)) {
  RC_PRE(!raw.empty());
  std::vector<double> values(raw.begin(), raw.end());
  std::ranges::sort(values);
  const AxisScale scale({"a"}, values);
  double before = 0;
  for (const double value : values) {
    const double position = scale.position(value);
    RC_ASSERT(position > 0 && position < 1);
    RC_ASSERT(position >= before);
    before = position;
  }
}

TEST(AxisScale, EqualValuesStandInTheMiddle) {
  EXPECT_DOUBLE_EQ(AxisScale({"a"}, std::vector{3.0, 3.0}).position(3), 0.5);
  EXPECT_DOUBLE_EQ(AxisScale({"a"}, std::vector{0.0}).position(0), 0.5);
  EXPECT_DOUBLE_EQ(AxisScale({.label = "a", .log = true}, std::vector{8.0}).position(8), 0.5);
}

}  // namespace
}  // namespace plait::report
