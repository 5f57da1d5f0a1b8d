#pragma once

#include "src/report/canvas.h"
#include "src/report/figure.h"

namespace plait::report {

/// Header, plot, front as strips, notes: the one drawing behind `to_svg` and `to_png`.
void draw_figure(const Figure& figure, double width, double height, Theme theme, Canvas& canvas);

}  // namespace plait::report
