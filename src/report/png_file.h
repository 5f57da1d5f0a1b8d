#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "src/report/raster_canvas.h"

namespace plait::report {

/// Rows of red, green and blue bytes, the upper one first, as a PNG file.
std::vector<std::uint8_t> png_file(std::span<const std::uint8_t> pixels, int width, int height);

/// What was drawn, as a PNG file.
std::vector<std::uint8_t> png_file(const RasterCanvas& canvas);

}  // namespace plait::report
