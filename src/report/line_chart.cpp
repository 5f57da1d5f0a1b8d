#include "src/report/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "src/report/axis_scale.h"
#include "src/report/chart_parts.h"
#include "src/report/png_file.h"
#include "src/report/raster_canvas.h"
#include "src/report/svg_canvas.h"
#include "src/spec/error.h"

namespace plait::report {
namespace {

/// Okabe and Ito's set without the yellow, which is too light for a line; a second round has markers of another shape.
constexpr std::array<Colour, 7> kColours = {rgb(0x0072b2), rgb(0xd55e00), rgb(0x009e73), rgb(0xcc79a7),
                                            rgb(0xe69f00), rgb(0x56b4e9), rgb(0x882255)};
constexpr std::array<Marker, 4> kMarkers = {Marker::circle, Marker::square, Marker::triangle, Marker::diamond};

class ChartDrawing {
 public:
  ChartDrawing(const LineChart& chart, double width, double height, Theme theme, Canvas& canvas)
      : chart_(chart),
        width_(width),
        height_(height),
        colours_(palette(theme)),
        canvas_(canvas),
        x_(chart.x, values(true)),
        y_(chart.y, values(false)) {}

  void draw() {
    const double top = draw_legend(draw_heading(canvas_, colours_, width_, chart_.title, chart_.subtitle));
    const double bottom = draw_notes(canvas_, colours_, width_, height_, chart_.notes);
    draw_plot(top + 6, bottom - 46);
  }

 private:
  std::vector<double> values(bool of_x) const {
    std::vector<double> list;
    for (const LineChart::Line& line : chart_.lines) {
      for (const Point& point : line.points) list.push_back(of_x ? point.x : point.y);
    }
    if (!of_x) {
      for (const LineChart::Level& level : chart_.levels) list.push_back(level.y);
    }
    return list;
  }

  void label(Point where, std::string_view text, double size, Colour colour, Anchor anchor = Anchor::start,
             Weight weight = Weight::regular) {
    draw_label(canvas_, where, text, size, colour, anchor, weight);
  }

  static Colour colour_of(std::size_t group) { return kColours[group % kColours.size()]; }
  static Marker marker_of(std::size_t group) { return kMarkers[group % kMarkers.size()]; }

  double draw_legend(double top) {
    std::map<std::size_t, std::string> entries;
    for (const LineChart::Line& line : chart_.lines) entries.try_emplace(line.group, line.label);
    double x = kMargin, y = top;
    for (const auto& [group, name] : entries) {
      const std::string text = fit_text(name, 320, kTextSize);
      const double wide = 30 + text_width(text, kTextSize);
      if (x > kMargin && x + wide > width_ - kMargin) {
        x = kMargin;
        y += kLineHeight + 1;
      }
      canvas_.polyline(std::array{Point{x, y}, Point{x + 24, y}}, colour_of(group), 2);
      canvas_.markers(std::array{Point{x + 12, y}}, marker_of(group), 3.4, {.fill = colour_of(group)});
      label({x + 30, y + 4}, text, kTextSize, colours_.ink);
      x += wide + 18;
    }
    return entries.empty() ? top : y + kLineHeight / 2 + 1;
  }

