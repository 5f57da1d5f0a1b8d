#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>

#include "gui/theme.h"
#include "gui/widgets/widgets.h"

namespace plait::gui {
namespace {

namespace fs = std::filesystem;

struct Entry {
  std::string name;
  bool folder = false;
  bool study = false;  ///< a folder with a journal
};

std::vector<Entry> entries_of(const fs::path& folder, const FileQuestion& question, std::string& problem) {
  std::vector<Entry> entries;
  std::error_code error;
  for (const auto& item : fs::directory_iterator(folder, fs::directory_options::skip_permission_denied, error)) {
    std::error_code ignored;
    Entry entry{item.path().filename().string(), item.is_directory(ignored), false};
    if (entry.name.starts_with('.')) continue;
    if (!entry.folder && (question.folder || !entry.name.ends_with(question.extension))) continue;
    if (entry.folder) entry.study = fs::exists(item.path() / "journal.jsonl", ignored);
    entries.push_back(std::move(entry));
  }
  if (error) problem = fmt::format("{}: {}", folder.string(), error.message());
  std::ranges::sort(entries, {}, [](const Entry& e) { return std::pair(!e.folder, e.name); });
  return entries;
}

}  // namespace

void draw_file_question(State& state) {
  if (!state.question) return;
  const FileQuestion& question = *state.question;
  const char* id = "Choose###file question";
  const std::string title = question.title + "###file question";
  if (!ImGui::IsPopupOpen(id)) {
    ImGui::OpenPopup(id);
    std::error_code error;
    if (state.picker_folder.empty()) state.picker_folder = fs::current_path(error);
    state.picker_name = question.name;
  }
  ImGui::SetNextWindowPos(ImGui::GetMainViewport()->GetCenter(), ImGuiCond_Appearing, {0.5F, 0.5F});
  ImGui::SetNextWindowSize({px(620), px(460)}, ImGuiCond_Appearing);
  bool open = true;
  if (!ImGui::BeginPopupModal(title.c_str(), &open)) {
    state.question.reset();
    return;
  }
  std::optional<fs::path> chosen;
  std::string problem;
  std::string typed = state.picker_folder.string();
  ImGui::SetNextItemWidth(-px(60));
  if (ImGui::InputText("##path", &typed, ImGuiInputTextFlags_EnterReturnsTrue)) {
    std::error_code error;
    if (fs::is_directory(typed, error)) {
      state.picker_folder = typed;
    } else if (!question.folder || question.save) {
      chosen = typed;
    } else {
      state.complain(typed + " is no folder");
    }
  }
  ImGui::SameLine();
  if (ImGui::Button("Up") && state.picker_folder.has_parent_path())
    state.picker_folder = state.picker_folder.parent_path();
  const std::vector<Entry> entries = entries_of(state.picker_folder, question, problem);
  if (ImGui::BeginChild("entries", {0, -2 * ImGui::GetFrameHeightWithSpacing()}, ImGuiChildFlags_Borders)) {
    if (!problem.empty()) muted_text(problem);
    if (entries.empty() && problem.empty()) muted_text("nothing here to choose");
    for (const Entry& entry : entries) {
      const std::string label = entry.folder ? entry.name + "/" + (entry.study ? "    study" : "") : entry.name;
      if (!ImGui::Selectable(label.c_str(), entry.name == state.picker_name,
                             ImGuiSelectableFlags_AllowDoubleClick | ImGuiSelectableFlags_NoAutoClosePopups)) {
        continue;
      }
      const bool twice = ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left);
      if (entry.folder && !(entry.study && question.folder)) {
        if (twice || !question.folder) {
          state.picker_folder /= entry.name;
          if (question.folder) state.picker_name.clear();
          break;
        }
        state.picker_name = entry.name;
      } else {
        state.picker_name = entry.name;
        if (twice) chosen = state.picker_folder / entry.name;
      }
    }
  }
  ImGui::EndChild();
  if (ImGui::IsWindowAppearing()) ImGui::SetKeyboardFocusHere();
  ImGui::SetNextItemWidth(-1);
  const bool entered = ImGui::InputTextWithHint(
      "##name", question.folder ? "this folder, a name in it, or a path" : "name or path", &state.picker_name,
      ImGuiInputTextFlags_EnterReturnsTrue | ImGuiInputTextFlags_AutoSelectAll);
  const bool nothing = !question.folder && state.picker_name.empty();
  ImGui::BeginDisabled(nothing);
  std::error_code error;
  const bool replaces =
      question.save && !question.folder && !nothing && fs::exists(state.picker_folder / state.picker_name, error);
  if (ImGui::Button(replaces ? "Replace" : question.button.c_str()) || (entered && !nothing && !replaces)) {
    chosen = state.picker_name.empty() ? state.picker_folder : state.picker_folder / state.picker_name;
  }
  ImGui::EndDisabled();
  ImGui::SameLine();
  if (ImGui::Button("Cancel") || ImGui::IsKeyPressed(ImGuiKey_Escape)) open = false;
  if (chosen || !open) ImGui::CloseCurrentPopup();
  ImGui::EndPopup();
  if (chosen) {
    const auto answer = question.answer;  // may ask the next question
    state.question.reset();
    answer(*chosen);
  } else if (!open) {
    state.question.reset();
  }
}

}  // namespace plait::gui
