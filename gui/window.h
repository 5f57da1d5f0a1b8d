#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace plait::gui {

struct WindowOptions {
  std::filesystem::path open;           ///< a folder or file; empty: none
  std::filesystem::path settings;       ///< folder of settings and arrangement; empty: nothing is kept
  std::vector<std::string> commands{};  ///< ids, run one after the other once the study is there
  std::filesystem::path screenshot;     ///< PNG to write once all is drawn, then the app ends; empty: none
  int width = 1440, height = 900;
  double scale = 0;  ///< 0: the screen's
};

/// Opens the window and returns when it is closed. Throws std::runtime_error in words a person can act on when there is
/// no screen or no OpenGL, or when this program was built without its parts.
void run_window(const WindowOptions& options);

/// Whether the program was built with its window, and why not.
bool has_window();
std::string window_parts();

}  // namespace plait::gui
