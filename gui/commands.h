#pragma once

#include <imgui.h>

#include <span>
#include <string>
#include <string_view>

#include "gui/state.h"

/// Everything that can be done without pointing at something, once: the menus, the palette (Ctrl+P), the shortcuts, the
/// page of keys, `plait-gui --do` and the tests walk this table.
namespace plait::gui {

struct Command {
  std::string_view id;     ///< "view.dark"
  const char* menu;        ///< "View"
  const char* label;       ///< "Dark theme"
  ImGuiKeyChord shortcut;  ///< 0: none
  void (*run)(State&);
  bool (*possible)(const State&);           ///< nullptr: always
  bool (*checked)(const State&) = nullptr;  ///< nullptr: no check mark
};

std::span<const Command> command_table();
/// nullptr when there is none.
const Command* find_command(std::string_view id);
bool is_possible(const Command& command, const State& state);
/// Runs it when it is possible; what it throws becomes a message.
void run_command(const Command& command, State& state);
/// "Ctrl+Shift+Z"; empty without one.
std::string shortcut_text(const Command& command);
/// The commands whose name has all words of `text` in it, in the table's order.
std::vector<const Command*> matching_commands(std::string_view text);

}  // namespace plait::gui
