#include <fmt/format.h>

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
  const bool edited = !(state.document.layout == state.document.reference);
  if (!edited && state.current < state.table()->size() && state.row_name(state.current) == state.document.origin) {
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

void write(State& state, const interchange::ExportBundle& bundle, const std::filesystem::path& folder) {
  state.attempt([&] {
    app::write_bundle(bundle, folder, false);
    state.say(fmt::format("wrote {} files into {}", bundle.files.size(), folder.string()));
  });
}

}  // namespace

void draw_export(State& state) {
  const app::WhatIf::Answer* answer = state.answer();
  if (answer == nullptr || !answer->problems.empty() || !state.has_rows()) {
    centred_hint("The files of a trainer for the layout in the editor.");
    return;
  }
  const app::ExportSource source = source_of(state);
  muted_text(fmt::format("{}: {}", source.model.name, source.provenance.layout));
  for (const interchange::Exporter& exporter : interchange::exporter_table()) {
    const interchange::Support support = exporter.supports(source.model);
    ImGui::BeginDisabled(!support.ok);
    const std::string name(exporter.name);
    if (ImGui::RadioButton(name.c_str(), state.export_target == name)) state.export_target = name;
    ImGui::EndDisabled();
    hint(std::string(exporter.summary).c_str());
    ImGui::SameLine();
    for (const std::string& reason : support.reasons) {
      problem_text(reason);
    }
    if (support.ok) muted_text(std::string(exporter.summary));
  }
  const interchange::Exporter* exporter = interchange::find_exporter(state.export_target);
  if (exporter == nullptr || !exporter->supports(source.model).ok) return;
  const interchange::ExportBundle bundle = exporter->write(source.model, source.provenance);
  if (ImGui::Button("Write into a folder...")) {
    state.question = FileQuestion{.title = "Write the trainer's files into",
                                  .button = "Write here",
                                  .folder = true,
                                  .save = true,
                                  .answer = [&state, bundle](const auto& folder) { write(state, bundle, folder); }};
  }
  if (ImGui::BeginTabBar("files")) {
    for (const interchange::File& file : bundle.files) {
      if (!ImGui::BeginTabItem(file.name.c_str())) continue;
      if (ImGui::SmallButton("Copy")) {
        ImGui::SetClipboardText(file.content.c_str());
        state.say("copied " + file.name);
      }
      if (ImGui::BeginChild("preview", {0, 0}, ImGuiChildFlags_Borders, ImGuiWindowFlags_HorizontalScrollbar)) {
        ImGui::TextUnformatted(file.content.c_str());
      }
      ImGui::EndChild();
      ImGui::EndTabItem();
    }
    ImGui::EndTabBar();
  }
}

}  // namespace plait::gui
