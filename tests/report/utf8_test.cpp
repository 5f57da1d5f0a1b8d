#include "src/report/utf8.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace plait::report {
namespace {

TEST(Utf8, BrokenBytesAndControlCharactersBecomeReplacements) {
  EXPECT_EQ(printable("a\x1b[31mb"), "a\xef\xbf\xbd[31mb");
  EXPECT_EQ(printable("\xff\xc3"), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(printable("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd");             // overlong
  EXPECT_EQ(decode_utf8("\xed\xa0\x80"), std::u32string(3, kReplacement));  // surrogate
  EXPECT_EQ(printable("µ ± → 層 🙂"), "µ ± → 層 🙂");
}

TEST(Utf8, MarkupIsEscaped) { EXPECT_EQ(escape_markup("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"); }

TEST(Utf8, WidthCountsColumns) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("µ±"), 2U);
  EXPECT_EQ(display_width("層🙂"), 4U);
  EXPECT_EQ(display_width("e\xcc\x81"), 1U);
}

RC_GTEST_PROP(Utf8, ShortenedTextFits, (std::string text)) {
  const std::size_t width = *rc::gen::inRange<std::size_t>(0, 40);
  RC_ASSERT(display_width(shorten(text, width)) <= width);
  RC_ASSERT(display_width(shorten(text, width, "...")) <= width);
}

RC_GTEST_PROP(Utf8, EncodingInvertsDecoding, ()) {
  const char32_t c = *rc::gen::inRange<char32_t>(1, 0x110000);
  RC_PRE(c < 0xd800 || c > 0xdfff);
  RC_ASSERT(decode_utf8(encode_utf8(c)) == std::u32string(1, c));
}

}  // namespace
}  // namespace plait::report
