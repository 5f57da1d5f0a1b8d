#pragma once

#include "gui/state.h"

namespace plait::gui {

/// One frame of the whole app between ImGui::NewFrame and ImGui::Render: shortcuts, menus, panels, dialogs. Needs no
/// window and no graphics: tests call it as it is.
void draw_frame(State& state);

}  // namespace plait::gui
