#pragma once

#include <span>

#include "gui/state.h"
#include "gui/view_files.h"

/// One function per panel: draws it into the window that is open and calls the state. A new panel is a function and a
/// row of the table.
namespace plait::gui {

enum class Place { main, side, bottom, corner };

struct Panel {
  const char* title;
  const char* help;
  Place place;  ///< in the arrangement that the app starts with
  void (*draw)(State&);
  /// As a file; nothing when there is nothing to save. nullptr: not a view of data.
  ViewWriter (*save)(State&, FileKind, const report::FigureOptions&) = nullptr;
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
void draw_roofline(State& state);
void draw_learning(State& state);
void draw_importance(State& state);

/// Ask for the folder and write there: of the layout in the editor, of all selected trials.
void ask_export_folder(State& state);
void ask_exports_folder(State& state);

ViewWriter save_frontier(State& state, FileKind kind, const report::FigureOptions& options);
ViewWriter save_parallel(State& state, FileKind kind, const report::FigureOptions& options);
ViewWriter save_history(State& state, FileKind kind, const report::FigureOptions& options);
ViewWriter save_breakdown(State& state, FileKind kind, const report::FigureOptions& options);
ViewWriter save_sweep(State& state, FileKind kind, const report::FigureOptions& options);
ViewWriter save_compare(State& state, FileKind kind, const report::FigureOptions& options);
ViewWriter save_roofline(State& state, FileKind kind, const report::FigureOptions& options);
ViewWriter save_learning(State& state, FileKind kind, const report::FigureOptions& options);
ViewWriter save_importance(State& state, FileKind kind, const report::FigureOptions& options);

}  // namespace plait::gui
