#pragma once

namespace plait::report {

/// Pixels, y down.
struct Point {
  double x = 0;
  double y = 0;
};

struct Rect {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;

  double right() const { return x + width; }
  double bottom() const { return y + height; }
};

/// Area shared by two rectangles.
constexpr double overlap(const Rect& a, const Rect& b) {
  const double left = a.x > b.x ? a.x : b.x;
  const double top = a.y > b.y ? a.y : b.y;
  const double right = a.x + a.width < b.x + b.width ? a.x + a.width : b.x + b.width;
  const double bottom = a.y + a.height < b.y + b.height ? a.y + a.height : b.y + b.height;
  return right > left && bottom > top ? (right - left) * (bottom - top) : 0;
}

}  // namespace plait::report
