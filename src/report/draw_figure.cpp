#include "src/report/draw_figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "src/report/axis_scale.h"
#include "src/report/number_format.h"
#include "src/report/report.h"
#include "src/report/utf8.h"
#include "src/spec/error.h"

namespace plait::report {
namespace {

constexpr double kMargin = 20;
constexpr double kTitleSize = 18, kSubtitleSize = 12.5, kTextSize = 11.5, kSmallSize = 10.5;
constexpr double kLineHeight = 17;
constexpr double kRowHeight = 22, kCellHeight = 16;
constexpr double kFrontRadius = 4.5, kDominatedRadius = 2.6, kBaselineRadius = 5, kRingRadius = 7.5;
constexpr std::size_t kStrips = 8;
constexpr double kMinPlotHeight = 150;

double text_width(std::string_view text, double size, Weight weight = Weight::regular) {
  return Font::get(weight).width(text, size);
}

Marker marker_of(search::Source source) {
  switch (source) {
    case search::Source::exact:
    case search::Source::measured: return Marker::square;
    case search::Source::surrogate: return Marker::triangle;
    case search::Source::estimate:
    case search::Source::prior: break;
  }
  return Marker::circle;
}

std::string_view source_label(search::Source source) {
  switch (source) {
    case search::Source::exact: return "exact";
    case search::Source::measured: return "measured";
    case search::Source::surrogate: return "surrogate";
    case search::Source::estimate: return "model estimate";
    case search::Source::prior: break;
  }
  return "prior";
}

/// Words of `text` in lines of at most `width`; the last line that is allowed is cut.
std::vector<std::string> wrap(std::string_view text, double width, double size, std::size_t max_lines) {
  std::vector<std::string> lines;
  std::string rest = printable(text);
  while (!rest.empty() && lines.size() < max_lines) {
    std::string line;
    std::size_t taken = 0;
    for (std::size_t end = rest.find(' ');; end = rest.find(' ', end + 1)) {
      const std::string trial = rest.substr(0, end);
      if (!line.empty() && text_width(trial, size) > width) break;
      line = trial;
      taken = end == std::string::npos ? rest.size() : end + 1;
      if (end == std::string::npos) break;
    }
    const bool last = lines.size() + 1 == max_lines && taken < rest.size();
    lines.push_back(fit_text(last ? rest : line, width, size));
    rest.erase(0, taken);
  }
  return lines;
}

/// An item of a legend: a sample of `sample_width` and its text.
struct LegendItem {
  std::string label;
  double sample_width;
  std::function<void(Point)> draw_sample;  ///< left end, at the height of the middle of the text
};

class FigureDrawing {
 public:
  FigureDrawing(const Figure& figure, double width, double height, Theme theme, Canvas& canvas)
      : figure_(figure),
        width_(width),
        height_(height),
        colours_(palette(theme)),
        canvas_(canvas),
        edge_(front_edge(figure)),
        x_(figure.x, extent_values(&FigurePoint::x, &FigurePoint::x_deviation)),
        y_(figure.y, extent_values(&FigurePoint::y, &FigurePoint::y_deviation)) {}

  void draw() {
    const double top = draw_header();
    const double bottom = plan_footer(top);
    place_plot(top, bottom);
    if (figure_.points.empty()) {
      draw_frame();
      label({plot_.x + plot_.width / 2, plot_.y + plot_.height / 2}, "nothing to show yet", kSubtitleSize,
            colours_.muted, Anchor::middle);
    } else {
      draw_region();
      draw_frame();
      draw_cloud();
      draw_front();
      draw_baselines();
      draw_rings();
      draw_strip_numbers();
    }
    draw_strips();
    draw_notes();
  }

 private:
  using Member = double FigurePoint::*;
  using Deviation = std::optional<double> FigurePoint::*;

  /// What an axis must cover: all points, and the error bars that are drawn.
  std::vector<double> extent_values(Member member, Deviation deviation) const {
    std::vector<double> values;
    double least = std::numeric_limits<double>::infinity();
    for (const FigurePoint& point : figure_.points) least = std::min(least, point.*member);
    for (const FigurePoint& point : figure_.points) {
      const double value = point.*member;
      values.push_back(value);
      if (!has_bars(point) || !(point.*deviation)) continue;
      values.push_back(value + *(point.*deviation));
      // A bar that reaches below zero must not take a logarithmic axis away; it is cut at the plot's border instead.
      const double low = value - *(point.*deviation);
      if (low > 0 || least <= 0) values.push_back(low);
    }
    return values;
  }

