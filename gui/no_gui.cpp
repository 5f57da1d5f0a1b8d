#include <stdexcept>

#include "gui/window.h"

namespace plait::gui {

bool has_window() { return false; }
std::string window_parts() { return "this plait-gui was built without its window: " PLAIT_GUI_WHY; }
void run_window(const WindowOptions&) { throw std::runtime_error(window_parts()); }

}  // namespace plait::gui
