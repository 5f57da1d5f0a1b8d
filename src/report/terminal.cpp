#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "src/report/axis_scale.h"
#include "src/report/number_format.h"
#include "src/report/report.h"
#include "src/report/utf8.h"
#include "src/spec/error.h"

namespace plait::report {
namespace {

constexpr std::string_view kKeys = "123456789abcdefghijklmnopqrstuvwxyz";

enum class Role { plain, muted, cloud, line, front, baseline, title };

std::string_view ansi(Role role) {
  switch (role) {
    case Role::muted:
    case Role::cloud: return "\x1b[90m";
    case Role::line: return "\x1b[36m";
    case Role::front: return "\x1b[1;36m";
    case Role::baseline: return "\x1b[33m";
    case Role::title: return "\x1b[1m";
    case Role::plain: break;
  }
  return "";
}

/// One line under construction: pieces of text with roles, cut at a width.
class Line {
 public:
  explicit Line(const TerminalOptions& options) : options_(&options) {}

  Line& add(std::string_view text, Role role = Role::plain) {
    const std::string piece =
        shorten(text, options_->columns - std::min(options_->columns, used_), options_->ascii ? "..." : "…");
    if (piece.empty()) return *this;
    used_ += display_width(piece);
    const std::string_view code = options_->colour ? ansi(role) : "";
    if (code.empty()) {
      out_ += piece;
    } else {
      out_ += std::string(code) + piece + "\x1b[0m";
    }
    return *this;
  }

  Line& pad_to(std::size_t column) { return used_ < column ? add(std::string(column - used_, ' ')) : *this; }
  std::size_t used() const { return used_; }

  std::string finish() const { return out_.substr(0, out_.find_last_not_of(' ') + 1) + '\n'; }

 private:
  const TerminalOptions* options_;
  std::string out_;
  std::size_t used_ = 0;
};

std::string padded_left(const std::string& text, std::size_t width) {
  const std::size_t used = display_width(text);
  return used < width ? std::string(width - used, ' ') + text : text;
}

enum Arm : unsigned { kUp = 1, kDown = 2, kLeft = 4, kRight = 8 };

std::string_view box(unsigned arms, bool ascii) {
  static constexpr std::array<std::string_view, 16> kBox = {" ", "│", "│", "│", "─", "┘", "┐", "┤",
                                                            "─", "└", "┌", "├", "─", "┴", "┬", "┼"};
  if (!ascii) return kBox[arms];
  const bool upright = (arms & (kUp | kDown)) != 0, level = (arms & (kLeft | kRight)) != 0;
  return upright && level ? "+" : upright ? "|" : level ? "-" : " ";
}

class TerminalDrawing {
 public:
  TerminalDrawing(const Figure& figure, const TerminalOptions& options)
      : figure_(figure),
        options_(options),
        edge_(front_edge(figure)),
        shown_(representatives(figure, edge_, std::min(options.table_rows, kKeys.size()))),
        x_(figure.x, values(&FigurePoint::x)),
        y_(figure.y, values(&FigurePoint::y)) {}

  std::string draw() {
    emit(Line(options_).add(figure_.title, Role::title));
    if (!figure_.subtitle.empty()) emit(Line(options_).add(figure_.subtitle, Role::muted));
    emit(Line(options_));
    if (figure_.points.empty()) {
      emit(Line(options_).add("nothing to show yet"));
    } else {
      draw_plot();
      draw_legend();
      draw_table();
    }
    for (const std::string& note : figure_.notes) emit(Line(options_).add(note, Role::muted));
    return std::move(out_);
  }

 private:
  struct Cell {
    std::string text = std::string(1, ' ');
    Role role = Role::plain;
    unsigned arms = 0;
    unsigned dots = 0;
  };

  void emit(const Line& line) { out_ += line.finish(); }

  std::vector<double> values(double FigurePoint::*member) const {
    std::vector<double> list;
    for (const FigurePoint& point : figure_.points) list.push_back(point.*member);
    return list;
  }

  std::string_view glyph(std::string_view unicode, std::string_view ascii) const {
    return options_.ascii ? ascii : unicode;
  }

