#include "src/report/draw_figure.h"
#include "src/report/report.h"
#include "src/report/svg_canvas.h"

namespace plait::report {

std::string to_svg(const Figure& figure, const FigureOptions& options) {
  validate(figure);
  validate(options);
  SvgCanvas canvas(options.width, options.height, figure.title, palette(options.theme).background);
  draw_figure(figure, options.width, options.height, options.theme, canvas);
  return std::move(canvas).finish();
}

}  // namespace plait::report