  static bool has_bars(const FigurePoint& point) { return point.on_front || point.is_baseline; }

  Point at(double x, double y) const {
    return {plot_.x + plot_.width * x_.position(x), plot_.bottom() - plot_.height * y_.position(y)};
  }
  Point at(const FigurePoint& point) const { return at(point.x, point.y); }

  void label(Point where, std::string_view text, double size, Colour colour, Anchor anchor = Anchor::start,
             Weight weight = Weight::regular) {
    canvas_.text(where, text, {.size = size, .colour = colour, .anchor = anchor, .weight = weight});
  }

  // --- header ---

  double draw_header() {
    const double room = width_ - 2 * kMargin;
    double size = kTitleSize;
    while (size > 13 && text_width(printable(figure_.title), size, Weight::bold) > room) size -= 0.5;
    double y = kMargin + 14;
    label({kMargin, y}, fit_text(figure_.title, room, size, Weight::bold), size, colours_.ink, Anchor::start,
          Weight::bold);
    y += figure_.subtitle.empty() ? 8 : 20;
    for (const std::string& line : wrap(figure_.subtitle, room, kSubtitleSize, 2)) {
      label({kMargin, y}, line, kSubtitleSize, colours_.muted);
      y += kLineHeight;
    }
    if (figure_.points.empty()) return y;
    return draw_legend(point_legend(), kMargin, y + 4, room) + 4;
  }

  std::vector<LegendItem> point_legend() {
    const Colour front = colours_.front;
    std::vector<LegendItem> items;
    const auto marker_item = [&](std::string text, Marker marker, double radius, Paint paint) {
      items.push_back({std::move(text), 2 * radius + 2, [this, marker, radius, paint](Point left) {
                         canvas_.markers(std::array{Point{left.x + radius + 1, left.y}}, marker, radius, paint);
                       }});
    };
    const auto any = [&](auto predicate) { return std::ranges::any_of(figure_.points, predicate); };
    if (!edge_.empty()) {
      items.push_back({"front", 26, [this, front](Point left) {
                         canvas_.polyline(std::array{left, Point{left.x + 26, left.y}}, front, 2);
                         canvas_.markers(std::array{Point{left.x + 13, left.y}}, Marker::circle, kFrontRadius,
                                         {.fill = front, .stroke = colours_.background});
                       }});
    }
    if (any([](const FigurePoint& p) { return p.feasible && !p.on_front && !p.is_baseline; })) {
      marker_item("dominated", Marker::circle, kDominatedRadius + 0.4, {.fill = with_alpha(colours_.dominated, 0.6)});
    }
    if (any([](const FigurePoint& p) { return !p.feasible && !p.is_baseline; })) {
      marker_item("infeasible", Marker::circle, kDominatedRadius + 0.4, {.stroke = colours_.dominated});
    }
    if (any([](const FigurePoint& p) { return p.is_baseline; })) {
      marker_item("baseline", Marker::diamond, kBaselineRadius - 0.5, {.fill = colours_.baseline});
    }
    if (any([](const FigurePoint& p) { return has_bars(p) && (p.y_deviation || p.x_deviation); })) {
      items.push_back({"± 1 standard deviation", 8, [this, front](Point left) {
                         draw_bar({left.x + 4, left.y - 6}, {left.x + 4, left.y + 6}, front);
                       }});
    }
    if (any([](const FigurePoint& p) { return !p.measured.empty(); })) {
      items.push_back(
          {"measured: " + fit_text(figure_.measured_label, 140, kTextSize), 2 * kRingRadius, [this](Point left) {
             draw_ring({left.x + kRingRadius, left.y});
           }});
    }
    for (const auto& [source, name] : enum_names(search::Source{})) {
      if (any([wanted = source](const FigurePoint& p) { return p.source == wanted; })) {
        marker_item(fmt::format("{}: {}", fit_text(figure_.y.label, 140, kTextSize), source_label(source)),
                    marker_of(source), 4, {.stroke = colours_.ink, .stroke_width = 1.2});
      }
    }
    return items;
  }

