#include "src/report/svg_canvas.h"

#include <fmt/format.h>

#include <iterator>

#include "src/report/utf8.h"

namespace plait::report {
namespace {

/// Hundredths of a pixel, without needless zeros.
std::string number(double value) {
  std::string text = fmt::format("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

void append_colour(std::string& out, std::string_view attribute, const std::optional<Colour>& colour) {
  out += fmt::format(" {}=\"{}\"", attribute, colour ? hex(*colour) : "none");
  if (colour && colour->alpha < 1) out += fmt::format(" {}-opacity=\"{}\"", attribute, number(colour->alpha));
}

void append_paint(std::string& out, const Paint& paint) {
  append_colour(out, "fill", paint.fill);
  if (!paint.stroke) return;
  append_colour(out, "stroke", paint.stroke);
  if (paint.stroke_width != 1) out += fmt::format(" stroke-width=\"{}\"", number(paint.stroke_width));
}

}  // namespace

SvgCanvas::SvgCanvas(double width, double height, std::string_view title, Colour background) {
  // Verdana is DejaVu Sans's near twin in width on other systems.
  out_ = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" role=\"img\" "
      "font-family=\"'DejaVu Sans', Verdana, Geneva, sans-serif\">\n<title>{2}</title>\n",
      number(width), number(height), escape_markup(title));
  rect({0, 0, width, height}, {.fill = background});
}

void SvgCanvas::points(std::span<const Point> list) {
  out_ += " points=\"";
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) out_ += ' ';
    out_ += number(list[i].x) + ',' + number(list[i].y);
  }
  out_ += '"';
}

void SvgCanvas::rect(const Rect& rect, const Paint& paint) {
  out_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", number(rect.x), number(rect.y),
                      number(rect.width), number(rect.height));
  append_paint(out_, paint);
  out_ += "/>\n";
}

void SvgCanvas::polygon(std::span<const Point> corners, const Paint& paint) {
  out_ += "<polygon";
  points(corners);
  append_paint(out_, paint);
  out_ += "/>\n";
}

void SvgCanvas::polyline(std::span<const Point> list, Colour colour, double width) {
  out_ += "<polyline";
  points(list);
  append_paint(out_, {.stroke = colour, .stroke_width = width});
  out_ += " stroke-linejoin=\"round\"/>\n";
}

void SvgCanvas::markers(std::span<const Point> centres, Marker marker, double radius, const Paint& paint) {
  if (centres.empty()) return;
  out_ += "<g";
  append_paint(out_, paint);
  out_ += " stroke-linejoin=\"round\">\n";
  for (const Point& centre : centres) {
    if (marker == Marker::circle) {
      out_ +=
          fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\"/>\n", number(centre.x), number(centre.y), number(radius));
    } else {
      out_ += "<polygon";
      points(marker_outline(marker, centre, radius));
      out_ += "/>\n";
    }
  }
  out_ += "</g>\n";
}

void SvgCanvas::text(Point at, std::string_view text, const TextStyle& style) {
  out_ += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"{}\"", number(at.x), number(at.y), number(style.size));
  append_colour(out_, "fill", style.colour);
  if (style.weight == Weight::bold) out_ += " font-weight=\"bold\"";
  if (style.anchor != Anchor::start)
    out_ += style.anchor == Anchor::middle ? " text-anchor=\"middle\"" : " text-anchor=\"end\"";
  if (style.halo) {
    append_colour(out_, "stroke", style.halo);
    out_ += fmt::format(" stroke-width=\"{}\" stroke-linejoin=\"round\" paint-order=\"stroke\"", number(kHaloWidth));
  }
  if (style.upwards) out_ += fmt::format(" transform=\"rotate(-90 {} {})\"", number(at.x), number(at.y));
  out_ += '>';
  out_ += escape_markup(text);
  out_ += "</text>\n";
}

void SvgCanvas::begin_group(std::string_view title) {
  out_ += "<g>\n";
  if (!title.empty()) out_ += "<title>" + escape_markup(title) + "</title>\n";
}

void SvgCanvas::end_group() { out_ += "</g>\n"; }

std::string SvgCanvas::finish() && { return std::move(out_) + "</svg>\n"; }

}  // namespace plait::report
