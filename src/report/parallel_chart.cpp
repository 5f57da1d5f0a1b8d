#include "src/report/parallel_chart.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "src/report/chart_parts.h"
#include "src/report/number_format.h"
#include "src/report/png_file.h"
#include "src/report/svg_canvas.h"
#include "src/spec/error.h"

namespace plait::report {
namespace {

void validate(const ParallelChart& chart) {
  spec::Problems problems;
  if (chart.axes.size() < 2) problems.add("axes", "must be two or more");
  for (std::size_t i = 0; i < chart.lines.size(); ++i) {
    if (chart.lines[i].values.size() != chart.axes.size()) {
      problems.add(spec::index_path("lines", i), "must have a value for each axis");
    }
  }
  problems.throw_if_any();
}

/// 0 at the lower end of the axis, 1 at the upper.
double share(const ParallelChart::Scale& scale, double value) {
  if (!(scale.high > scale.low)) return 0.5;
  const bool log = scale.axis.log.value_or(false);
  const auto at = [&](double v) { return log ? std::log(v) : v; };
  return (at(value) - at(scale.low)) / (at(scale.high) - at(scale.low));
}

void draw(const ParallelChart& chart, double width, double height, Theme theme, Canvas& canvas) {
  const Palette& colours = palette(theme);
  const double top = draw_heading(canvas, colours, width, chart.title, chart.subtitle) + 44;
  const double bottom = height - kMargin - 22, left = kMargin + 60, right = width - kMargin - 60;
  const auto x_of = [&](std::size_t k) {
    return left + (right - left) * static_cast<double>(k) / static_cast<double>(chart.axes.size() - 1);
  };
  const auto ink = [&](ParallelChart::Kind kind) {
    switch (kind) {
      case ParallelChart::Kind::dominated: return with_alpha(colours.dominated, 0.5);
      case ParallelChart::Kind::front: return with_alpha(colours.front, 0.8);
      case ParallelChart::Kind::baseline: break;
    }
    return colours.baseline;
  };
  for (const auto kind : {ParallelChart::Kind::dominated, ParallelChart::Kind::front, ParallelChart::Kind::baseline}) {
    for (const ParallelChart::Line& line : chart.lines) {
      if (line.kind != kind) continue;
      canvas.begin_group(line.name);
      std::vector<Point> run;
      for (std::size_t k = 0; k <= chart.axes.size(); ++k) {
        const bool here = k < chart.axes.size() && std::isfinite(line.values[k]);
        if (here) run.push_back({x_of(k), bottom - (bottom - top) * share(chart.axes[k], line.values[k])});
        if (here) continue;
        if (run.size() > 1) canvas.polyline(run, ink(kind), kind == ParallelChart::Kind::dominated ? 0.8 : 1.6);
        run.clear();
      }
      canvas.end_group();
    }
  }
  for (std::size_t k = 0; k < chart.axes.size(); ++k) {
    const ParallelChart::Scale& scale = chart.axes[k];
    const double x = x_of(k), room = (right - left) / static_cast<double>(chart.axes.size() - 1) - 6;
    canvas.polyline(std::array{Point{x, top}, Point{x, bottom}}, colours.axis, 1.2);
    draw_label(canvas, {x, top - 26}, fit_text(scale.axis.label, room, kTextSize), kTextSize, colours.ink,
               Anchor::middle);
    draw_label(canvas, {x, top - 8}, format_value(scale.high, scale.axis.unit), kSmallSize, colours.muted,
               Anchor::middle);
    draw_label(canvas, {x, bottom + 16}, format_value(scale.low, scale.axis.unit), kSmallSize, colours.muted,
               Anchor::middle);
  }
}

}  // namespace

std::string to_svg(const ParallelChart& chart, const FigureOptions& options) {
  validate(chart);
  validate(options);
  SvgCanvas canvas(options.width, options.height, chart.title, palette(options.theme).background);
  draw(chart, options.width, options.height, options.theme, canvas);
  return std::move(canvas).finish();
}

std::vector<std::uint8_t> to_png(const ParallelChart& chart, const FigureOptions& options) {
  validate(chart);
  validate(options);
  RasterCanvas canvas(options.width, options.height, options.scale, palette(options.theme).background);
  draw(chart, options.width, options.height, options.theme, canvas);
  return png_file(canvas);
}

}  // namespace plait::report
