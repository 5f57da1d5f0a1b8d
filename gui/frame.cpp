#include "gui/frame.h"

#include <fmt/format.h>
#include <imgui_internal.h>
#include <imgui_stdlib.h>
#include <implot.h>

#include <algorithm>
#include <array>

#include "gui/commands.h"
#include "gui/panels/panels.h"
#include "gui/theme.h"
#include "gui/widgets/widgets.h"
#include "src/spec/grouped.h"

namespace plait::gui {
namespace {

void arrange(ImGuiID space) {
  const ImVec2 size = ImGui::GetMainViewport()->WorkSize;
  ImGui::DockBuilderRemoveNode(space);
  ImGui::DockBuilderAddNode(space, ImGuiDockNodeFlags_DockSpace);
  ImGui::DockBuilderSetNodeSize(space, size);
  ImGuiID top = 0, bottom = 0, places[4] = {};
  ImGui::DockBuilderSplitNode(space, ImGuiDir_Down, 0.36F, &bottom, &top);
  ImGui::DockBuilderSplitNode(top, ImGuiDir_Right, 0.42F, &places[static_cast<int>(Place::side)],
                              &places[static_cast<int>(Place::main)]);
  ImGui::DockBuilderSplitNode(bottom, ImGuiDir_Right, 0.42F, &places[static_cast<int>(Place::corner)],
                              &places[static_cast<int>(Place::bottom)]);
  for (const Panel& panel : panel_table()) {
    ImGui::DockBuilderDockWindow(panel.title, places[static_cast<int>(panel.place)]);
  }
  ImGui::DockBuilderFinish(space);
}

void draw_menu_item(const Command& command, State& state) {
  const bool checked = command.checked != nullptr && command.checked(state);
  if (ImGui::MenuItem(command.label, shortcut_text(command).c_str(), checked, is_possible(command, state))) {
    run_command(command, state);
  }
}

void draw_menus(State& state) {
  if (!ImGui::BeginMainMenuBar()) return;
  for (const char* menu : {"File", "Edit", "Layout", "Study", "View", "Panels", "Help"}) {
    if (!ImGui::BeginMenu(menu)) continue;
    for (const Command& command : command_table()) {
      if (std::string_view(command.menu) == menu) draw_menu_item(command, state);
    }
    if (std::string_view(menu) == "File" && ImGui::BeginMenu("Recent", !state.settings.recent.empty())) {
      for (const std::string& path : std::vector<std::string>(state.settings.recent)) {
        if (ImGui::MenuItem(path.c_str())) state.open(path);
      }
      ImGui::EndMenu();
    }
    ImGui::EndMenu();
  }
  // What is going on, at the right end.
  std::string status;
  if (state.results() != nullptr) {
    status = fmt::format("{}: {} trials, {} on the front", state.results()->spec.name,
                         spec::grouped(state.results()->trials.size()), state.results()->front.size());
  }
  const app::Snapshot& now = state.snapshot;
  const bool searches = now.phase == app::Phase::running || now.phase == app::Phase::paused;
  if (now.phase == app::Phase::loading)
    status = fmt::format("reading {}: {:.0f} %", now.folder.string(), 100 * now.share_read);
  const float bar = searches ? px(160) : 0;
  const float width = ImGui::CalcTextSize(status.c_str()).x + bar + px(24);
  if (ImGui::GetContentRegionAvail().x > width) {
    ImGui::SetCursorPosX(ImGui::GetWindowWidth() - width);
    if (searches) {
      const float share =
          now.progress.total == 0 ? 0 : static_cast<float>(now.progress.done) / static_cast<float>(now.progress.total);
      const float y = ImGui::GetCursorPosY();
      ImGui::SetCursorPosY(y + ImGui::GetStyle().FramePadding.y);
      ImGui::ProgressBar(share, {bar, ImGui::GetTextLineHeight()},
                         now.phase == app::Phase::paused ? "paused" : nullptr);
      ImGui::SetCursorPosY(y);
    }
    muted_text(status);
  }
  ImGui::EndMainMenuBar();
}

void run_shortcuts(State& state) {
  const ImGuiIO& io = ImGui::GetIO();
  const bool popup = ImGui::IsPopupOpen(nullptr, ImGuiPopupFlags_AnyPopup);
  if (popup) return;
  for (const Command& command : command_table()) {
    if (command.shortcut == 0) continue;
    // A person who types means the text.
    const bool plain = (command.shortcut & (ImGuiMod_Ctrl | ImGuiMod_Alt)) == 0;
    const bool of_text = command.id == "edit.copy" || command.id == "edit.paste" || command.id == "edit.undo" ||
                         command.id == "edit.redo" || command.id == "edit.all";
    if (io.WantTextInput && (plain || of_text)) continue;
    if (ImGui::IsKeyChordPressed(command.shortcut)) run_command(command, state);
  }
}

void draw_palette(State& state) {
  constexpr const char* kTitle = "All commands";
  if (state.palette_open) {
    ImGui::OpenPopup(kTitle);
    state.palette_open = false;
    state.palette_text.clear();
    state.palette_at = 0;
  }
  const ImGuiViewport* screen = ImGui::GetMainViewport();
  ImGui::SetNextWindowPos({screen->GetCenter().x, screen->WorkPos.y + px(60)}, ImGuiCond_Always, {0.5F, 0});
  ImGui::SetNextWindowSize({std::min(px(560), screen->WorkSize.x - px(40)), 0});
  if (!ImGui::BeginPopup(kTitle)) return;
  if (ImGui::IsWindowAppearing()) ImGui::SetKeyboardFocusHere();
  ImGui::SetNextItemWidth(-1);
  const bool entered = ImGui::InputTextWithHint("##search", "Type what you want to do", &state.palette_text,
                                                ImGuiInputTextFlags_EnterReturnsTrue);
  if (ImGui::IsItemEdited()) state.palette_at = 0;
  const std::vector<const Command*> found = matching_commands(state.palette_text);
  const int count = static_cast<int>(found.size());
  if (ImGui::IsKeyPressed(ImGuiKey_DownArrow)) ++state.palette_at;
  if (ImGui::IsKeyPressed(ImGuiKey_UpArrow)) --state.palette_at;
  state.palette_at = std::clamp(state.palette_at, 0, std::max(0, count - 1));
  const Command* chosen = entered && count > 0 ? found[static_cast<std::size_t>(state.palette_at)] : nullptr;
  const float lines = static_cast<float>(std::max(1, count)) * ImGui::GetTextLineHeightWithSpacing();
  if (ImGui::BeginChild("found", {0, std::min(px(380), lines)})) {
    if (found.empty()) muted_text("no command has these words");
    for (int i = 0; i < count; ++i) {
      const Command& command = *found[static_cast<std::size_t>(i)];
      ImGui::BeginDisabled(!is_possible(command, state));
      if (ImGui::Selectable(fmt::format("{}##{}", command.label, command.id).c_str(), i == state.palette_at))
        chosen = &command;
      ImGui::EndDisabled();
      const std::string keys = fmt::format("{}   {}", shortcut_text(command), command.menu);
      ImGui::SameLine(std::max(px(200), ImGui::GetWindowWidth() - ImGui::GetStyle().ScrollbarSize -
                                            ImGui::CalcTextSize(keys.c_str()).x - px(4)));
      muted_text(keys);
      if (i == state.palette_at && (ImGui::IsKeyPressed(ImGuiKey_DownArrow) || ImGui::IsKeyPressed(ImGuiKey_UpArrow)))
        ImGui::SetScrollHereY();
    }
  }
  ImGui::EndChild();
  // The field for the words would take the first Escape for itself.
  if (chosen != nullptr || ImGui::IsKeyPressed(ImGuiKey_Escape)) ImGui::CloseCurrentPopup();
  ImGui::EndPopup();
  if (chosen != nullptr) run_command(*chosen, state);
}

void draw_help(State& state) {
  if (!state.help_open) return;
  ImGui::SetNextWindowPos(ImGui::GetMainViewport()->GetCenter(), ImGuiCond_Appearing, {0.5F, 0.5F});
  ImGui::SetNextWindowSize({px(560), px(520)}, ImGuiCond_Appearing);
  if (ImGui::Begin("Keys and mouse", &state.help_open, ImGuiWindowFlags_NoDocking)) {
    constexpr std::array<std::array<const char*, 2>, 8> kMouse = {
        {{"wheel", "zoom the plot under the mouse (over an axis: that axis)"},
         {"drag", "move the plot"},
         {"click a point", "open its layout in the editor"},
         {"Ctrl and click", "select more than one"},
         {"Shift and drag", "select all points in a box"},
         {"double click", "show all points"},
         {"drag a layer", "move it to another depth"},
         {"drop a file", "open a study, model or trainer's config"}}};
    if (ImGui::BeginTable("keys", 2, ImGuiTableFlags_RowBg | ImGuiTableFlags_SizingFixedFit)) {
      for (const auto& [keys, text] : kMouse) {
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        ImGui::TextUnformatted(keys);
        ImGui::TableNextColumn();
        muted_text(text);
      }
      for (const Command& command : command_table()) {
        if (command.shortcut == 0) continue;
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        ImGui::TextUnformatted(shortcut_text(command).c_str());
        ImGui::TableNextColumn();
        muted_text(command.label);
      }
      ImGui::EndTable();
    }
  }
  ImGui::End();
}

void draw_about(State& state) {
  if (state.about_open) ImGui::OpenPopup("About plait");
  state.about_open = false;
  ImGui::SetNextWindowPos(ImGui::GetMainViewport()->GetCenter(), ImGuiCond_Appearing, {0.5F, 0.5F});
  if (!ImGui::BeginPopupModal("About plait", nullptr, ImGuiWindowFlags_AlwaysAutoResize)) return;
  ImGui::TextUnformatted("plait " PLAIT_VERSION " finds hybrid language-model layouts.");
  muted_text(
      "Costs are exact counts and calibrated estimates; recall is a prior from published results\nunless it says "
      "measured. Apache-2.0.");
  muted_text("Drawn with Dear ImGui and ImPlot (MIT) and Inter (SIL OFL).");
  muted_text("A screen reader cannot read this window: `plait show`, its HTML report and CSV hold the same.");
  if (ImGui::Button("Close") || ImGui::IsKeyPressed(ImGuiKey_Escape)) ImGui::CloseCurrentPopup();
  ImGui::EndPopup();
}

struct TourStep {
  const char* panel;
  const char* title;
  const char* text;
};
constexpr std::array kTour = {
    TourStep{"Frontier", "The frontier",
             "Every point is a layout. Blue ones are the best that can be had: no other is better in both metrics. "
             "Click one and it opens on the right."},
    TourStep{"Layout", "The layout",
             "Layers from first to last. Choose one, press a mixer's letter below, and all numbers answer at once. "
             "Improve finds the best single change."},
    TourStep{"Trials", "All trials",
             "Sort by any column, or type a filter such as recall>0.4 kv_cache_bytes<20G. Every view follows it."},
    TourStep{"Context sweep", "At other contexts",
             "What the layout costs from 1K to 2M tokens. Pin layouts with P to see several."},
    TourStep{"Export", "Into your trainer",
             "When you have found one: the files that flash-linear-attention or flame load, ready to copy or write."},
    TourStep{"Run", "A search of your own",
             "This was a sample. Here you say for which model, hardware and context to search, among which mixers, and "
             "start. F1 shows all keys, Ctrl+P all commands."},
};

void draw_tour(State& state) {
  if (state.tour < 0) return;
  const TourStep& step = kTour[static_cast<std::size_t>(state.tour)];
  const ImGuiWindow* panel = ImGui::FindWindowByName(step.panel);
  ImGui::SetNextWindowSize({px(330), 0});
  if (panel != nullptr) {
    ImGui::GetForegroundDrawList()->AddRect(panel->Pos, panel->Pos + panel->Size, colours().baseline, px(6), px(3));
    ImGui::SetNextWindowPos(panel->Pos + panel->Size * ImVec2(0.5F, 1) - ImVec2(0, px(24)), ImGuiCond_Always,
                            {0.5F, 1});
  }
  ImGui::PushStyleColor(ImGuiCol_Border, colours().baseline);
  if (ImGui::Begin("Tour", nullptr,
                   ImGuiWindowFlags_NoTitleBar | ImGuiWindowFlags_NoResize | ImGuiWindowFlags_NoDocking |
                       ImGuiWindowFlags_NoSavedSettings)) {
    ImGui::BringWindowToDisplayFront(ImGui::GetCurrentWindow());
    ImGui::PushFont(bold_font(), 0);
    ImGui::TextUnformatted(step.title);
    ImGui::PopFont();
    ImGui::TextWrapped("%s", step.text);
    const bool last = state.tour + 1 == static_cast<int>(kTour.size());
    if (ImGui::Button(last ? "Done" : "Next")) {
      state.tour = last ? -1 : state.tour + 1;
      if (!last) state.focus_panel = kTour[static_cast<std::size_t>(state.tour)].panel;
    }
    if (!last) {
      ImGui::SameLine();
      if (ImGui::Button("Skip the tour")) state.tour = -1;
    }
    if (state.tour < 0) state.settings.tour_seen = true;
  }
  ImGui::End();
  ImGui::PopStyleColor();
}

/// Newest last, at the lower edge; errors stay longer and can be closed.
void draw_messages(State& state) {
  const ImGuiViewport* screen = ImGui::GetMainViewport();
  float y = screen->WorkPos.y + screen->WorkSize.y - px(14);
  std::size_t closed = SIZE_MAX;
  for (std::size_t i = state.messages.size(); i-- > 0;) {
    const Message& message = state.messages[i];
    ImGui::SetNextWindowPos({screen->GetCenter().x, y}, ImGuiCond_Always, {0.5F, 1});
    ImGui::SetNextWindowBgAlpha(0.97F);
    ImGui::PushStyleColor(ImGuiCol_Border, message.bad ? colours().worse : colours().front);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, px(2));
    constexpr ImGuiWindowFlags kPlain = ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_AlwaysAutoResize |
                                        ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoFocusOnAppearing |
                                        ImGuiWindowFlags_NoNav | ImGuiWindowFlags_NoDocking | ImGuiWindowFlags_NoMove;
    if (ImGui::Begin(fmt::format("##message {}", i).c_str(), nullptr, kPlain)) {
      ImGui::PushTextWrapPos(px(560));
      ImGui::TextUnformatted(message.text.c_str());
      ImGui::PopTextWrapPos();
      if (message.bad && ImGui::SmallButton("Close")) closed = i;
    }
    y -= ImGui::GetWindowHeight() + px(6);
    ImGui::End();
    ImGui::PopStyleVar();
    ImGui::PopStyleColor();
  }
  if (closed != SIZE_MAX) state.messages.erase(state.messages.begin() + static_cast<std::ptrdiff_t>(closed));
}

}  // namespace

