#pragma once

#include <string>

#include "src/report/canvas.h"

namespace plait::report {

/// Writes SVG 1.1 elements; the text stays text.
class SvgCanvas final : public Canvas {
 public:
  SvgCanvas(double width, double height, std::string_view title, Colour background);

  void rect(const Rect& rect, const Paint& paint) override;
  void polygon(std::span<const Point> corners, const Paint& paint) override;
  void polyline(std::span<const Point> points, Colour colour, double width) override;
  void markers(std::span<const Point> centres, Marker marker, double radius, const Paint& paint) override;
  void text(Point at, std::string_view text, const TextStyle& style) override;
  void begin_group(std::string_view title) override;
  void end_group() override;

  /// The whole document.
  std::string finish() &&;

 private:
  void points(std::span<const Point> list);

  std::string out_;
};

}  // namespace plait::report
