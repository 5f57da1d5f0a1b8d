#pragma once

#include <imgui.h>

#include "gui/cloud.h"
#include "src/report/palette.h"

namespace plait::gui {

ImU32 colour(report::Colour colour, double alpha = 1);

/// Colours that follow the theme; the accents are those of the figures that plait writes.
struct Colours {
  ImU32 ink, muted, faint, grid, panel, front, study_front, dominated, infeasible, baseline, selection, overlay, better,
      worse, shade;
};
const Colours& colours();

/// Sets the style of Dear ImGui and ImPlot. `scale` is the screen's times the person's.
void apply_theme(report::Theme theme, double scale);

/// Inter where the build found it, else DejaVu Sans. Called once per context.
void load_fonts();
ImFont* bold_font();
ImFont* code_font();  ///< every letter as wide

/// Pixels of a length that is meant for scale 1.
float px(float length);

/// Colours of lines of several layouts; the first is the editor's.
ImU32 line_colour(std::size_t index);

}  // namespace plait::gui
