#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "src/report/geometry.h"

namespace plait::report {

enum class Weight { regular, bold };

/// DejaVu Sans, compiled in: metrics for both back ends, outlines for the raster one.
class Font {
 public:
  static const Font& get(Weight weight);

  /// Advance width in pixels of a line of text at `size` pixels per em, kerning included.
  double width(std::string_view text, double size) const;

  /// Calls `edge` for every straight piece of the text's outlines (curves flattened to 0.1 px at `scale` 1), with the
  /// baseline's start at the origin, y down.
  void outline(std::string_view text, double size, const std::function<void(Point, Point)>& edge) const;

 private:
  struct Data;
  explicit Font(std::string_view file);
  const Data* data_;
};

/// `text` cut with an ellipsis to at most `width` pixels.
std::string fit_text(std::string_view text, double width, double size, Weight weight = Weight::regular);

}  // namespace plait::report