  /// Items from left to right, wrapped; returns the y below the last line.
  double draw_legend(const std::vector<LegendItem>& items, double left, double top, double room) {
    double x = left, y = top;
    for (const LegendItem& item : items) {
      const double wide = item.sample_width + 6 + text_width(item.label, kTextSize);
      if (x > left && x + wide > left + room) {
        x = left;
        y += kLineHeight + 1;
      }
      item.draw_sample({x, y + kLineHeight / 2});
      label({x + item.sample_width + 6, y + kLineHeight / 2 + 4}, item.label, kTextSize, colours_.ink);
      x += wide + 18;
    }
    return items.empty() ? top : y + kLineHeight + 1;
  }

  // --- plan: what goes below the plot, and how much is left for it ---

  double plan_footer(double top) {
    notes_.clear();
    for (const std::string& note : figure_.notes) {
      for (std::string& line : wrap(note, width_ - 2 * kMargin, kSmallSize, 2)) notes_.push_back(std::move(line));
    }
    const double notes_height = notes_.empty() ? 0 : static_cast<double>(notes_.size()) * 14 + 6;
    notes_top_ = height_ - kMargin + 4 - notes_height;

    std::size_t layers = 0;
    for (const std::size_t i : edge_) layers = std::max(layers, figure_.points[i].letters.size());
    const double axis_height = 46;  // tick labels and axis title
    double bottom = notes_top_ - axis_height;
    if (layers == 0) return bottom;

    const double legend_height = mixer_legend_lines() * (kLineHeight + 1) + 8;
    const double fixed = 26 + legend_height;
    const double room = bottom - top - kMinPlotHeight - fixed;
    // The plot takes at least 55 % of what is there, unless the strips then shrink below three.
    const double fair = 0.45 * (bottom - top) - fixed;
    const double rows = std::floor(std::min(room, std::max(fair, 3 * kRowHeight)) / kRowHeight);
    if (rows < 1) return bottom;
    shown_ = representatives(figure_, edge_, std::min(kStrips, static_cast<std::size_t>(rows)));
    strips_top_ = notes_top_ - fixed - static_cast<double>(shown_.size()) * kRowHeight;
    return strips_top_ - axis_height;
  }

  double mixer_legend_lines() const {
    double x = 0, lines = figure_.mixers.empty() ? 0 : 1;
    for (const MixerKey& mixer : figure_.mixers) {
      const double wide = kCellHeight + 6 + text_width(mixer.label, kTextSize);
      if (x > 0 && x + wide > width_ - 2 * kMargin) {
        x = 0;
        ++lines;
      }
      x += wide + 18;
    }
    return lines;
  }

  // --- plot ---

  void place_plot(double top, double bottom) {
    const auto y_count = static_cast<std::size_t>(std::clamp((bottom - top) / 44, 2.0, 9.0));
    y_ticks_ = y_.ticks(y_count);
    double widest = 0;
    for (const Tick& tick : y_ticks_) widest = std::max(widest, text_width(tick.label, kTextSize));
    const double left = kMargin + 18 + widest + 10;
    plot_ = {left, top + 8, width_ - kMargin - left, bottom - top - 8};
    for (auto count = static_cast<std::size_t>(std::clamp(plot_.width / 70, 2.0, 12.0)); count >= 2; --count) {
      x_ticks_ = x_.ticks(count);
      double taken = 0;
      for (const Tick& tick : x_ticks_) taken = std::max(taken, text_width(tick.label, kTextSize) + 14);
      if (x_ticks_.size() < 2 || taken <= smallest_gap() * plot_.width) break;
    }
  }

  double smallest_gap() const {
    double gap = 1;
    for (std::size_t i = 1; i < x_ticks_.size(); ++i) {
      gap = std::min(gap, x_.position(x_ticks_[i].value) - x_.position(x_ticks_[i - 1].value));
    }
    return gap;
  }

  void draw_frame() {
    for (const Tick& tick : y_ticks_) {
      const double y = at(x_.low(), tick.value).y;
      canvas_.polyline(std::array{Point{plot_.x, y}, Point{plot_.right(), y}}, colours_.grid, 1);
      label({plot_.x - 8, y + 4}, tick.label, kTextSize, colours_.muted, Anchor::end);
    }
    for (const Tick& tick : x_ticks_) {
      const double x = at(tick.value, y_.low()).x;
      canvas_.polyline(std::array{Point{x, plot_.y}, Point{x, plot_.bottom()}}, colours_.grid, 1);
      canvas_.polyline(std::array{Point{x, plot_.bottom()}, Point{x, plot_.bottom() + 4}}, colours_.axis, 1);
      const double half = text_width(tick.label, kTextSize) / 2;
      label({std::min(x, width_ - 4 - half), plot_.bottom() + 18}, tick.label, kTextSize, colours_.muted,
            Anchor::middle);
    }
    canvas_.polyline(
        std::array{Point{plot_.x, plot_.y}, Point{plot_.x, plot_.bottom()}, Point{plot_.right(), plot_.bottom()}},
        colours_.axis, 1);
    draw_axis_titles();
  }

