#include <fmt/format.h>

#include <algorithm>

#include "gui/panels/panels.h"
#include "gui/theme.h"
#include "gui/widgets/widgets.h"
#include "src/app/output.h"

namespace plait::gui {
namespace {

/// The layout in the editor as a model, with where it comes from.
app::ExportSource source_of(State& state) {
  const app::WhatIf::Answer* answer = state.answer();
  app::ExportSource source;
  if (state.is_open(state.current)) {
    source = app::export_source(*state.results(), app::trial_at(*state.results(), state.current));
  } else {
    source.model = state.what_if->study().model;
    source.model.layout = state.document.layout;
    source.model.name = state.what_if->study().name + "-edited";
    source.provenance.study = state.what_if->study().name;
    source.provenance.layout = answer->notation;
    for (const auto& [metric, value] : answer->scores) source.provenance.metrics[metric] = value.value;
  }
  source.provenance.plait_version = PLAIT_VERSION;
  return source;
}

void draw_targets(State& state) {
  for (const interchange::Exporter& exporter : interchange::exporter_table()) {
    const std::string name(exporter.name);
    if (ImGui::RadioButton(name.c_str(), state.export_target == name)) state.export_target = name;
    ImGui::SameLine();
    muted_text(std::string(exporter.summary));
  }
}

/// One line per selected trial: its folder, and whether the target takes it. A click opens it in the editor, and its
/// files below.
void draw_selected(State& state) {
  const std::vector<TrialExport>& exports = state.selected_exports();
  const float line = ImGui::GetTextLineHeight() + 2 * ImGui::GetStyle().CellPadding.y;
  // Reasons take about three lines more. The files below want most of the room.
  const auto refused =
      std::ranges::count_if(exports, [](const TrialExport& each) { return !each.support.ok || !each.problem.empty(); });
  const float wanted = line * static_cast<float>(1 + exports.size() + 3 * static_cast<std::size_t>(refused));
  const float height = std::min(wanted, std::max(6 * line, 0.4F * ImGui::GetContentRegionAvail().y));
  if (!ImGui::BeginTable(
          "selected", 3,
          ImGuiTableFlags_RowBg | ImGuiTableFlags_ScrollY | ImGuiTableFlags_Resizable | ImGuiTableFlags_BordersOuterH,
          {0, height})) {
    return;
  }
  ImGui::TableSetupScrollFreeze(0, 1);
  ImGui::TableSetupColumn("folder", ImGuiTableColumnFlags_WidthStretch, 1);
  ImGui::TableSetupColumn("layout", ImGuiTableColumnFlags_WidthStretch, 1.2F);
  ImGui::TableSetupColumn("files", ImGuiTableColumnFlags_WidthStretch, 1.8F);
  ImGui::TableHeadersRow();
  for (const TrialExport& each : exports) {
    ImGui::TableNextRow();
    ImGui::TableNextColumn();
    if (ImGui::Selectable(each.folder.c_str(), state.is_open(each.row), ImGuiSelectableFlags_SpanAllColumns)) {
      state.open_row(each.row);
    }
    hint(state.row_name(each.row).c_str());
    ImGui::TableNextColumn();
    ImGui::TextUnformatted(app::trial_at(*state.results(), each.row).layout.c_str());
    ImGui::TableNextColumn();
    for (const std::string& reason : each.support.reasons) problem_text(reason);
    if (!each.problem.empty()) {
      problem_text(each.problem);
    } else if (each.support.ok) {
      muted_text(each.written.empty() ? "can be written" : "written");
      if (!each.written.empty()) hint(each.written.string().c_str());
    }
  }
  ImGui::EndTable();
}

void draw_preview(State& state, const interchange::ExportBundle& bundle) {
  if (!ImGui::BeginTabBar("files")) return;
  for (const interchange::File& file : bundle.files) {
    if (!ImGui::BeginTabItem(file.name.c_str())) continue;
    if (ImGui::SmallButton("Copy")) {
      ImGui::SetClipboardText(file.content.c_str());
      state.say("copied " + file.name);
    }
    const float height = std::max(8 * ImGui::GetTextLineHeight(), ImGui::GetContentRegionAvail().y);
    if (ImGui::BeginChild("preview", {0, height}, ImGuiChildFlags_Borders, ImGuiWindowFlags_HorizontalScrollbar)) {
      ImGui::PushFont(code_font(), 0.85F * ImGui::GetStyle().FontSizeBase);
      ImGui::TextUnformatted(file.content.c_str());
      ImGui::PopFont();
    }
    ImGui::EndChild();
    ImGui::EndTabItem();
  }
  ImGui::EndTabBar();
}

}  // namespace

void ask_export_folder(State& state) {
  const app::ExportSource source = source_of(state);
  const interchange::Exporter& target = *interchange::find_exporter(state.export_target);
  state.question =
      FileQuestion{.title = fmt::format("Write the files of {} for {} into", source.model.name, target.name),
                   .button = "Write here",
                   .folder = true,
                   .save = true,
                   .answer = [&state, bundle = target.write(source.model, source.provenance)](const auto& folder) {
                     state.attempt([&] {
                       app::require_new(bundle, folder, kThereAlready);
                       app::write_bundle(bundle, folder);
                       state.say(fmt::format("wrote {} files into {}", bundle.files.size(), folder.string()));
                     });
                   }};
}

void ask_exports_folder(State& state) {
  state.question = FileQuestion{.title = fmt::format("Write {} layouts for {}, a folder each, into",
                                                     state.selection().size(), state.export_target),
                                .button = "Write here",
                                .folder = true,
                                .save = true,
                                .answer = [&state](const auto& folder) { state.write_selected(folder); }};
}

void draw_export(State& state) {
  const app::WhatIf::Answer* answer = state.answer();
  if (answer == nullptr || !answer->problems.empty() || !state.has_rows()) {
    centred_hint("The files of a trainer for the layout in the editor, or for all trials that are selected.");
    return;
  }
  const app::ExportSource source = source_of(state);
  draw_targets(state);
  const interchange::Exporter* target = interchange::find_exporter(state.export_target);
  const std::size_t selected = state.selection().size();
  if (selected > 1) {
    if (selected > kMostExports) {
      muted_text(fmt::format("{} trials are selected; at most {} are written at once.", selected, kMostExports));
    } else {
      draw_selected(state);
      if (ImGui::Button(fmt::format("Write all {}, a folder each...", selected).c_str())) ask_exports_folder(state);
      ImGui::Spacing();
    }
  }
  ImGui::PushFont(bold_font(), 0);
  ImGui::TextUnformatted(source.model.name.c_str());
  ImGui::PopFont();
  ImGui::SameLine();
  muted_text(source.provenance.layout);
  const interchange::Support support = target->supports(source.model);
  for (const std::string& reason : support.reasons) problem_text(reason);
  if (!support.ok) return;
  ImGui::PushTextWrapPos(0);
  for (const std::string& note : support.notes) muted_text(note);
  ImGui::PopTextWrapPos();
  if (ImGui::Button("Write into a folder...")) ask_export_folder(state);
  draw_preview(state, target->write(source.model, source.provenance));
}

}  // namespace plait::gui
