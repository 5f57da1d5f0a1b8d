#include "src/report/utf8.h"

#include <array>
#include <utility>

namespace plait::report {
namespace {

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xfffe || c == 0xffff; }

/// Blocks that terminals show two columns wide (Unicode 15, East_Asian_Width W and F, and emoji), coarsely.
constexpr std::array<std::pair<char32_t, char32_t>, 11> kWide = {{{0x1100, 0x115f},
                                                                  {0x2e80, 0x303e},
                                                                  {0x3041, 0xa4cf},
                                                                  {0xa960, 0xa97f},
                                                                  {0xac00, 0xd7a3},
                                                                  {0xf900, 0xfaff},
                                                                  {0xfe30, 0xfe6f},
                                                                  {0xff00, 0xff60},
                                                                  {0xffe0, 0xffe6},
                                                                  {0x1f300, 0x1faff},
                                                                  {0x20000, 0x3fffd}}};

std::size_t width_of(char32_t c) {
  if ((c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200f) || (c >= 0xfe00 && c <= 0xfe0f)) return 0;
  for (const auto& [first, last] : kWide) {
    if (c >= first && c <= last) return 2;
  }
  return 1;
}

}  // namespace

std::u32string decode_utf8(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xc2 ? 0
                               : lead < 0xe0 ? 2
                               : lead < 0xf0 ? 3
                               : lead < 0xf5 ? 4
                                             : 0;
    bool valid = length > 0 && i + length <= text.size();
    char32_t code = length == 1 ? lead : lead & (0xffU >> (length + 1));
    for (std::size_t k = 1; valid && k < length; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      valid = (byte & 0xc0) == 0x80;
      code = code << 6 | (byte & 0x3fU);
    }
    if (length == 3) valid = valid && code >= 0x800 && (code < 0xd800 || code > 0xdfff);
    if (length == 4) valid = valid && code >= 0x10000 && code <= 0x10ffff;
    out += valid ? code : kReplacement;
    i += valid ? length : 1;
  }
  return out;
}

std::string encode_utf8(char32_t c) {
  const auto byte = [](char32_t bits) { return static_cast<char>(static_cast<unsigned char>(bits)); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xc0 | c >> 6), byte(0x80 | (c & 0x3f))};
  if (c < 0x10000) return {byte(0xe0 | c >> 12), byte(0x80 | (c >> 6 & 0x3f)), byte(0x80 | (c & 0x3f))};
  return {byte(0xf0 | c >> 18), byte(0x80 | (c >> 12 & 0x3f)), byte(0x80 | (c >> 6 & 0x3f)), byte(0x80 | (c & 0x3f))};
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char32_t c : decode_utf8(text)) out += encode_utf8(is_control(c) ? kReplacement : c);
  return out;
}

std::string escape_markup(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (const char32_t c : decode_utf8(text)) width += width_of(c);
  return width;
}

std::string shorten(std::string_view text, std::size_t width, std::string_view ellipsis) {
  const std::string clean = printable(text);
  if (display_width(clean) <= width) return clean;
  const std::size_t mark = display_width(ellipsis);
  if (width < mark) return std::string(width, '.');
  std::string out;
  std::size_t used = 0;
  for (const char32_t c : decode_utf8(clean)) {
    if (used + width_of(c) + mark > width) break;
    used += width_of(c);
    out += encode_utf8(c);
  }
  return out + std::string(ellipsis);
}

}  // namespace plait::report
