#include "costmodel/count.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>

#include "src/spec/error.h"

namespace plait::costmodel {
namespace {

using Wide = boost::multiprecision::int128_t;

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

TEST(CountTest, StaysTooLargeAfterAnOverflow) {
  EXPECT_TRUE((Count(kMax / 2) * 3).too_large());
  EXPECT_TRUE((Count(kMax - 1) + 1).too_large());
  EXPECT_TRUE((Count(kMax / 2) * 3 * 2 + 5).too_large());
  EXPECT_FALSE((Count(kMax / 2) * 2).too_large());
  EXPECT_EQ((Count(kMax / 2) * 3 * 0).exact("nothing"), 0);
}

TEST(CountTest, NamesTheQuantityThatDoesNotFit) {
  try {
    (Count(kMax / 2) * 3).exact("forward_flops");
    FAIL() << "no exception";
  } catch (const spec::SpecError& error) {
    EXPECT_EQ(error.problems().at(0).path, "cost.forward_flops");
  }
}

RC_GTEST_PROP(CountTest, AgreesWithWideArithmetic, ()) {
  const auto a = *rc::gen::inRange<std::int64_t>(0, kMax);
  const auto b = *rc::gen::inRange<std::int64_t>(0, kMax);
  const Wide sum = Wide(a) + b;
  const Wide product = Wide(a) * b;
  RC_ASSERT((Count(a) + b).too_large() == (sum >= kMax));
  RC_ASSERT((Count(a) * b).too_large() == (product >= kMax));
  if (sum < kMax) RC_ASSERT((Count(a) + b).exact("sum") == static_cast<std::int64_t>(sum));
}

RC_GTEST_PROP(CountTest, CausalPairsCountEveryKeySeen, ()) {
  const auto tokens = *rc::gen::inRange<std::int64_t>(1, 300);
  const auto window = *rc::gen::inRange<std::int64_t>(0, 320);
  std::int64_t pairs = 0;
  for (std::int64_t i = 1; i <= tokens; ++i) pairs += window == 0 ? i : std::min(i, window);
  RC_ASSERT(causal_pairs(tokens, window).exact("pairs") == pairs);
}

}  // namespace
}  // namespace plait::costmodel