  void draw_axis_titles() {
    const bool x_least = figure_.x.direction == search::Direction::minimize;
    const bool y_least = figure_.y.direction == search::Direction::minimize;
    const double hint = text_width("← better", kSmallSize) + 16;
    const double baseline = plot_.bottom() + 37;
    label({plot_.x + plot_.width / 2, baseline}, fit_text(x_.title(), plot_.width - 2 * hint, kSubtitleSize),
          kSubtitleSize, colours_.ink, Anchor::middle);
    label({x_least ? plot_.x : plot_.right(), baseline}, x_least ? "← better" : "better →", kSmallSize, colours_.muted,
          x_least ? Anchor::start : Anchor::end);
    const double across = kMargin + 10;
    canvas_.text({across, plot_.y + plot_.height / 2}, fit_text(y_.title(), plot_.height - 2 * hint, kSubtitleSize),
                 {.size = kSubtitleSize, .colour = colours_.ink, .anchor = Anchor::middle, .upwards = true});
    canvas_.text({across, y_least ? plot_.bottom() : plot_.y}, y_least ? "← better" : "better →",
                 {.size = kSmallSize,
                  .colour = colours_.muted,
                  .anchor = y_least ? Anchor::start : Anchor::end,
                  .upwards = true});
  }

  /// Corners of the staircase, from the border through all of the edge to the border: between two neighbours the better
  /// y of the two costs the x of that point, so the step is horizontal first.
  std::vector<Point> staircase(bool to_borders) const {
    std::vector<Point> line;
    const bool x_least = figure_.x.direction == search::Direction::minimize;
    const bool y_least = figure_.y.direction == search::Direction::minimize;
    for (const std::size_t i : edge_) {
      const Point here = at(figure_.points[i]);
      if (!line.empty()) line.push_back({here.x, line.back().y});
      if (line.empty() && to_borders) line.push_back({here.x, y_least ? plot_.y : plot_.bottom()});
      line.push_back(here);
    }
    if (to_borders && !line.empty()) line.push_back({x_least ? plot_.right() : plot_.x, line.back().y});
    return line;
  }

  void draw_region() {
    std::vector<Point> corners = staircase(true);
    if (corners.empty()) return;
    corners.push_back({corners.back().x, corners.front().y});
    canvas_.polygon(corners, {.fill = with_alpha(colours_.front, 0.07)});
  }

  void draw_cloud() {
    const auto layer = [&](bool feasible, const Paint& paint) {
      for (const Marker marker : {Marker::circle, Marker::square, Marker::triangle}) {
        std::vector<Point> centres;
        for (const FigurePoint& point : figure_.points) {
          if (point.is_baseline || point.on_front || point.feasible != feasible || marker_of(point.source) != marker)
            continue;
          centres.push_back(at(point));
        }
        canvas_.markers(centres, marker, kDominatedRadius, paint);
      }
    };
    layer(false, {.stroke = with_alpha(colours_.dominated, 0.55), .stroke_width = 0.9});
    layer(true, {.fill = with_alpha(colours_.dominated, 0.38)});
  }

  void draw_bar(Point from, Point to, Colour colour) {
    const double dx = from.x == to.x ? 2.5 : 0, dy = from.x == to.x ? 0 : 2.5;
    const Colour faint = with_alpha(colour, 0.55);
    canvas_.polyline(std::array{from, to}, faint, 1.1);
    for (const Point& end : {from, to}) {
      canvas_.polyline(std::array{Point{end.x - dx, end.y - dy}, Point{end.x + dx, end.y + dy}}, faint, 1.1);
    }
  }

  // Below zero a logarithmic axis has no place: there a bar ends at the border.
  double inside_x(double x) const { return std::isfinite(x) ? std::clamp(x, plot_.x, plot_.right()) : plot_.x; }
  double inside_y(double y) const { return std::isfinite(y) ? std::clamp(y, plot_.y, plot_.bottom()) : plot_.bottom(); }

