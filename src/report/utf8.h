#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// The little of Unicode that figures need.
namespace plait::report {

inline constexpr char32_t kReplacement = 0xfffd;

/// Code points of `text`; a byte that is part of no valid sequence becomes U+FFFD.
std::u32string decode_utf8(std::string_view text);
std::string encode_utf8(char32_t code_point);

/// Valid UTF-8 on one line: control characters and broken bytes become U+FFFD.
std::string printable(std::string_view text);

/// `printable`, with & < > " ' as entities: for XML and HTML text and attributes.
std::string escape_markup(std::string_view text);

/// Columns of a terminal: 2 for East Asian wide characters and emoji, 0 for combining marks.
std::size_t display_width(std::string_view text);

/// `printable(text)` cut to `width` columns, the cut shown by `ellipsis`.
std::string shorten(std::string_view text, std::size_t width, std::string_view ellipsis = "…");

}  // namespace plait::report
