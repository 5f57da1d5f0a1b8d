#include "src/report/raster_canvas.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "src/report/utf8.h"

namespace plait::report {

std::vector<Point> marker_outline(Marker marker, Point centre, double radius, double scale) {
  const auto ring = [&](int corners, double reach, double turn) {
    std::vector<Point> outline;
    for (int i = 0; i < corners; ++i) {
      const double angle = turn + 2 * std::numbers::pi * i / corners;
      outline.push_back({centre.x + reach * std::cos(angle), centre.y + reach * std::sin(angle)});
    }
    return outline;
  };
  // Circumradius of the regular n-gon with the area of the circle: r sqrt(2 pi / (n sin(2 pi / n))).
  const auto reach = [&](int n) {
    return radius * std::sqrt(2 * std::numbers::pi / (n * std::sin(2 * std::numbers::pi / n)));
  };
  switch (marker) {
    case Marker::square: return ring(4, reach(4), std::numbers::pi / 4);
    case Marker::triangle: return ring(3, reach(3), -std::numbers::pi / 2);
    case Marker::diamond: return ring(4, reach(4), 0);
    case Marker::circle: break;
  }
  const int corners = std::clamp(static_cast<int>(std::ceil(4 * std::sqrt(radius * scale))) * 4, 12, 256);
  return ring(corners, reach(corners), 0);
}

CoverageMask::CoverageMask(int width, int height)
    : width_(width),
      height_(height),
      stride_(static_cast<std::size_t>(width) + 2),
      area_(stride_ * static_cast<std::size_t>(height)) {
  reset_bounds();
}

void CoverageMask::reset_bounds() {
  first_row_ = height_;
  last_row_ = 0;
  first_column_ = width_;
  last_column_ = -1;
}

void CoverageMask::add_edge(Point from, Point to) {
  if (from.y == to.y) return;
  const double sign = from.y < to.y ? 1 : -1;
  if (sign < 0) std::swap(from, to);
  const double slope = (to.x - from.x) / (to.y - from.y);
  const double y0 = std::max(from.y, 0.0), y1 = std::min(to.y, static_cast<double>(height_));
  if (y0 >= y1) return;
  const auto x_at = [&](double y) { return from.x + (y - from.y) * slope; };
  // Left of the image an edge counts as standing on its left border, right of it as standing on the right one.
  std::array<double, 4> cuts = {y0, y1, y1, y1};
  std::size_t count = 1;
  if (slope != 0) {
    double at_left = from.y - from.x / slope, at_right = from.y + (width_ - from.x) / slope;
    if (at_left > at_right) std::swap(at_left, at_right);
    for (const double cut : {at_left, at_right}) {
      if (cut > y0 && cut < y1) cuts[count++] = cut;
    }
  }
  cuts[count] = y1;
  const auto inside = [&](double x) { return std::clamp(x, 0.0, static_cast<double>(width_)); };
  for (std::size_t i = 0; i < count; ++i) {
    add_clipped(inside(x_at(cuts[i])), cuts[i], inside(x_at(cuts[i + 1])), cuts[i + 1], sign);
  }
}

void CoverageMask::add_clipped(double x0, double y0, double x1, double y1, double sign) {
  if (y1 <= y0) return;
  const double slope = (x1 - x0) / (y1 - y0);
  const int first = static_cast<int>(y0), last = std::min(height_, static_cast<int>(std::ceil(y1)));
  first_row_ = std::min(first_row_, first);
  last_row_ = std::max(last_row_, last);
  first_column_ = std::min(first_column_, static_cast<int>(std::min(x0, x1)));
  last_column_ = std::max(last_column_, static_cast<int>(std::max(x0, x1)));
  for (int y = first; y < last; ++y) {
    float* row = &area_[static_cast<std::size_t>(y) * stride_];
    const double top = std::max<double>(y, y0), bottom = std::min<double>(y + 1, y1);
    const double xa = std::clamp(x0 + (top - y0) * slope, 0.0, static_cast<double>(width_));
    const double xb = std::clamp(x0 + (bottom - y0) * slope, 0.0, static_cast<double>(width_));
    const double left = std::min(xa, xb), right = std::max(xa, xb), height = sign * (bottom - top);
    const int column = static_cast<int>(left), end = static_cast<int>(right);
    // row[j] receives the change, from pixel j-1 to j, of the area to the right of the edge.
    double before = 0;
    for (int j = column; j <= end; ++j) {
      const double from = std::max<double>(left, j), to = std::min<double>(right, j + 1);
      const double passed = right > left ? (from - left) / (right - left) : 0;  // share of the edge left of this pixel
      const double here = right > left ? (to - from) / (right - left) : 1;
      const double area = height * (passed + here * (j + 1 - (from + to) / 2));
      row[j] += static_cast<float>(area - before);
      before = area;
    }
    row[end + 1] += static_cast<float>(height - before);
  }
}

void CoverageMask::add_outline(std::span<const Point> corners) {
  for (std::size_t i = 0; i < corners.size(); ++i) add_edge(corners[i], corners[(i + 1) % corners.size()]);
}

RasterCanvas::RasterCanvas(double width, double height, double scale, Colour background)
    : scale_(scale),
      mask_(static_cast<int>(std::lround(width * scale)), static_cast<int>(std::lround(height * scale))),
      pixels_(static_cast<std::size_t>(mask_.width()) * static_cast<std::size_t>(mask_.height()) * 3) {
  for (std::size_t i = 0; i < pixels_.size(); i += 3) {
    pixels_[i] = background.red;
    pixels_[i + 1] = background.green;
    pixels_[i + 2] = background.blue;
  }
}

void RasterCanvas::fill(Colour colour) {
  mask_.take([&](int x, int y, float coverage) {
    const double alpha = coverage * colour.alpha;
    std::uint8_t* pixel =
        &pixels_[(static_cast<std::size_t>(y) * static_cast<std::size_t>(mask_.width()) + static_cast<std::size_t>(x)) *
                 3];
    const std::array<std::uint8_t, 3> ink = {colour.red, colour.green, colour.blue};
    for (std::size_t c = 0; c < 3; ++c)
      pixel[c] = static_cast<std::uint8_t>(pixel[c] + (ink[c] - pixel[c]) * alpha + 0.5);
  });
}

/// A quad, and a disc at its start for the join. All run the same way round, so that their union is filled.
void RasterCanvas::add_piece(Point from, Point to, double half, bool joined) {
  const double length = std::hypot(to.x - from.x, to.y - from.y);
  if (length == 0) return;
  const double nx = -(to.y - from.y) / length * half, ny = (to.x - from.x) / length * half;
  mask_.add_outline(std::array<Point, 4>{
      {{from.x - nx, from.y - ny}, {to.x - nx, to.y - ny}, {to.x + nx, to.y + ny}, {from.x + nx, from.y + ny}}});
  if (joined) mask_.add_outline(marker_outline(Marker::circle, from, half));
}

void RasterCanvas::add_stroke(std::span<const Point> points, double width, bool closed) {
  const auto device = [&](std::size_t i) {
    return Point{points[i % points.size()].x * scale_, points[i % points.size()].y * scale_};
  };
  const std::size_t pieces = points.size() < 2 ? 0 : closed ? points.size() : points.size() - 1;
  for (std::size_t i = 0; i < pieces; ++i) add_piece(device(i), device(i + 1), width * scale_ / 2, closed || i > 0);
}

void RasterCanvas::rect(const Rect& r, const Paint& paint) {
  polygon(std::array<Point, 4>{{{r.x, r.y}, {r.right(), r.y}, {r.right(), r.bottom()}, {r.x, r.bottom()}}}, paint);
}

void RasterCanvas::polygon(std::span<const Point> corners, const Paint& paint) {
  if (paint.fill) {
    for (std::size_t i = 0; i < corners.size(); ++i) {
      const Point& a = corners[i];
      const Point& b = corners[(i + 1) % corners.size()];
      mask_.add_edge({a.x * scale_, a.y * scale_}, {b.x * scale_, b.y * scale_});
    }
    fill(*paint.fill);
  }
  if (paint.stroke) {
    add_stroke(corners, paint.stroke_width, true);
    fill(*paint.stroke);
  }
}

void RasterCanvas::polyline(std::span<const Point> points, Colour colour, double width) {
  add_stroke(points, width, false);
  fill(colour);
}

void RasterCanvas::markers(std::span<const Point> centres, Marker marker, double radius, const Paint& paint) {
  for (const Point& centre : centres) polygon(marker_outline(marker, centre, radius, scale_), paint);
}

void RasterCanvas::text(Point at, std::string_view text, const TextStyle& style) {
  const Font& font = Font::get(style.weight);
  const std::string clean = printable(text);
  const double width = font.width(clean, style.size);
  const double shift = style.anchor == Anchor::start ? 0 : style.anchor == Anchor::middle ? -width / 2 : -width;
  const auto place = [&](Point p) {
    const double along = p.x + shift * scale_;
    return style.upwards ? Point{at.x * scale_ + p.y, at.y * scale_ - along}
                         : Point{at.x * scale_ + along, at.y * scale_ + p.y};
  };
  if (style.halo) {
    font.outline(clean, style.size * scale_,
                 [&](Point from, Point to) { add_piece(place(from), place(to), kHaloWidth * scale_ / 2); });
    fill(*style.halo);
  }
  font.outline(clean, style.size * scale_, [&](Point from, Point to) { mask_.add_edge(place(from), place(to)); });
  fill(style.colour);
}

}  // namespace plait::report