void draw_frame(State& state) {
  state.hovered = state.hover;
  state.hover = SIZE_MAX;
  run_shortcuts(state);
  draw_menus(state);
  const ImGuiID space = ImGui::GetID("panels");
  if (state.reset_docks || ImGui::DockBuilderGetNode(space) == nullptr) {
    arrange(space);
    state.reset_docks = false;
    if (state.focus_panel.empty()) state.focus_panel = "Layout";
  }
  ImGui::DockSpaceOverViewport(space, ImGui::GetMainViewport());
  for (const Panel& panel : panel_table()) {
    if (state.focus_panel == panel.title) state.settings.hidden.erase(panel.title);
    if (state.settings.hidden.contains(panel.title)) continue;
    bool open = true;
    if (ImGui::Begin(panel.title, &open)) panel.draw(state);
    if (panel.save != nullptr && ImGui::IsWindowFocused(ImGuiFocusedFlags_RootAndChildWindows)) {
      state.front_panel = panel.title;
    }
    ImGui::End();
    if (!open) state.settings.hidden.insert(panel.title);
  }
  if (!state.focus_panel.empty() && ImGui::FindWindowByName(state.focus_panel.c_str()) != nullptr) {
    ImGui::SetWindowFocus(state.focus_panel.c_str());
    state.focus_panel.clear();
  }
  draw_file_question(state);
  draw_palette(state);
  draw_help(state);
  draw_about(state);
  draw_tour(state);
  draw_messages(state);
}

}  // namespace plait::gui
