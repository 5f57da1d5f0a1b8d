#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/report/figure.h"
#include "src/report/palette.h"
#include "src/report/result_table.h"

/// Writers. The same input gives the same bytes. All throw SpecError for input that cannot be shown (see `validate`).
namespace plait::report {

struct FigureOptions {
  double width = 900;   ///< 360 to 10000
  double height = 760;  ///< 280 to 10000
  Theme theme = Theme::light;
  double scale = 2;  ///< PNG only: device pixels per unit, 0.25 to 8
};

/// Throws SpecError for a size outside its range.
void validate(const FigureOptions& options);

/// The front as a staircase between the points it dominates, error bars on front points and baselines, and below it up
/// to eight front points as strips of layers. Markers tell where y came from: squares are counted or measured, circles
/// are estimates and priors, triangles come from the surrogate. A ring marks points on which something else was
/// measured.
std::string to_svg(const Figure& figure, const FigureOptions& options = {});

/// The same drawing as a PNG file.
std::vector<std::uint8_t> to_png(const Figure& figure, const FigureOptions& options = {});

struct TerminalOptions {
  std::size_t columns = 100;  ///< no line is wider; at least 40
  std::size_t rows = 22;      ///< of the plot; at least 5
  std::size_t table_rows = 14;
  bool colour = false;  ///< ANSI colours
  bool ascii = false;   ///< plain characters only
};

/// The front drawn with characters, its points numbered, and a table of them.
std::string to_terminal(const Figure& figure, const TerminalOptions& options = {});

/// RFC 4180, lines end in CRLF: id, name, layout, feasible, on_front, then value, deviation and source of every
/// metric. Numbers are written so that they read back exactly.
std::string to_csv(const ResultTable& table);

struct HtmlOptions {
  std::string title{};
  std::string subtitle{};
  std::string x_metric{};  ///< axes shown first
  std::string y_metric{};
  std::string export_command{};  ///< shown for a pinned point; "{trial}" stands for its id; empty: not shown
  std::vector<std::string> notes{};
};

/// One file without outside references: an interactive scatter plot over any two metrics, a panel for a pinned point, a
/// sortable table of the front. For the first two axes the front is the rows' `on_front`, for others it is computed in
/// the page over all feasible rows.
std::string to_html(const ResultTable& table, const HtmlOptions& options);

}  // namespace plait::report
