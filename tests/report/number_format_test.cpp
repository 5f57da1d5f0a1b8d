#include "src/report/number_format.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstdint>

namespace plait::report {
namespace {

struct Case {
  double value;
  const char* unit;
  const char* text;
};

TEST(NumberFormat, ValuesCarryTheUnitThatKeepsThemShort) {
  const Case cases[] = {
      {0, "bytes", "0 B"},
      {512, "B", "512 B"},
      {1023, "B", "1023 B"},
      {1024, "B", "1.00 KiB"},
      {1536, "bytes", "1.50 KiB"},
      {1023.7 * 1024, "bytes", "1.00 MiB"},
      {1011 * 1024.0, "bytes", "1011 KiB"},
      {3.25 * 0x1p30, "bytes", "3.25 GiB"},
      {-2 * 0x1p30, "bytes", "-2.00 GiB"},
      {0x1p60, "bytes", "1024 PiB"},
      {3e3, "bytes/token", "2.93 KiB/token"},
      {1.24e-3, "s", "1.24 ms"},
      {999.6e-6, "s", "1.00 ms"},
      {42e-6, "s", "42.0 us"},
      {8e-9, "seconds", "8.00 ns"},
      {3, "s", "3 s"},
      {4.47e20, "flops", "447 EFLOP"},
      {2.6e9, "FLOP", "2.60 GFLOP"},
      {1.3e9, "parameters", "1.30B"},
      {340e6, "parameters", "340M"},
      {0.25, "J", "250 mJ"},
      {0.4123, "1", "0.412"},
      {0.41, "1", "0.410"},
      {6, "1", "6"},
      {1, "", "1"},
      {2828.4, "tok/s", "2828 tok/s"},
      {12.345, "points", "12.3 points"},
  };
  for (const Case& c : cases) EXPECT_EQ(format_value(c.value, c.unit), c.text) << c.value << " " << c.unit;
}

TEST(NumberFormat, PlainNumbersHaveThreeSignificantDigits) {
  const std::pair<double, const char*> cases[] = {{0, "0"},
                                                  {-0.0, "0"},
                                                  {0.0012345, "0.00123"},
                                                  {0.9996, "1.00"},
                                                  {9.996, "10.0"},
                                                  {99.96, "100"},
                                                  {1234.5, "1234"},
                                                  {999999, "999999"},
                                                  {1e6, "1.00e+06"},
                                                  {1.234e-5, "1.23e-05"},
                                                  {-0.5, "-0.500"},
                                                  {0.00099996, "0.00100"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(format_number(value), text) << value;
}

TEST(NumberFormat, ADeviationSharesUnitAndDecimalsWithItsValue) {
  EXPECT_EQ(format_value(0.412, 0.0213, "1"), "0.412 ± 0.021");
  EXPECT_EQ(format_value(0.412, 0.00021, "1"), "0.4120 ± 0.0002");
  EXPECT_EQ(format_value(2.5e-3, 0.1e-3, "s"), "2.50 ± 0.10 ms");
  EXPECT_EQ(format_value(0.412, 0.0, "1"), "0.412 ± 0.000");
  EXPECT_EQ(format_value(-5.7e-13, 0.1172, "1"), "0.000 ± 0.117");
  EXPECT_EQ(format_value(0.0, 2.5e-3, "s"), "0.00 ± 2.50 ms");
  EXPECT_EQ(format_value(0.412, std::nullopt, "1"), "0.412");
}

RC_GTEST_PROP(NumberFormat, AThreeDigitTextIsWithinHalfAPercentOfItsNumber, ()) {
  const double value = *rc::gen::map(rc::gen::inRange(-4'000'000, 4'000'000), [](int k) {
    return std::ldexp(1.0 + std::abs(k) * 1e-7, k / 200'000) * (k < 0 ? -1 : 1);
  });
  const double read = std::stod(format_number(value));
  RC_ASSERT(std::abs(read - value) <= 0.005 * std::abs(value));
}

RC_GTEST_PROP(NumberFormat, TheShownNumberStaysBelowTheNextUnit, ()) {
  const double bytes = *rc::gen::map(rc::gen::inRange<std::int64_t>(1, std::int64_t{1} << 58),
                                     [](std::int64_t n) { return static_cast<double>(n); });
  const double shown = std::stod(format_value(bytes, "bytes"));
  RC_ASSERT(shown >= 1);
  RC_ASSERT(shown < 1024);
}

}  // namespace
}  // namespace plait::report