  std::string_view front_glyph(search::Source source) const {
    switch (source) {
      case search::Source::exact:
      case search::Source::measured: return glyph("■", "#");
      case search::Source::surrogate: return glyph("▲", "^");
      case search::Source::estimate:
      case search::Source::prior: break;
    }
    return glyph("●", "o");
  }

  std::size_t column(double x, std::size_t parts = 1) const {
    const double at = std::floor(x_.position(x) * static_cast<double>(columns_ * parts));
    return static_cast<std::size_t>(std::clamp(at, 0.0, static_cast<double>(columns_ * parts - 1)));
  }
  std::size_t row(double y, std::size_t parts = 1) const {
    const double at = std::floor((1 - y_.position(y)) * static_cast<double>(options_.rows * parts));
    return static_cast<std::size_t>(std::clamp(at, 0.0, static_cast<double>(options_.rows * parts - 1)));
  }
  Cell& cell(std::size_t r, std::size_t c) { return cells_[r * columns_ + c]; }

  void draw_plot() {
    const std::vector<Tick> y_ticks = y_.ticks(std::max<std::size_t>(2, options_.rows / 4));
    std::size_t gutter = 0;
    for (const Tick& tick : y_ticks) gutter = std::max(gutter, display_width(tick.label));
    gutter = std::min(gutter, options_.columns / 3);
    columns_ = options_.columns - gutter - 2;
    cells_.assign(columns_ * options_.rows, Cell{});
    plot_cloud();
    plot_staircase();
    plot_points();

    emit(Line(options_).add(std::string(gutter + 1, ' ')).add(axis_title(figure_.y, y_, true), Role::muted));
    for (std::size_t r = 0; r < options_.rows; ++r) {
      Line line(options_);
      const auto tick = std::ranges::find_if(y_ticks, [&](const Tick& t) { return row(t.value) == r; });
      line.add(tick == y_ticks.end() ? std::string(gutter, ' ') : padded_left(shorten(tick->label, gutter), gutter),
               Role::muted);
      line.add(tick == y_ticks.end() ? glyph(" │", " |") : glyph(" ┤", " +"), Role::muted);
      draw_cells(line, r);
      emit(line);
    }
    draw_x_axis(gutter);
  }

  void draw_cells(Line& line, std::size_t r) {
    for (std::size_t c = 0; c < columns_;) {
      std::string run;
      const Role role = cell(r, c).role;
      for (; c < columns_ && cell(r, c).role == role; ++c) run += cell(r, c).text;
      line.add(run, role);
    }
  }

  void plot_cloud() {
    // Dots of a Braille cell, two columns by four rows (Unicode block 2800).
    static constexpr std::array<std::array<unsigned, 2>, 4> kDots = {
        {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}};
    for (const FigurePoint& point : figure_.points) {
      if (point.on_front || point.is_baseline) continue;
      Cell& place = cell(row(point.y), column(point.x));
      place.role = Role::cloud;
      if (options_.ascii) {
        place.text = std::string(1, point.feasible || place.text == "." ? '.' : 'x');
      } else {
        place.dots |= kDots[row(point.y, 4) % 4][column(point.x, 2) % 2];
        place.text = encode_utf8(0x2800 + place.dots);
      }
    }
  }

  void plot_staircase() {
    for (std::size_t i = 1; i < edge_.size(); ++i) {
      const FigurePoint& from = figure_.points[edge_[i - 1]];
      const FigurePoint& to = figure_.points[edge_[i]];
      const std::size_t c0 = column(from.x), r0 = row(from.y), c1 = column(to.x), r1 = row(to.y);
      join(r0, c0, r0, c1);
      join(r0, c1, r1, c1);
    }
    for (Cell& place : cells_) {
      if (place.arms == 0) continue;
      place.text = std::string(box(place.arms, options_.ascii));
      place.role = Role::line;
    }
  }

  /// Arms along a horizontal or vertical line of cells.
  void join(std::size_t r0, std::size_t c0, std::size_t r1, std::size_t c1) {
    const auto [left, right] = std::minmax(c0, c1);
    const auto [top, bottom] = std::minmax(r0, r1);
    for (std::size_t c = left; c < right; ++c) {
      cell(r0, c).arms |= kRight;
      cell(r0, c + 1).arms |= kLeft;
    }
    for (std::size_t r = top; r < bottom; ++r) {
      cell(r, c0).arms |= kDown;
      cell(r + 1, c0).arms |= kUp;
    }
  }

