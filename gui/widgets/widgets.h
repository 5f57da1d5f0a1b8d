#pragma once

#include <imgui.h>
#include <implot.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gui/state.h"

/// Pieces that several panels draw.
namespace plait::gui {

struct StripOptions {
  float width = 0;   ///< of the whole strip; 0: what is there
  float height = 0;  ///< of a cell; 0: a line of text
  std::size_t selected = SIZE_MAX;
  const std::vector<bool>* marked = nullptr;  ///< cells that differ from something; others are dimmed
  bool numbers = false;                       ///< layer numbers below
};

/// A layout as a row of coloured cells with their letters, first layer left; rows when it does not fit into one.
/// Returns the cell under the mouse. Draws only: takes no input.
std::optional<std::size_t> draw_strip(const std::string& letters, const StripOptions& options = {});
/// Where draw_strip puts cell `index`, given the strip's corner.
struct StripPlaces {
  ImVec2 corner;
  float cell_width = 0, cell_height = 0, line_height = 0;
  std::size_t columns = 1;

  ImVec2 cell(std::size_t index) const;
  float height(std::size_t cells) const;
};
StripPlaces strip_places(ImVec2 corner, std::size_t cells, const StripOptions& options);

/// Colour of a letter of `spec::letters`.
ImU32 mixer_letter_colour(char letter);
ImU32 mixer_letter_ink(char letter);  ///< readable on it
std::string mixer_letter_name(char letter);

/// The layers along the residual stream, with parallel branches and links, as in spec::ModelGraph; a click selects.
void draw_model_graph(const spec::Layout& layout, std::size_t& selected);

/// "0.596 ± 0.021"; a dash when there is nothing.
std::string value_text(const app::TrialTable::Column& column, std::size_t row);
std::string value_text(const search::Scores& scores, const search::Metric& metric);
/// "+12.5 %" of a share that is not 0, "-0.003 %" of a small one.
std::string percent_text(double share);
std::string metric_title(const search::Metric& metric);

/// Everything about a row; for a tooltip.
void row_tooltip(State& state, std::size_t row);

/// A combo box over metrics. True when another was chosen.
bool metric_combo(const char* label, std::string& chosen, const std::vector<search::Metric>& metrics, float width);

/// Of all plots but the frontier's: they show all they have and take no selection.
inline constexpr ImPlotFlags kPlotFlags =
    ImPlotFlags_NoMenus | ImPlotFlags_NoBoxSelect | ImPlotFlags_NoMouseText | ImPlotFlags_NoLegend;
/// A line with its points, in plot coordinates.
void plot_line(const std::vector<double>& xs, const std::vector<double>& ys, ImU32 ink, float width, bool points);
/// Names of lines with their colours at the upper left of the plot, or the lower right, in the order of the lines.
void line_names(const std::vector<std::pair<std::string, ImU32>>& names, bool lower_right = false);

void muted_text(const std::string& text);
void problem_text(const std::string& text);  ///< wrapped, in the colour of what is wrong
void centred_hint(const std::string& text);
/// A tooltip for the item before.
void hint(const char* text);

/// Draws the question that the state asks, when it asks one.
void draw_file_question(State& state);

}  // namespace plait::gui