  void draw_error_bars(const FigurePoint& point, Colour colour) {
    const Point centre = at(point);
    if (point.y_deviation && *point.y_deviation > 0) {
      draw_bar({centre.x, inside_y(at(point.x, point.y + *point.y_deviation).y)},
               {centre.x, inside_y(at(point.x, point.y - *point.y_deviation).y)}, colour);
    }
    if (point.x_deviation && *point.x_deviation > 0) {
      draw_bar({inside_x(at(point.x - *point.x_deviation, point.y).x), centre.y},
               {inside_x(at(point.x + *point.x_deviation, point.y).x), centre.y}, colour);
    }
  }

  std::string tooltip(const FigurePoint& point) const {
    std::string text = point.name.empty() ? "trial " + point.trial : point.name + " (trial " + point.trial + ")";
    text += fmt::format(" | {} | {} {} | {} {}", point.layout, figure_.y.label,
                        format_value(point.y, point.y_deviation, figure_.y.unit), figure_.x.label,
                        format_value(point.x, point.x_deviation, figure_.x.unit));
    for (const Detail& detail : point.details) text += fmt::format(" | {} {}", detail.name, detail.value);
    return text;
  }

  void draw_ring(Point centre) {
    canvas_.markers(std::array{centre}, Marker::circle, kRingRadius, {.stroke = colours_.ink, .stroke_width = 1.4});
  }

  void draw_rings() {
    for (const FigurePoint& point : figure_.points) {
      if (!point.measured.empty()) draw_ring(at(point));
    }
  }

  void draw_front() {
    const auto each = [&](auto visit) {
      for (const FigurePoint& point : figure_.points) {
        if (point.on_front && !point.is_baseline) visit(point);
      }
    };
    each([&](const FigurePoint& point) { draw_error_bars(point, colours_.front); });
    canvas_.polyline(staircase(false), colours_.front, 2);
    each([&](const FigurePoint& point) {
      canvas_.begin_group(tooltip(point));
      canvas_.markers(std::array{at(point)}, marker_of(point.source), kFrontRadius,
                      {.fill = colours_.front, .stroke = colours_.background});
      canvas_.end_group();
    });
  }

  /// The first of eight places around a point where a label covers nothing that is taken, else the least bad one.
  Rect place_label(Point centre, double wide, double high, double distance) {
    const double d = distance, e = distance * 0.75;
    const std::array<Point, 8> corners = {{{centre.x + d, centre.y - high / 2},
                                           {centre.x - wide / 2, centre.y + d},
                                           {centre.x - d - wide, centre.y - high / 2},
                                           {centre.x - wide / 2, centre.y - d - high},
                                           {centre.x + e, centre.y + e},
                                           {centre.x + e, centre.y - e - high},
                                           {centre.x - e - wide, centre.y + e},
                                           {centre.x - e - wide, centre.y - e - high}}};
    Rect best{};
    double least = std::numeric_limits<double>::infinity();
    for (const Point& corner : corners) {
      const Rect place{corner.x, corner.y, wide, high};
      double badness = place.width * place.height - overlap(place, plot_);
      for (const Rect& other : taken_) badness += overlap(place, other);
      if (badness < least) {
        least = badness;
        best = place;
      }
    }
    taken_.push_back(best);
    return best;
  }

  void occupy(Point centre, double radius) {
    taken_.push_back({centre.x - radius, centre.y - radius, 2 * radius, 2 * radius});
  }

  void draw_baselines() {
    const std::vector<Point> line = staircase(false);
    for (std::size_t i = 1; i < line.size(); ++i) {
      const auto [left, right] = std::minmax(line[i - 1].x, line[i].x);
      const auto [top, bottom] = std::minmax(line[i - 1].y, line[i].y);
      taken_.push_back({left - 1, top - 1, right - left + 2, bottom - top + 2});
    }
    for (const FigurePoint& point : figure_.points) {
      if (!has_bars(point)) continue;
      const Point centre = at(point);
      occupy(centre, kFrontRadius + 1);
      if (point.y_deviation) {
        const double reach = std::abs(centre.y - inside_y(at(point.x, point.y + *point.y_deviation).y));
        taken_.push_back({centre.x - 2, centre.y - reach, 4, 2 * reach});
      }
    }
    for (const FigurePoint& point : figure_.points) {
      if (!point.is_baseline) continue;
      draw_error_bars(point, colours_.baseline);
      canvas_.begin_group(tooltip(point));
      const Paint paint = point.feasible
                              ? Paint{.fill = colours_.baseline, .stroke = colours_.background}
                              : Paint{.fill = colours_.background, .stroke = colours_.baseline, .stroke_width = 1.5};
      canvas_.markers(std::array{at(point)}, Marker::diamond, kBaselineRadius, paint);
      canvas_.end_group();
    }
    for (const FigurePoint& point : figure_.points) {
      if (!point.is_baseline || point.name.empty()) continue;
      const std::string text = fit_text(point.name, 180, kTextSize);
      const Rect place = place_label(at(point), text_width(text, kTextSize), 13, 9);
      draw_plot_label({place.x, place.y + 10.5}, text, Weight::regular);
    }
  }

