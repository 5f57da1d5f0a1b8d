#include "src/report/font.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <stdexcept>

#include "src/report/utf8.h"
#include "src/spec/embedded_file.h"

#define STB_TRUETYPE_IMPLEMENTATION
#define STBTT_STATIC
#include <stb/stb_truetype.h>

namespace plait::embedded {
std::span<const spec::EmbeddedFile> report_fonts();
}

namespace plait::report {

struct Font::Data {
  stbtt_fontinfo info;
};

namespace {

std::string_view font_file(Weight weight) {
  const std::string_view name = weight == Weight::bold ? "DejaVuSans-Bold.ttf" : "DejaVuSans.ttf";
  for (const spec::EmbeddedFile& file : embedded::report_fonts()) {
    if (file.name == name) return file.content;
  }
  throw std::logic_error("font " + std::string(name) + " is not compiled in");
}

/// Straight pieces of a quadratic curve whose distance from it stays below 0.05 px at `scale`: the sagitta of one of n
/// equal pieces is |p0 - 2 p1 + p2| / (4 n^2).
void flatten(Point p0, Point p1, Point p2, const std::function<void(Point, Point)>& edge) {
  const double bend = std::hypot(p0.x - 2 * p1.x + p2.x, p0.y - 2 * p1.y + p2.y);
  const int pieces = std::clamp(static_cast<int>(std::ceil(std::sqrt(bend / (4 * 0.05)))), 1, 32);
  Point from = p0;
  for (int i = 1; i <= pieces; ++i) {
    const double t = static_cast<double>(i) / pieces, s = 1 - t;
    const Point to = i == pieces ? p2
                                 : Point{s * s * p0.x + 2 * s * t * p1.x + t * t * p2.x,
                                         s * s * p0.y + 2 * s * t * p1.y + t * t * p2.y};
    edge(from, to);
    from = to;
  }
}

}  // namespace

Font::Font(std::string_view file) {
  static_assert(sizeof(unsigned char) == sizeof(char));
  auto data = std::make_unique<Data>();
  const auto* bytes = reinterpret_cast<const unsigned char*>(file.data());
  if (stbtt_InitFont(&data->info, bytes, stbtt_GetFontOffsetForIndex(bytes, 0)) == 0) {
    throw std::logic_error("a font that is compiled in cannot be read");
  }
  data_ = data.release();  // both fonts live as long as the program
}

const Font& Font::get(Weight weight) {
  static const Font regular(font_file(Weight::regular));
  static const Font bold(font_file(Weight::bold));
  return weight == Weight::bold ? bold : regular;
}

double Font::width(std::string_view text, double size) const {
  const stbtt_fontinfo* info = &data_->info;
  double units = 0;
  int previous = 0;
  for (const char32_t c : decode_utf8(text)) {
    const int glyph = stbtt_FindGlyphIndex(info, static_cast<int>(c));
    int advance = 0, bearing = 0;
    stbtt_GetGlyphHMetrics(info, glyph, &advance, &bearing);
    if (previous != 0) units += stbtt_GetGlyphKernAdvance(info, previous, glyph);
    units += advance;
    previous = glyph;
  }
  return units * static_cast<double>(stbtt_ScaleForMappingEmToPixels(info, 1.0F)) * size;
}

void Font::outline(std::string_view text, double size, const std::function<void(Point, Point)>& edge) const {
  const stbtt_fontinfo* info = &data_->info;
  const double scale = static_cast<double>(stbtt_ScaleForMappingEmToPixels(info, 1.0F)) * size;
  double pen = 0;
  int previous = 0;
  for (const char32_t c : decode_utf8(text)) {
    const int glyph = stbtt_FindGlyphIndex(info, static_cast<int>(c));
    if (previous != 0) pen += stbtt_GetGlyphKernAdvance(info, previous, glyph);
    stbtt_vertex* list = nullptr;
    const int count = stbtt_GetGlyphShape(info, glyph, &list);
    const auto place = [&](int x, int y) { return Point{(pen + x) * scale, -y * scale}; };
    Point from;
    for (const stbtt_vertex& vertex : std::span(list, static_cast<std::size_t>(count))) {
      const Point to = place(vertex.x, vertex.y);
      if (vertex.type == STBTT_vline) edge(from, to);
      if (vertex.type == STBTT_vcurve) flatten(from, place(vertex.cx, vertex.cy), to, edge);
      from = to;  // TrueType contours come closed
    }
    stbtt_FreeShape(info, list);
    int advance = 0, bearing = 0;
    stbtt_GetGlyphHMetrics(info, glyph, &advance, &bearing);
    pen += advance;
    previous = glyph;
  }
}

std::string fit_text(std::string_view text, double width, double size, Weight weight) {
  const Font& font = Font::get(weight);
  std::string clean = printable(text);
  if (font.width(clean, size) <= width) return clean;
  std::u32string kept = decode_utf8(clean);
  std::string fitted;
  do {
    if (kept.empty()) return "";
    kept.pop_back();
    while (!kept.empty() && kept.back() == U' ') kept.pop_back();
    fitted.clear();
    for (const char32_t c : kept) fitted += encode_utf8(c);
    fitted += "…";
  } while (font.width(fitted, size) > width);
  return fitted;
}

}  // namespace plait::report
