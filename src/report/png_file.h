#pragma once

#include <cstdint>
#include <vector>

#include "src/report/raster_canvas.h"

namespace plait::report {

/// What was drawn, as a PNG file.
std::vector<std::uint8_t> png_file(const RasterCanvas& canvas);

}  // namespace plait::report