  void put(const FigurePoint& point, std::string_view text, Role role) {
    Cell& place = cell(row(point.y), column(point.x));
    place.text = std::string(text);
    place.role = role;
  }

  void plot_points() {
    for (const FigurePoint& point : figure_.points) {
      if (point.on_front && !point.is_baseline) put(point, front_glyph(point.source), Role::front);
    }
    std::size_t letter = 0;
    for (const FigurePoint& point : figure_.points) {
      if (point.is_baseline) put(point, baseline_glyph(letter++), Role::baseline);
    }
    // From the last to the first, so that of two in one cell the earlier number stays.
    for (std::size_t k = shown_.size(); k-- > 0;) put(figure_.points[shown_[k]], kKeys.substr(k, 1), Role::front);
  }

  static std::string baseline_glyph(std::size_t index) { return std::string(1, static_cast<char>('A' + index % 26)); }

  std::string axis_title(const Axis& axis, const AxisScale& scale, bool upright) const {
    const bool least = axis.direction == search::Direction::minimize;
    const std::string_view arrow =
        upright ? (least ? glyph("↓", "down") : glyph("↑", "up")) : (least ? glyph("←", "<-") : glyph("→", "->"));
    return fmt::format("{}  {} better", scale.title(), arrow);
  }

  void draw_x_axis(std::size_t gutter) {
    std::vector<Tick> ticks;
    for (std::size_t count = std::max<std::size_t>(2, columns_ / 12);; --count) {
      ticks = x_.ticks(count);
      std::size_t widest = 0, gap = columns_;
      for (std::size_t i = 0; i < ticks.size(); ++i) {
        widest = std::max(widest, display_width(ticks[i].label));
        if (i > 0) gap = std::min(gap, column(ticks[i].value) - column(ticks[i - 1].value));
      }
      if (widest + 2 <= gap || count <= 2) break;
    }
    std::string rule;
    for (std::size_t c = 0; c < columns_; ++c) {
      const bool here = std::ranges::any_of(ticks, [&](const Tick& tick) { return column(tick.value) == c; });
      rule += here ? glyph("┬", "+") : glyph("─", "-");
    }
    emit(Line(options_).add(std::string(gutter + 1, ' ')).add(glyph("└", "+"), Role::muted).add(rule, Role::muted));
    Line labels(options_);
    for (const Tick& tick : ticks) {
      const std::size_t width = display_width(tick.label), centre = gutter + 2 + column(tick.value);
      const std::size_t start =
          std::min(centre - std::min(centre, width / 2), options_.columns - std::min(options_.columns, width));
      if (labels.used() > 0 && start < labels.used() + 1) continue;
      labels.pad_to(start).add(tick.label, Role::muted);
    }
    emit(labels);
    const std::string title = axis_title(figure_.x, x_, false);
    const std::size_t width = std::min(display_width(title), columns_);
    emit(Line(options_).pad_to(gutter + 2 + (columns_ - width) / 2).add(title, Role::muted));
  }

  void draw_legend() {
    emit(Line(options_));
    std::vector<std::pair<std::string, Role>> items;
    for (const auto& [source, name] : enum_names(search::Source{})) {
      if (std::ranges::any_of(figure_.points, [wanted = source](const FigurePoint& p) {
            return p.on_front && !p.is_baseline && p.source == wanted;
          })) {
        items.emplace_back(fmt::format("{} front ({})", front_glyph(source), name), Role::front);
      }
    }
    if (std::ranges::any_of(figure_.points,
                            [](const FigurePoint& p) { return !p.on_front && !p.is_baseline && p.feasible; })) {
      items.emplace_back(fmt::format("{} dominated", glyph("⠂", ".")), Role::cloud);
    }
    if (std::ranges::any_of(figure_.points, [](const FigurePoint& p) { return !p.is_baseline && !p.feasible; })) {
      items.emplace_back(fmt::format("{} infeasible", glyph("⠂", "x")), Role::cloud);
    }
    std::size_t letter = 0;
    for (const FigurePoint& point : figure_.points) {
      if (point.is_baseline) {
        items.emplace_back(baseline_glyph(letter++) + " " + (point.name.empty() ? point.layout : point.name) +
                               (point.feasible ? "" : " (infeasible)"),
                           Role::baseline);
      }
    }
    Line line(options_);
    for (const auto& [text, role] : items) {
      if (line.used() > 0 && line.used() + 3 + display_width(text) > options_.columns) {
        emit(line);
        line = Line(options_);
      }
      if (line.used() > 0) line.add("   ");
      line.add(text, role);
    }
    emit(line);
  }