  void draw_plot_label(Point where, std::string_view text, Weight weight) {
    canvas_.text(
        where, text,
        {.size = kTextSize, .colour = colours_.ink, .weight = weight, .halo = with_alpha(colours_.background, 0.85)});
  }

  void draw_strip_numbers() {
    // On the side that nothing dominates there are no points: the number goes there when it can.
    const double sx = figure_.x.direction == search::Direction::minimize ? -1 : 1;
    const double sy = figure_.y.direction == search::Direction::minimize ? 1 : -1;
    for (std::size_t row = 0; row < shown_.size(); ++row) {
      const std::string text = std::to_string(row + 1);
      const double wide = text_width(text, kTextSize, Weight::bold);
      const Point centre = at(figure_.points[shown_[row]]);
      const Rect wanted{centre.x + sx * 10 - wide / 2, centre.y + sy * 11 - 6, wide, 12};
      const bool fits = overlap(wanted, plot_) >= 0.999 * wanted.width * wanted.height &&
                        std::ranges::none_of(taken_, [&](const Rect& other) { return overlap(wanted, other) > 0; });
      if (fits) taken_.push_back(wanted);
      const Rect place = fits ? wanted : place_label(centre, wide, 12, 8);
      draw_plot_label({place.x, place.y + 10}, text, Weight::bold);
    }
  }

  // --- strips ---

  void draw_cell(const Rect& cell, char letter) {
    const MixerKey* mixer = find_mixer(figure_, letter);
    const Colour colour = mixer != nullptr ? mixer_colour(mixer->colour) : colours_.dominated;
    canvas_.rect(cell, {.fill = colour});
    if (cell.width >= 10) {
      const double drop = letter == '*' ? 5.8 : 3.7;  // an asterisk hangs from the top of its line
      label({cell.x + cell.width / 2, cell.y + cell.height / 2 + drop}, std::string(1, letter), 10, text_on(colour),
            Anchor::middle, Weight::bold);
    }
  }

