#include "src/report/bar_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "src/report/axis_scale.h"
#include "src/report/chart_parts.h"
#include "src/report/png_file.h"
#include "src/report/svg_canvas.h"
#include "src/spec/error.h"

namespace plait::report {
namespace {

void validate(const BarChart& chart) {
  spec::Problems problems;
  for (std::size_t i = 0; i < chart.bars.size(); ++i) {
    if (!std::isfinite(chart.bars[i].value) || chart.bars[i].value < 0) {
      problems.add(spec::index_path("bars", i), "must be a finite value of at least 0");
    }
  }
  problems.throw_if_any();
}

void draw(const BarChart& chart, double width, double height, Theme theme, Canvas& canvas) {
  const Palette& colours = palette(theme);
  const double top = draw_heading(canvas, colours, width, chart.title, chart.subtitle) + 6;
  const double notes = draw_notes(canvas, colours, width, height, chart.notes);
  double most = 0, longest = 0;
  for (const BarChart::Bar& bar : chart.bars) {
    most = std::max(most, bar.value);
    longest = std::max(longest, text_width(bar.label, kTextSize));
  }
  Axis axis = chart.y;
  axis.log = false;
  const AxisScale scale(axis, std::array{0.0, most});
  const std::vector<Tick> ticks = scale.ticks(static_cast<std::size_t>(std::clamp((notes - top) / 60, 2.0, 8.0)));
  double widest = 0;
  for (const Tick& tick : ticks) widest = std::max(widest, text_width(tick.label, kTextSize));
  const double left = kMargin + 28 + widest, right = width - kMargin;
  const double step = (right - left) / static_cast<double>(std::max<std::size_t>(1, chart.bars.size()));
  const bool upwards = longest > step - 2;
  const double under = upwards ? std::min(longest, 0.35 * height) + 12 : 22;
  const double bottom = std::max(top + 40, notes - under);
  const auto y_of = [&](double value) {
    const double zero = scale.position(0);
    return bottom - (bottom - top) * (scale.position(value) - zero) / (1 - zero);
  };
  for (const Tick& tick : ticks) {
    if (tick.value < 0) continue;
    canvas.polyline(std::array{Point{left, y_of(tick.value)}, Point{right, y_of(tick.value)}}, colours.grid, 1);
    draw_label(canvas, {left - 8, y_of(tick.value) + 4}, tick.label, kTextSize, colours.muted, Anchor::end);
  }
  canvas.text({kMargin + 10, (top + bottom) / 2}, scale.title(),
              {.size = kSubtitleSize, .colour = colours.ink, .anchor = Anchor::middle, .upwards = true});
  for (std::size_t i = 0; i < chart.bars.size(); ++i) {
    const BarChart::Bar& bar = chart.bars[i];
    const double x = left + step * static_cast<double>(i), room = std::min(step * 0.15, 6.0);
    canvas.begin_group(fmt::format("{}: {}", bar.label, format_value(bar.value, chart.y.unit)));
    canvas.rect({x + room / 2, y_of(bar.value), step - room, bottom - y_of(bar.value)},
                {.fill = bar.colour.value_or(colours.front)});
    canvas.end_group();
    const double middle = x + step / 2;
    if (upwards) {
      const std::string text = fit_text(bar.label, under - 12, kTextSize);
      canvas.text({middle + 4, bottom + 8 + text_width(text, kTextSize)}, text,
                  {.size = kTextSize, .colour = colours.muted, .anchor = Anchor::start, .upwards = true});
    } else {
      draw_label(canvas, {middle, bottom + 16}, bar.label, kTextSize, colours.muted, Anchor::middle);
    }
  }
  canvas.polyline(std::array{Point{left, bottom}, Point{right, bottom}}, colours.axis, 1);
}

}  // namespace

std::string to_svg(const BarChart& chart, const FigureOptions& options) {
  validate(chart);
  validate(options);
  SvgCanvas canvas(options.width, options.height, chart.title, palette(options.theme).background);
  draw(chart, options.width, options.height, options.theme, canvas);
  return std::move(canvas).finish();
}

std::vector<std::uint8_t> to_png(const BarChart& chart, const FigureOptions& options) {
  validate(chart);
  validate(options);
  RasterCanvas canvas(options.width, options.height, options.scale, palette(options.theme).background);
  draw(chart, options.width, options.height, options.theme, canvas);
  return png_file(canvas);
}

std::string to_csv(const BarChart& chart) {
  validate(chart);
  std::string out = fmt::format("label,{}\r\n", csv_field(fmt::format("{} ({})", chart.y.label, chart.y.unit)));
  for (const BarChart::Bar& bar : chart.bars) out += fmt::format("{},{}\r\n", csv_field(bar.label), bar.value);
  return out;
}

}  // namespace plait::report
