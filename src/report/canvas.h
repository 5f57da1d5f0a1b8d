#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "src/report/font.h"
#include "src/report/geometry.h"
#include "src/report/palette.h"

namespace plait::report {

struct Paint {
  std::optional<Colour> fill{};
  std::optional<Colour> stroke{};
  double stroke_width = 1;
};

enum class Anchor { start, middle, end };

inline constexpr double kHaloWidth = 3;

struct TextStyle {
  double size = 12;
  Colour colour;
  Anchor anchor = Anchor::start;
  Weight weight = Weight::regular;
  bool upwards = false;          ///< turned by 90 degrees, reading from below
  std::optional<Colour> halo{};  ///< around the letters, kHaloWidth / 2 wide
};

enum class Marker { circle, square, triangle, diamond };

/// What a figure is drawn with. Two back ends: SvgCanvas and RasterCanvas. Units are pixels at scale 1.
class Canvas {
 public:
  virtual ~Canvas() = default;

  virtual void rect(const Rect& rect, const Paint& paint) = 0;
  virtual void polygon(std::span<const Point> corners, const Paint& paint) = 0;
  /// Round joins, butt ends.
  virtual void polyline(std::span<const Point> points, Colour colour, double width) = 0;
  /// The same marker at many places. All shapes of one `radius` have the area of that circle.
  virtual void markers(std::span<const Point> centres, Marker marker, double radius, const Paint& paint) = 0;
  /// One line; `at` is on the baseline.
  virtual void text(Point at, std::string_view text, const TextStyle& style) = 0;

  /// What is drawn between the two calls belongs together; a viewer may show `title` for it.
  virtual void begin_group(std::string_view /*title*/) {}
  virtual void end_group() {}
};

/// Corners of a marker; a circle has enough of them to look round at `scale` device pixels per unit.
std::vector<Point> marker_outline(Marker marker, Point centre, double radius, double scale = 1);

}  // namespace plait::report