  void draw_strips() {
    if (shown_.empty()) return;
    struct Row {
      std::string trial, y, x;
    };
    std::vector<Row> rows;
    double trial_width = text_width("trial", kSmallSize), y_width = 0, x_width = 0;
    std::size_t layers = 1;
    for (const std::size_t i : shown_) {
      const FigurePoint& point = figure_.points[i];
      rows.push_back({fit_text(point.trial, 70, kTextSize), format_value(point.y, point.y_deviation, figure_.y.unit),
                      format_value(point.x, point.x_deviation, figure_.x.unit)});
      trial_width = std::max(trial_width, text_width(rows.back().trial, kTextSize));
      y_width = std::max(y_width, text_width(rows.back().y, kTextSize));
      x_width = std::max(x_width, text_width(rows.back().x, kTextSize));
      layers = std::max(layers, point.letters.size());
    }
    y_width = std::max(y_width, std::min(text_width(figure_.y.label, kSmallSize), 96.0));
    x_width = std::max(x_width, std::min(text_width(figure_.x.label, kSmallSize), 96.0));
    const double trial_right = kMargin + 22 + trial_width, y_right = trial_right + 18 + y_width,
                 x_right = y_right + 18 + x_width;
    const double left = x_right + 20;
    const double cell = std::clamp((width_ - kMargin - left) / static_cast<double>(layers), 0.5, 26.0);
    const double gap = cell >= 6 ? 1 : 0;

    double y = strips_top_ + 14;
    label({kMargin, y}, "#", kSmallSize, colours_.muted);
    label({trial_right, y}, "trial", kSmallSize, colours_.muted, Anchor::end);
    label({y_right, y}, fit_text(figure_.y.label, y_width, kSmallSize), kSmallSize, colours_.muted, Anchor::end);
    label({x_right, y}, fit_text(figure_.x.label, x_width, kSmallSize), kSmallSize, colours_.muted, Anchor::end);
    draw_layer_numbers(left, y, cell, layers);
    y += 6;
    canvas_.polyline(std::array{Point{kMargin, y}, Point{width_ - kMargin, y}}, colours_.grid, 1);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const double baseline = y + kRowHeight / 2 + 5;
      label({kMargin, baseline}, std::to_string(row + 1), kTextSize, colours_.ink, Anchor::start, Weight::bold);
      label({trial_right, baseline}, rows[row].trial, kTextSize, colours_.muted, Anchor::end);
      label({y_right, baseline}, rows[row].y, kTextSize, colours_.ink, Anchor::end);
      label({x_right, baseline}, rows[row].x, kTextSize, colours_.ink, Anchor::end);
      const std::string& letters = figure_.points[shown_[row]].letters;
      for (std::size_t i = 0; i < letters.size(); ++i) {
        draw_cell(
            {left + static_cast<double>(i) * cell, y + (kRowHeight - kCellHeight) / 2 + 1, cell - gap, kCellHeight},
            letters[i]);
      }
      y += kRowHeight;
    }
    std::vector<LegendItem> items;
    for (const MixerKey& mixer : figure_.mixers) {
      items.push_back({mixer.label, kCellHeight, [this, &mixer](Point p) {
                         draw_cell({p.x, p.y - kCellHeight / 2, kCellHeight, kCellHeight}, mixer.letter);
                       }});
    }
    draw_legend(items, kMargin, y + 8, width_ - 2 * kMargin);
  }

  /// 1 and the multiples of a round number above the cells, the last layer in any case.
  void draw_layer_numbers(double left, double baseline, double cell, std::size_t layers) {
    const double count = static_cast<double>(layers);
    std::vector<double> numbers = {1};
    if (layers > 1) {
      const double room = std::max(2.0, std::min(count, cell * count / 70));
      for (const double tick : linear_ticks(1, count, static_cast<std::size_t>(room))) {
        if (tick == std::floor(tick) && (tick - 1) * cell > 18 && (count - tick) * cell > 22) numbers.push_back(tick);
      }
      numbers.push_back(count);
    }
    for (const double n : numbers) {
      const std::string text = n == 1 && cell >= 10 ? "layer 1" : fmt::format("{}", n);
      if (n == 1) {
        label({left, baseline}, text, kSmallSize, colours_.muted);
      } else if ((n - 1) * cell > text_width("layer 1", kSmallSize) + 4) {
        const bool last_of_narrow = n == count && cell < 14;
        label({left + (last_of_narrow ? n : n - 0.5) * cell, baseline}, text, kSmallSize, colours_.muted,
              last_of_narrow ? Anchor::end : Anchor::middle);
      }
    }
  }

  void draw_notes() {
    double y = notes_top_ + 14;
    for (const std::string& line : notes_) {
      label({kMargin, y}, line, kSmallSize, colours_.muted);
      y += 14;
    }
  }

  const Figure& figure_;
  double width_, height_;
  const Palette& colours_;
  Canvas& canvas_;
  std::vector<std::size_t> edge_;
  AxisScale x_, y_;
  std::vector<Tick> x_ticks_{}, y_ticks_{};
  Rect plot_{};
  std::vector<std::size_t> shown_{};  ///< the points of the strips
  std::vector<std::string> notes_{};
  double strips_top_ = 0, notes_top_ = 0;
  std::vector<Rect> taken_{};  ///< where labels must not go
};

}  // namespace

void validate(const FigureOptions& options) {
  spec::Problems problems;
  const auto require = [&](double value, double low, double high, const char* path) {
    if (!(value >= low && value <= high))
      problems.add(path, fmt::format("{} is not between {} and {}", value, low, high));
  };
  require(options.width, 360, 10000, "width");
  require(options.height, 280, 10000, "height");
  require(options.scale, 0.25, 8, "scale");
  problems.throw_if_any();
}

void draw_figure(const Figure& figure, double width, double height, Theme theme, Canvas& canvas) {
  FigureDrawing(figure, width, height, theme, canvas).draw();
}

}  // namespace plait::report