  void draw_plot(double top, double bottom) {
    const std::vector<Tick> y_ticks = y_.ticks(static_cast<std::size_t>(std::clamp((bottom - top) / 44, 2.0, 9.0)));
    double widest = 0;
    for (const Tick& tick : y_ticks) widest = std::max(widest, text_width(tick.label, kTextSize));
    const double left = kMargin + 28 + widest;
    const Rect plot{left, top, width_ - kMargin - left, std::max(40.0, bottom - top)};
    const auto at = [&](double x, double y) {
      return Point{plot.x + plot.width * x_.position(x), plot.bottom() - plot.height * y_.position(y)};
    };
    for (const Tick& tick : y_ticks) {
      const double y = at(x_.low(), tick.value).y;
      canvas_.polyline(std::array{Point{plot.x, y}, Point{plot.right(), y}}, colours_.grid, 1);
      label({plot.x - 8, y + 4}, tick.label, kTextSize, colours_.muted, Anchor::end);
    }
    for (const Tick& tick : x_.ticks(static_cast<std::size_t>(std::clamp(plot.width / 80, 2.0, 12.0)))) {
      const double x = at(tick.value, y_.low()).x;
      canvas_.polyline(std::array{Point{x, plot.bottom()}, Point{x, plot.bottom() + 4}}, colours_.axis, 1);
      label({x, plot.bottom() + 18}, tick.label, kTextSize, colours_.muted, Anchor::middle);
    }
    canvas_.polyline(
        std::array{Point{plot.x, plot.y}, Point{plot.x, plot.bottom()}, Point{plot.right(), plot.bottom()}},
        colours_.axis, 1);
    label({plot.x + plot.width / 2, plot.bottom() + 37}, x_.title(), 12.5, colours_.ink, Anchor::middle);
    canvas_.text({kMargin + 10, plot.y + plot.height / 2}, y_.title(),
                 {.size = 12.5, .colour = colours_.ink, .anchor = Anchor::middle, .upwards = true});

    for (const LineChart::Level& level : chart_.levels) {
      const double y = at(x_.low(), level.y).y;
      for (double x = plot.x; x < plot.right(); x += 9) {
        canvas_.polyline(std::array{Point{x, y}, Point{std::min(x + 5, plot.right()), y}}, colours_.axis, 1.2);
      }
      canvas_.text({plot.right() - 4, y - 4}, level.label,
                   {.size = kSmallSize,
                    .colour = colours_.muted,
                    .anchor = Anchor::end,
                    .halo = with_alpha(colours_.background, 0.85)});
    }
    for (const LineChart::Line& line : chart_.lines) {
      std::vector<Point> points;
      for (const Point& point : line.points) points.push_back(at(point.x, point.y));
      canvas_.begin_group(line.label);
      if (points.size() > 1) canvas_.polyline(points, with_alpha(colour_of(line.group), 0.85), 1.8);
      canvas_.markers(points, marker_of(line.group), 2.6, {.fill = colour_of(line.group)});
      canvas_.end_group();
    }
    if (values(true).empty()) {
      label({plot.x + plot.width / 2, plot.y + plot.height / 2}, "nothing to show yet", 12.5, colours_.muted,
            Anchor::middle);
    }
  }

  const LineChart& chart_;
  double width_, height_;
  const Palette& colours_;
  Canvas& canvas_;
  AxisScale x_, y_;
};

void validate(const LineChart& chart) {
  spec::Problems problems;
  for (std::size_t i = 0; i < chart.lines.size(); ++i) {
    const std::string path = spec::index_path("lines", i);
    for (std::size_t k = 0; k < chart.lines[i].points.size(); ++k) {
      const Point& point = chart.lines[i].points[k];
      if (!std::isfinite(point.x) || !std::isfinite(point.y)) {
        problems.add(spec::index_path(spec::join_path(path, "points"), k), "is not a finite point");
      }
    }
  }
  for (std::size_t i = 0; i < chart.levels.size(); ++i) {
    if (!std::isfinite(chart.levels[i].y)) problems.add(spec::index_path("levels", i), "is not finite");
  }
  problems.throw_if_any();
}

}  // namespace

std::string to_svg(const LineChart& chart, const FigureOptions& options) {
  validate(chart);
  validate(options);
  SvgCanvas canvas(options.width, options.height, chart.title, palette(options.theme).background);
  ChartDrawing(chart, options.width, options.height, options.theme, canvas).draw();
  return std::move(canvas).finish();
}

std::string to_csv(const LineChart& chart) {
  validate(chart);
  std::string out = fmt::format("line,{},{}\r\n", csv_field(chart.x.label),
                                csv_field(fmt::format("{} ({})", chart.y.label, chart.y.unit)));
  for (const LineChart::Line& line : chart.lines) {
    for (const Point& point : line.points) {
      out += fmt::format("{},{},{}\r\n", csv_field(line.label), point.x, point.y);
    }
  }
  return out;
}

std::vector<std::uint8_t> to_png(const LineChart& chart, const FigureOptions& options) {
  validate(chart);
  validate(options);
  RasterCanvas canvas(options.width, options.height, options.scale, palette(options.theme).background);
  ChartDrawing(chart, options.width, options.height, options.theme, canvas).draw();
  return png_file(canvas);
}

}  // namespace plait::report
