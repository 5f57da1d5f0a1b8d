#pragma once

#include <cstdint>
#include <vector>

#include "src/report/canvas.h"

namespace plait::report {

/// Exact area coverage of a set of closed outlines, by accumulating the signed area to the right of every edge. A
/// pixel's coverage is |sum|, at most 1: outlines of one direction unite, holes run the other way.
class CoverageMask {
 public:
  CoverageMask(int width, int height);

  int width() const { return width_; }
  int height() const { return height_; }

  /// In device pixels; may reach outside.
  void add_edge(Point from, Point to);
  void add_outline(std::span<const Point> corners);

  /// Calls visit(x, y, coverage in (0, 1]) for every touched pixel and empties the mask.
  template <class Visit>
  void take(Visit visit) {
    for (int y = first_row_; y < last_row_; ++y) {
      float* row = &area_[static_cast<std::size_t>(y) * stride_];
      float sum = 0;
      for (int x = first_column_; x < width_; ++x) {
        sum += row[x];
        row[x] = 0;
        const float covered = sum < 0 ? -sum : sum;
        if (covered > kVisible) visit(x, y, covered < 1 ? covered : 1.0F);
        if (x > last_column_ && covered <= kVisible) break;
      }
      row[width_] = row[width_ + 1] = 0;
    }
    reset_bounds();
  }

 private:
  static constexpr float kVisible = 1.0F / 1024;  // below half a step of 8-bit colour, above the sum's rounding

  void add_clipped(double x0, double y0, double x1, double y1, double sign);
  void reset_bounds();

  int width_, height_;
  std::size_t stride_;
  std::vector<float> area_;
  int first_row_ = 0, last_row_ = 0, first_column_ = 0, last_column_ = 0;
};

/// Draws into an RGB image, `scale` device pixels per unit.
class RasterCanvas final : public Canvas {
 public:
  RasterCanvas(double width, double height, double scale, Colour background);

  void rect(const Rect& rect, const Paint& paint) override;
  void polygon(std::span<const Point> corners, const Paint& paint) override;
  void polyline(std::span<const Point> points, Colour colour, double width) override;
  void markers(std::span<const Point> centres, Marker marker, double radius, const Paint& paint) override;
  void text(Point at, std::string_view text, const TextStyle& style) override;

  int width() const { return mask_.width(); }
  int height() const { return mask_.height(); }
  const std::vector<std::uint8_t>& pixels() const { return pixels_; }  ///< [height][width][3]

 private:
  void add_piece(Point from, Point to, double half_width, bool joined = true);  // device pixels
  void add_stroke(std::span<const Point> points, double width, bool closed);
  void fill(Colour colour);

  double scale_;
  CoverageMask mask_;
  std::vector<std::uint8_t> pixels_;
};

}  // namespace plait::report