  void draw_table() {
    if (shown_.empty()) return;
    emit(Line(options_));
    struct Row {
      std::string trial, y, x, measured;
    };
    const bool any_measured =
        std::ranges::any_of(shown_, [&](std::size_t i) { return !figure_.points[i].measured.empty(); });
    // Columns: number, trial, y, x, what was measured, layout. The layout gets what is left, at least 12; narrow labels
    // are cut.
    const std::size_t limit = std::max<std::size_t>(8, (options_.columns - 24) / 3);
    const auto ascii_deviation = [&](std::string text) {
      if (const std::size_t at = text.find("±"); options_.ascii && at != std::string::npos)
        text.replace(at, std::string_view("±").size(), "+-");
      return text;
    };
    std::vector<Row> rows = {{"trial", shorten(figure_.y.label, limit, glyph("…", "...")),
                              shorten(figure_.x.label, limit, glyph("…", "...")),
                              any_measured ? shorten(figure_.measured_label, limit, glyph("…", "...")) : ""}};
    for (const std::size_t i : shown_) {
      const FigurePoint& point = figure_.points[i];
      rows.push_back({shorten(point.trial, 10, glyph("…", "...")),
                      ascii_deviation(format_value(point.y, point.y_deviation, figure_.y.unit)),
                      ascii_deviation(format_value(point.x, point.x_deviation, figure_.x.unit)),
                      ascii_deviation(point.measured)});
    }
    std::size_t trial = 0, y = 0, x = 0, measured = 0;
    for (const Row& r : rows) {
      trial = std::max(trial, display_width(r.trial));
      y = std::max(y, display_width(r.y));
      x = std::max(x, display_width(r.x));
      measured = std::max(measured, display_width(r.measured));
    }
    for (std::size_t k = 0; k < rows.size(); ++k) {
      const FigurePoint* point = k == 0 ? nullptr : &figure_.points[shown_[k - 1]];
      const Role role = k == 0 ? Role::muted : Role::plain;
      Line line(options_);
      line.add(k == 0 ? "#" : kKeys.substr(k - 1, 1), k == 0 ? Role::muted : Role::front);
      line.add("  " + padded_left(rows[k].trial, trial) + "  " + padded_left(rows[k].y, y) + "  " +
                   padded_left(rows[k].x, x) + "  " +
                   (any_measured ? padded_left(rows[k].measured, measured) + "  " : ""),
               role);
      line.add(point == nullptr ? "layout" : point->layout + (point->name.empty() ? "" : "  " + point->name), role);
      emit(line);
    }
    if (shown_.size() < edge_.size()) {
      emit(Line(options_).add(fmt::format("{} of {} front points", shown_.size(), edge_.size()), Role::muted));
    }
  }

  const Figure& figure_;
  const TerminalOptions& options_;
  std::vector<std::size_t> edge_, shown_;
  AxisScale x_, y_;
  std::size_t columns_ = 0;
  std::vector<Cell> cells_{};
  std::string out_{};
};

}  // namespace

std::string to_terminal(const Figure& figure, const TerminalOptions& options) {
  validate(figure);
  spec::Problems problems;
  if (options.columns < 40 || options.columns > 1000)
    problems.add("columns", fmt::format("{} is not between 40 and 1000", options.columns));
  if (options.rows < 5 || options.rows > 1000)
    problems.add("rows", fmt::format("{} is not between 5 and 1000", options.rows));
  problems.throw_if_any();
  return TerminalDrawing(figure, options).draw();
}

}  // namespace plait::report
