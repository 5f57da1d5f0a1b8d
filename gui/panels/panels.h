#pragma once

#include <span>

#include "gui/state.h"

/// One function per panel: draws it into the window that is open and calls the state. A new panel is a function and a
/// row of the table.
namespace plait::gui {

enum class Place { main, side, bottom, corner };

struct Panel {
  const char* title;
  const char* help;
  Place place;  ///< in the arrangement that the app starts with
  void (*draw)(State&);
};

std::span<const Panel> panel_table();

void draw_frontier(State& state);
void draw_parallel(State& state);
void draw_history(State& state);
void draw_layout(State& state);
void draw_trials(State& state);
void draw_breakdown(State& state);
void draw_sweep(State& state);
void draw_compare(State& state);
void draw_run(State& state);
void draw_export(State& state);

}  // namespace plait::gui
