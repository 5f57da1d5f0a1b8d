#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "gui/window.h"

namespace {

std::filesystem::path settings_folder() {
  if (const char* config = std::getenv("XDG_CONFIG_HOME"); config != nullptr && *config != 0) {
    return std::filesystem::path(config) / "plait";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != 0) {
    return std::filesystem::path(home) / ".config" / "plait";
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  plait::gui::WindowOptions options;
  std::string open, screenshot;
  bool fresh = false;
  CLI::App app{"The desktop app of plait: look at frontiers, edit layouts, run searches, export."};
  app.set_version_flag("--version", "plait-gui " PLAIT_VERSION);
  app.add_option("WHAT", open, "folder of a search, study file, model file, or a trainer's config");
  app.add_option("--screenshot", screenshot, "write a PNG of the window and end");
  app.add_option("--do", options.commands, "commands to run first, by id (view.dark, layout.pin, ...)");
  app.add_option("--width", options.width, "of the window, in pixels")
      ->check(CLI::Range(320, 16384))
      ->capture_default_str();
  app.add_option("--height", options.height, "of the window, in pixels")
      ->check(CLI::Range(240, 16384))
      ->capture_default_str();
  app.add_option("--scale", options.scale, "size of text and controls; 0 asks the screen")->check(CLI::Range(0.0, 4.0));
  app.add_flag("--fresh", fresh, "as on the first start: no settings are read or kept");
  app.footer(
      "Examples:\n"
      "  plait-gui run                              the folder of a search, finished or running\n"
      "  plait-gui examples/laptop.json             a study file fills the form of a new study\n"
      "  plait-gui run --do view.dark --screenshot window.png");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.open = open;
  options.screenshot = screenshot;
  if (!fresh && screenshot.empty()) options.settings = settings_folder();
  try {
    plait::gui::run_window(options);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "plait-gui: " << error.what() << '\n';
    return 1;
  }
}
