#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "gui/panels/panels.h"
#include "gui/study_form.h"
#include "gui/theme.h"
#include "gui/widgets/widgets.h"
#include "src/app/output.h"
#include "src/report/number_format.h"
#include "src/spec/grouped.h"

namespace plait::gui {
namespace {

std::string duration(double seconds) {
  if (seconds < 1) return "under a second";
  if (seconds < 100) return fmt::format("{:.0f} s", seconds);
  if (seconds < 6000) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

const char* phase_text(app::Phase phase) {
  switch (phase) {
    case app::Phase::empty: return "no study";
    case app::Phase::loading: return "reading the journal";
    case app::Phase::following: return "open; what its search appends is shown";
    case app::Phase::running: return "at work";
    case app::Phase::paused: return "paused";
    case app::Phase::finished: return "finished";
    case app::Phase::stopped: return "stopped";
    case app::Phase::failed: return "failed";
  }
  return "";
}

void draw_training(const evaluate::ProxyProgress& at) {
  const proxy::TrainingProgress& now = at.now;
  const float share = now.steps == 0 ? 0 : static_cast<float>(now.step) / static_cast<float>(now.steps);
  ImGui::ProgressBar(share, {-1, 0}, fmt::format("step {} of {}", now.step, now.steps).c_str());
  muted_text(fmt::format("training {} of {}: {}, {} models side by side, {} still learning", at.training, at.trainings,
                         at.task, at.members, now.training));
  muted_text(fmt::format("best accuracy {:.3f}{}", now.best_accuracy,
                         now.eta_s > 0 ? ", " + duration(now.eta_s) + " to go" : ""));
  if (now.peak_memory_bytes > 0) {
    muted_text(fmt::format("device memory: at most {} {}",
                           report::format_value(static_cast<double>(now.peak_memory_bytes), "bytes"),
                           at.device == "cpu" ? "so far, of the whole program" : "so far, of tensors on the GPU"));
  }
}

void draw_status(State& state) {
  const app::Snapshot& now = state.snapshot;
  ImGui::PushFont(bold_font(), 0);
  ImGui::TextUnformatted(state.results() ? state.results()->spec.name.c_str() : "No study");
  ImGui::PopFont();
  ImGui::SameLine();
  muted_text(phase_text(now.phase));
  if (state.results()) muted_text(app::setting(state.results()->spec));
  muted_text(now.folder.empty() ? (now.phase == app::Phase::empty ? "" : "stored nowhere") : now.folder.string());
  if (!now.message.empty()) problem_text(now.message);
  const bool searches = now.phase == app::Phase::running || now.phase == app::Phase::paused;
  if (searches) {
    const search::Progress& p = now.progress;
    const float share = p.total == 0 ? 0 : static_cast<float>(p.done) / static_cast<float>(p.total);
    const double rate = p.elapsed_s > 0 ? static_cast<double>(p.done) / p.elapsed_s : 0;
    if (!now.training.empty()) {
      draw_training(now.training.back());
    } else if (now.will_train && p.total > 0 && p.done == p.total) {
      muted_text("the search has ended; proxies train, their first reading takes a moment");
    } else {
      ImGui::ProgressBar(share, {-1, 0},
                         fmt::format("{} of {}", spec::grouped(p.done), spec::grouped(p.total)).c_str());
      muted_text(fmt::format("{} on the front, {} layouts a second{}", p.front,
                             spec::grouped(static_cast<std::size_t>(std::lround(rate))),
                             p.eta_s > 0 ? ", " + duration(p.eta_s) + " to go" : ""));
    }
    if (ImGui::Button(now.phase == app::Phase::paused ? "Resume" : "Pause")) {
      now.phase == app::Phase::paused ? state.session.resume() : state.session.pause();
    }
    ImGui::SameLine();
    if (ImGui::Button("Stop")) state.session.stop();
    hint("What is finished stays in the journal; Continue goes on from there, a training from its last reading");
  } else if (state.results()) {
    const app::StudyResults& results = *state.results();
    muted_text(fmt::format("{} of {} layouts evaluated, {} on the front", spec::grouped(results.trials.size()),
                           spec::grouped(results.layouts), results.front.size()));
    if (now.phase == app::Phase::stopped && !now.folder.empty()) {
      if (ImGui::Button("Continue")) state.start(results.spec, now.folder, true);
      ImGui::SameLine();
    }
    if (ImGui::Button("Train as proxies")) state.train();
    hint(
        "Trains the most different layouts of the front, and the pure baselines, as small models on recall tasks, at "
        "the size chosen below (tiny when none is); what was measured joins their trials");
    if (!results.measurements.empty()) muted_text(fmt::format("{} layouts measured", results.measurements.size()));
  }
  if (state.has_rows()) {
    const TableSummary& summary = *state.views().summary;
    for (const auto& [kind, count] : summary.failed) {
      muted_text(fmt::format("{} failed: {}", count, search::name_of(kind)));
    }
    if (summary.outside > 0) muted_text(fmt::format("{} outside the constraints", summary.outside));
  }
}

/// What is wrong with the fields whose place in a study file starts with one of `paths`, but for those at `except`.
void draw_problems(const spec::Problems& problems, std::initializer_list<std::string_view> paths,
                   std::string_view except = {}) {
  for (const spec::Problem& problem : problems.list()) {
    if (!except.empty() && problem.path.starts_with(except)) continue;
    if (std::ranges::none_of(paths, [&](std::string_view path) { return problem.path.starts_with(path); })) continue;
    problem_text(problem.message);
  }
}

template <class Names>
void name_combo(const char* label, std::string& chosen, const Names& names) {
  if (!ImGui::BeginCombo(label, chosen.c_str())) return;
  for (const std::string& name : names) {
    if (ImGui::Selectable(name.c_str(), name == chosen)) chosen = name;
  }
  ImGui::EndCombo();
}

/// Checkboxes in as many columns as fit.
void check_list(std::vector<std::pair<std::string, bool>>& entries,
                const std::function<std::string(const std::string&)>& text) {
  float width = 0;
  for (const auto& [name, taken] : entries) width = std::max(width, ImGui::CalcTextSize(text(name).c_str()).x);
  width += ImGui::GetFrameHeight() + ImGui::GetStyle().ItemInnerSpacing.x + 2 * ImGui::GetStyle().CellPadding.x;
  const int columns = std::max(1, static_cast<int>(ImGui::GetContentRegionAvail().x / width));
  if (!ImGui::BeginTable("list", columns)) return;
  for (auto& [name, taken] : entries) {
    ImGui::TableNextColumn();
    ImGui::Checkbox(text(name).c_str(), &taken);
  }
  ImGui::EndTable();
}

/// Above the fields: a long form need not be scrolled through to be started, nor to see that nothing would be stored.
void draw_start(State& state, const std::optional<app::StudySpec>& study, std::size_t problems) {
  StudyForm& form = *state.form;
  ImGui::BeginDisabled(!study);
  ImGui::PushStyleColor(ImGuiCol_Button, colours().front);
  ImGui::PushStyleColor(ImGuiCol_Text, ImGui::GetColorU32(ImGuiCol_WindowBg));
  if (ImGui::Button("Start", {px(120), 0})) state.start(*study, form.folder, false, form.proxies());
  ImGui::PopStyleColor(2);
  ImGui::EndDisabled();
  hint("Ctrl+Enter");
  ImGui::SameLine();
  if (ImGui::Button("Save as file...")) {
    state.question = FileQuestion{.title = "Save the study",
                                  .button = "Save",
                                  .save = true,
                                  .extension = ".json",
                                  .name = form.name + ".json",
                                  .answer = [&state](const auto& path) {
                                    state.attempt([&] {
                                      app::write_file(path, state.form->to_json().dump(2) + "\n");
                                      state.say("saved " + path.string());
                                    });
                                  }};
  }
  if (!study) {
    ImGui::SameLine();
    problem_text(fmt::format("{} to put right", problems));
  }
  ImGui::SetNextItemWidth(std::max(px(120), ImGui::GetContentRegionAvail().x - px(150)));
  ImGui::InputTextWithHint("##Folder", "folder for the journal; empty: nothing is stored", &form.folder);
  ImGui::SameLine();
  if (ImGui::Button("Choose...")) {
    state.question = FileQuestion{.title = "Where to store the search",
                                  .button = "Store here",
                                  .folder = true,
                                  .save = true,
                                  .answer = [&state](const auto& path) { state.form->folder = path.string(); }};
  }
}

void draw_form(State& state) {
  StudyForm& form = *state.form;
  spec::Problems problems;
  std::optional<app::StudySpec> study;
  try {
    study = form.study(problems);
  } catch (const std::exception& error) {
    problems.add("", error.what());
  }
  draw_start(state, study, problems.size());
  ImGui::PushItemWidth(px(200));
  ImGui::InputText("Name", &form.name);
  name_combo("Hardware", form.hardware, costmodel::hardware_names());
  draw_problems(problems, {"hardware"});
  ImGui::InputText("Context", &form.context);
  hint("Tokens: 4096, 32k, 1M");
  draw_problems(problems, {"workload.context"});
  ImGui::InputInt("Batch", &form.batch);
  draw_problems(problems, {"workload"}, "workload.context");
  ImGui::InputInt("d_model", &form.d_model, 128, 1024);
  draw_problems(problems, {"model"});
  if (form.keep_space) {
    muted_text("The space is taken from the file as it is.");
  } else {
    ImGui::InputInt("Layers", &form.slots);
    ImGui::SeparatorText("Candidates");
    ImGui::PushID("candidates");
    check_list(form.candidates, [](const std::string& symbol) {
      return fmt::format("{}  {}", symbol, symbol.size() == 1 ? mixer_letter_name(symbol[0]) : "");
    });
    ImGui::PopID();
    ImGui::InputInt("Kinds of linear mixer at most", &form.most_kinds);
    hint("In one layout; 0 is any number. Most trainers take one");
    ImGui::InputInt("Full layers at most", &form.most_full);
    hint("0 is any number");
    ImGui::Checkbox("No full layer first", &form.full_not_first);
    form.most_kinds = std::max(0, form.most_kinds);
    form.most_full = std::max(0, form.most_full);
  }
  draw_problems(problems, {"space"});
  ImGui::SeparatorText("Objectives");
  ImGui::PushID("objectives");
  check_list(form.objectives, [](const std::string& name) { return name; });
  ImGui::PopID();
  draw_problems(problems, {"objectives", "constraints"});
  ImGui::SeparatorText("Search");
  std::vector<std::string> strategies;
  for (const search::StrategyInfo& info : search::strategy_table()) strategies.emplace_back(info.name);
  name_combo("Strategy", form.strategy, strategies);
  if (const search::StrategyInfo* info = search::find_strategy(form.strategy)) hint(std::string(info->summary).c_str());
  ImGui::InputInt("Trials at most", &form.budget, 100, 1000);
  ImGui::InputInt("Seed", &form.seed);
  draw_problems(problems, {"strategy", "budget", "seed", "batch", "baselines", "name", "format"});
  ImGui::SeparatorText("Proxy trainings afterwards");
  name_combo("Size", form.tier, std::array<std::string, 4>{"none", "tiny", "small", "full"});
  hint(
      "Small models of the most different layouts of the front: tiny takes minutes on two cores and tells no "
      "attention, "
      "attention first and attention further up apart; small and full want a GPU");
  ImGui::BeginDisabled(form.tier == "none");
  name_combo("Device", form.device, std::array<std::string, 2>{"cpu", "cuda"});
  ImGui::EndDisabled();
  ImGui::PopItemWidth();
  for (const spec::Problem& problem : problems.list()) {
    if (problem.path.empty()) draw_problems(problems, {""});
  }
}

}  // namespace

void draw_run(State& state) {
  draw_status(state);
  ImGui::SeparatorText("New study");
  draw_form(state);
}

}  // namespace plait::gui
