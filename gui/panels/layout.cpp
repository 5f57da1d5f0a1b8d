#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <cmath>

#include "gui/panels/panels.h"
#include "gui/theme.h"
#include "gui/widgets/widgets.h"
#include "src/spec/model_graph.h"

namespace plait::gui {
namespace {

/// Symbols to choose from: the study's candidates, then everything else its palette knows.
std::vector<std::string> symbols(const app::StudySpec& study) {
  std::vector<std::string> out;
  for (const search::Candidate& candidate : study.space.candidates) out.push_back(candidate.symbol);
  for (const auto& [symbol, mixer] : study.palette.mixers) {
    if (std::ranges::find(out, symbol) == out.end()) out.push_back(symbol);
  }
  return out;
}

void draw_header(State& state, const app::WhatIf::Answer& answer) {
  const bool edited = !(state.document.layout == state.document.reference);
  ImGui::PushFont(bold_font(), 0);
  ImGui::TextUnformatted(state.document.origin.empty() ? "Layout" : state.document.origin.c_str());
  ImGui::PopFont();
  if (edited) {
    ImGui::SameLine();
    muted_text("edited");
  }
  const float buttons =
      ImGui::CalcTextSize("PinUndoRedo").x + 6 * ImGui::GetStyle().FramePadding.x + 2 * ImGui::GetStyle().ItemSpacing.x;
  ImGui::SameLine();
  ImGui::SetCursorPosX(ImGui::GetCursorPosX() + std::max(0.0F, ImGui::GetContentRegionAvail().x - buttons));
  if (ImGui::SmallButton("Pin")) state.pin();
  hint("Set this layout aside for Compare and Context sweep (P)");
  ImGui::SameLine();
  ImGui::BeginDisabled(!state.can_undo());
  if (ImGui::SmallButton("Undo")) state.undo();
  ImGui::EndDisabled();
  hint("Ctrl+Z");
  ImGui::SameLine();
  ImGui::BeginDisabled(!state.can_redo());
  if (ImGui::SmallButton("Redo")) state.redo();
  ImGui::EndDisabled();
  hint("Ctrl+Shift+Z");
  for (const std::string& problem : answer.problems) {
    problem_text(problem);
  }
}

/// Links between layers as arcs above the strip, from ModelGraph.
void draw_links(const spec::Layout& layout, const StripPlaces& places) {
  const spec::ModelGraph model(layout);
  ImDrawList* draw = ImGui::GetWindowDrawList();
  for (const auto edge : boost::make_iterator_range(boost::edges(model.graph))) {
    const spec::ModelGraph::EdgeKind kind = model.graph[edge].kind;
    if (kind != spec::ModelGraph::EdgeKind::kv_sharing && kind != spec::ModelGraph::EdgeKind::weight_sharing) continue;
    const std::size_t from = model.graph[boost::source(edge, model.graph)].layer;
    const std::size_t to = model.graph[boost::target(edge, model.graph)].layer;
    const ImVec2 a = places.cell(from) + ImVec2(places.cell_width / 2, 0),
                 b = places.cell(to) + ImVec2(places.cell_width / 2, 0);
    const float lift = px(kind == spec::ModelGraph::EdgeKind::kv_sharing ? 14 : 9);
    draw->AddBezierCubic(a, a - ImVec2(0, lift), b - ImVec2(0, lift), b,
                         kind == spec::ModelGraph::EdgeKind::kv_sharing ? colours().front : colours().baseline,
                         px(1.5F));
    draw->AddTriangleFilled(b, b + ImVec2(-px(3), -px(5)), b + ImVec2(px(3), -px(5)),
                            kind == spec::ModelGraph::EdgeKind::kv_sharing ? colours().front : colours().baseline);
  }
}

bool has_links(const spec::Layout& layout) {
  return std::ranges::any_of(layout.layers, [](const auto& layer) { return layer.kv_from || layer.weights_from; });
}

/// The strip with a button per cell: click selects, drag moves, the keyboard works on the selected one.
void draw_editable_strip(State& state) {
  const std::string letters = spec::letters(state.document.layout);
  if (has_links(state.document.layout)) ImGui::Dummy({1, px(10)});
  StripOptions options{.height = px(34), .selected = state.layer, .numbers = true};
  const std::vector<bool> changed = differences(state.document.layout, state.document.reference);
  const ImVec2 corner = ImGui::GetCursorScreenPos();
  const StripPlaces places = strip_places(corner, letters.size(), options);
  draw_strip(letters, options);
  const ImVec2 after = ImGui::GetCursorScreenPos();
  ImDrawList* draw = ImGui::GetWindowDrawList();
  if (has_links(state.document.layout)) draw_links(state.document.layout, places);
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const ImVec2 low = places.cell(i);
    if (i < changed.size() && changed[i]) {
      draw->AddCircleFilled(low + ImVec2(places.cell_width - px(5), px(5)), px(3), colours().ink);
    }
    ImGui::PushID(static_cast<int>(i));
    ImGui::SetCursorScreenPos(low);
    if (ImGui::InvisibleButton(fmt::format("layer {}", i).c_str(), {places.cell_width, places.cell_height}))
      state.layer = i;
    if (ImGui::IsItemActive() && ImGui::IsMouseClicked(ImGuiMouseButton_Left)) state.layer = i;
    if (ImGui::BeginDragDropSource(ImGuiDragDropFlags_None)) {
      ImGui::SetDragDropPayload("layer", &i, sizeof i);
      ImGui::Text("layer %d: %s", static_cast<int>(i), mixer_letter_name(letters[i]).c_str());
      ImGui::EndDragDropSource();
    }
    if (ImGui::BeginDragDropTarget()) {
      if (const ImGuiPayload* payload = ImGui::AcceptDragDropPayload("layer")) {
        const std::size_t from = *static_cast<const std::size_t*>(payload->Data);
        state.edit([&](Document& next) { next.layout = move_layer(next.layout, from, i); });
        state.layer = i;
      }
      ImGui::EndDragDropTarget();
    }
    if (ImGui::BeginItemTooltip()) {
      ImGui::Text("layer %d: %s", static_cast<int>(i), mixer_letter_name(letters[i]).c_str());
      muted_text("click to choose, drag to move, right-click for more");
      ImGui::EndTooltip();
    }
    if (ImGui::BeginPopupContextItem("of layer")) {
      state.layer = i;
      if (ImGui::MenuItem("Duplicate layer")) {
        state.edit([&](Document& next) { next.layout = duplicate_layer(next.layout, i); });
      }
      if (ImGui::MenuItem("Remove layer")) {
        state.edit([&](Document& next) { next.layout = remove_layer(next.layout, i); });
      }
      ImGui::EndPopup();
    }
    ImGui::PopID();
  }
  ImGui::SetCursorScreenPos(after);
  ImGui::Dummy({0, 0});
}

void draw_mixer_buttons(State& state, const std::vector<std::string>& all) {
  const app::StudySpec& study = state.what_if->study();
  const std::size_t candidates = study.space.candidates.size();
  ImGui::AlignTextToFramePadding();
  muted_text(fmt::format("layer {} becomes", state.layer));
  const float right = ImGui::GetCursorScreenPos().x + ImGui::GetContentRegionAvail().x;
  for (std::size_t k = 0; k < all.size(); ++k) {
    const spec::Mixer& mixer = study.palette.mixers.at(all[k]);
    const report::Colour fill = report::mixer_colour(mixer.index());
    const float width = ImGui::CalcTextSize(all[k].c_str()).x + 2 * ImGui::GetStyle().FramePadding.x;
    const bool first_other = k == candidates;
    ImGui::SameLine(0, first_other ? px(14) : px(3));
    if (ImGui::GetCursorScreenPos().x + width > right) ImGui::NewLine();
    const double strength = k < candidates ? 1 : 0.35;
    ImGui::PushStyleColor(ImGuiCol_Button, colour(fill, strength));
    ImGui::PushStyleColor(ImGuiCol_ButtonHovered, colour(fill, 0.8));
    ImGui::PushStyleColor(ImGuiCol_ButtonActive, colour(fill, 0.6));
    ImGui::PushStyleColor(ImGuiCol_Text, strength < 1 ? colours().ink : colour(report::text_on(fill)));
    if (ImGui::Button(fmt::format("{}##mixer", all[k]).c_str())) state.set_mixer(all[k]);
    ImGui::PopStyleColor(4);
    hint(fmt::format("{}{}", spec::mixer_info(mixer).label, k < candidates ? "" : " (no candidate of this study)")
             .c_str());
  }
}

/// The dimensions of the selected layer's mixer, each with its range.
void draw_dimensions(State& state) {
  const spec::LayerSpec& layer = state.document.layout.layers[state.layer];
  if (!ImGui::TreeNode(
          fmt::format("Dimensions of layer {}: {}###dimensions", state.layer, spec::mixer_info(layer.mixer).label)
              .c_str()))
    return;
  spec::LayerSpec changed = layer;
  std::visit(
      [](auto& mixer) {
        using Mixer = std::remove_cvref_t<decltype(mixer)>;
        if constexpr (std::is_same_v<Mixer, spec::ParallelMixer>) {
          for (const spec::SingleMixer& branch : mixer.branches) {
            ImGui::BulletText("branch: %s", std::string(spec::mixer_info(branch).label).c_str());
          }
        } else {
          spec::for_each_field<Mixer>([&](const auto& field) {
            auto& member = mixer.*field.member;
            using T = std::remove_cvref_t<decltype(member)>;
            const std::string label(field.key);
            ImGui::SetNextItemWidth(px(130));
            if constexpr (std::is_same_v<T, bool>) {
              ImGui::Checkbox(label.c_str(), &member);
            } else if constexpr (std::is_enum_v<T>) {
              if (ImGui::BeginCombo(label.c_str(), std::string(search::name_of(member)).c_str())) {
                for (const auto& [value, name] : enum_names(T{})) {
                  if (ImGui::Selectable(std::string(name).c_str(), value == member)) member = value;
                }
                ImGui::EndCombo();
              }
            } else {
              T value = member;
              constexpr ImGuiDataType kType = std::is_same_v<T, double> ? ImGuiDataType_Double : ImGuiDataType_S64;
              if (ImGui::InputScalar(label.c_str(), kType, &value)) member = std::clamp(value, field.low, field.high);
            }
            hint(std::string(field.help).c_str());
          });
        }
      },
      changed.mixer);
  if (!(changed == layer)) {
    state.edit([&](Document& next) { next.layout.layers[state.layer] = changed; },
               fmt::format("dimensions {}", state.layer));
  }
  ImGui::TreePop();
}

void draw_notation(State& state, const app::WhatIf::Answer& answer) {
  std::string& text = state.notation_text;
  if (!state.notation_active) text = answer.notation;
  ImGui::SetNextItemWidth(-px(70));
  const bool entered = ImGui::InputTextWithHint("Notation", "(GGG*)x6", &text, ImGuiInputTextFlags_EnterReturnsTrue);
  const bool active = ImGui::IsItemActive();
  hint("Layout notation; Enter takes it. Ctrl+V pastes one from anywhere");
  if (entered || (state.notation_active && !active && text != answer.notation && ImGui::IsItemDeactivatedAfterEdit())) {
    if (!state.paste_notation(text, state.notation_problem)) state.complain(state.notation_problem);
  }
  state.notation_active = active;
}

void draw_fill(State& state, const std::vector<std::string>& all) {
  const app::StudySpec& study = state.what_if->study();
  const auto combo = [&](const char* label, std::string& chosen) {
    ImGui::SetNextItemWidth(px(54));
    if (ImGui::BeginCombo(label, chosen.c_str(), ImGuiComboFlags_NoArrowButton)) {
      for (const std::string& symbol : all) {
        const std::string text = fmt::format("{}  {}", symbol, spec::mixer_info(study.palette.mixers.at(symbol)).label);
        if (ImGui::Selectable(text.c_str(), symbol == chosen)) chosen = symbol;
      }
      ImGui::EndCombo();
    }
  };
  if (!study.palette.mixers.contains(state.fill_usual)) state.fill_usual = all.front();
  if (!study.palette.mixers.contains(state.fill_special)) state.fill_special = all.back();
  ImGui::AlignTextToFramePadding();
  muted_text("one");
  ImGui::SameLine(0, px(4));
  combo("##special", state.fill_special);
  ImGui::SameLine(0, px(4));
  muted_text("in every");
  ImGui::SameLine(0, px(4));
  ImGui::SetNextItemWidth(px(84));
  ImGui::InputInt("##period", &state.fill_period);
  state.fill_period = std::clamp(state.fill_period, 2, 64);
  ImGui::SameLine(0, px(4));
  muted_text("rest");
  ImGui::SameLine(0, px(4));
  combo("##usual", state.fill_usual);
  ImGui::SameLine(0, px(6));
  if (ImGui::Button("Fill")) {
    const auto layer = [&](const std::string& symbol) {
      spec::LayerSpec made = state.document.layout.layers.front();
      made.mixer = study.palette.mixers.at(symbol);
      made.kv_from.reset();
      made.weights_from.reset();
      return made;
    };
    state.edit([&](Document& next) {
      next.layout = fill_periodically(next.layout, static_cast<std::size_t>(state.fill_period), layer(state.fill_usual),
                                      layer(state.fill_special));
    });
  }
}

struct Change {
  std::string text;
  ImU32 ink;
};

Change change_of(const search::Value& now, const search::Value& before, search::Direction direction,
                 const std::string& unit) {
  const double difference = now.value - before.value;
  if (difference == 0) return {"", colours().muted};
  const bool better = (difference < 0) == (direction == search::Direction::minimize);
  const std::string text = before.value != 0 && unit != "1" && unit != "layers"
                               ? percent_text(difference / std::abs(before.value))
                               : fmt::format("{}{}", difference > 0 ? "+" : "", report::format_value(difference, unit));
  // The words say it too: colour is never alone.
  return {text + (better ? "  better" : "  worse"), better ? colours().better : colours().worse};
}

search::Direction direction_of(const app::StudySpec& study, const search::Metric& metric) {
  const auto objective = std::ranges::find(study.objectives, metric.name, &search::Objective::metric);
  return objective == study.objectives.end() ? metric.direction : objective->direction;
}

void draw_values(State& state, const app::WhatIf::Answer& answer) {
  const app::WhatIf::Answer* before = state.reference_answer();
  const app::StudySpec& study = state.what_if->study();
  const bool edited = !(state.document.layout == state.document.reference);
  if (!ImGui::BeginTable("values", edited ? 3 : 2, ImGuiTableFlags_RowBg | ImGuiTableFlags_SizingStretchProp)) return;
  ImGui::TableSetupColumn("metric", ImGuiTableColumnFlags_WidthStretch, 1.3F);
  ImGui::TableSetupColumn("value", ImGuiTableColumnFlags_WidthStretch, 1);
  if (edited)
    ImGui::TableSetupColumn(("against " + state.document.origin).c_str(), ImGuiTableColumnFlags_WidthStretch, 1.1F);
  std::size_t shown = 0;
  for (const search::Metric& metric : state.what_if->metrics()) {
    const auto value = answer.scores.find(metric.name);
    if (value == answer.scores.end()) continue;
    const bool objective = shown < study.objectives.size();
    ++shown;
    ImGui::TableNextRow();
    ImGui::TableNextColumn();
    if (objective) ImGui::PushFont(bold_font(), 0);
    ImGui::TextUnformatted(metric_title(metric).c_str());
    if (objective) ImGui::PopFont();
    hint(fmt::format("{}: {} ({})", metric.name, metric.help, search::name_of(value->second.source)).c_str());
    ImGui::TableNextColumn();
    ImGui::TextUnformatted(value_text(answer.scores, metric).c_str());
    if (!edited) continue;
    ImGui::TableNextColumn();
    if (before == nullptr) continue;
    const auto old = before->scores.find(metric.name);
    if (old == before->scores.end()) continue;
    const Change change = change_of(value->second, old->second, direction_of(study, metric), metric.unit);
    ImGui::PushStyleColor(ImGuiCol_Text, change.ink);
    ImGui::TextUnformatted(change.text.c_str());
    ImGui::PopStyleColor();
  }
  ImGui::EndTable();
}

/// "Improve" and "Best", with how far each other objective may go.
void draw_budgets(State& state, const app::WhatIf::Answer& answer) {
  const app::StudySpec& study = state.what_if->study();
  ImGui::AlignTextToFramePadding();
  muted_text("best");
  ImGui::SameLine(0, px(4));
  std::vector<search::Metric> goals;
  for (const search::Metric& metric : state.what_if->metrics()) {
    if (std::ranges::find(study.objectives, metric.name, &search::Objective::metric) != study.objectives.end()) {
      goals.push_back(metric);
    }
  }
  metric_combo("##goal", state.goal, goals, px(130));
  ImGui::SameLine();
  if (ImGui::Button("Improve")) state.improve();
  hint(
      "The best change of one layer, or exchange of two, that makes no other objective worse (or keeps inside its "
      "budget) (I)");
  ImGui::SameLine();
  if (ImGui::Button("Best of all")) state.best_within();
  hint("The best of all legal layouts inside the budgets, exactly, by dynamic programming (B)");
  for (const search::Metric& metric : goals) {
    if (metric.name == state.goal) continue;
    const bool least = direction_of(study, metric) == search::Direction::maximize;
    const app::TrialTable::Column* column = state.has_rows() ? state.table()->find(metric.name) : nullptr;
    const auto budget = std::ranges::find(state.budgets, metric.name, &search::Constraint::metric);
    bool bounded = budget != state.budgets.end();
    ImGui::PushID(metric.name.c_str());
    if (ImGui::Checkbox(fmt::format("{} at {}", metric_title(metric), least ? "least" : "most").c_str(), &bounded)) {
      const auto own = answer.scores.find(metric.name);
      if (bounded && own != answer.scores.end()) {
        search::Constraint& fresh = state.budgets.emplace_back(search::Constraint{metric.name, {}, {}});
        (least ? fresh.low : fresh.high) = own->second.value;
      } else {
        std::erase_if(state.budgets, [&](const search::Constraint& c) { return c.metric == metric.name; });
      }
    } else if (bounded && column != nullptr) {
      const auto [low, high] =
          state.views().summary->ranges[static_cast<std::size_t>(column - state.table()->columns.data())];
      std::optional<double>& bound = least ? budget->low : budget->high;
      double value = bound.value_or(least ? low : high);
      ImGui::SameLine();
      ImGui::SetNextItemWidth(-1);
      const bool logarithmic = low > 0 && high / low > 20;
      const std::string text = report::format_value(value, metric.unit);
      std::string escaped;
      for (const char c : text) escaped += c == '%' ? std::string("%%") : std::string(1, c);
      if (ImGui::SliderScalar("##budget", ImGuiDataType_Double, &value, &low, &high, escaped.c_str(),
                              ImGuiSliderFlags_AlwaysClamp | (logarithmic ? ImGuiSliderFlags_Logarithmic : 0))) {
        bound = value;
      }
      if (ImGui::IsItemDeactivatedAfterEdit()) state.best_within();
    }
    ImGui::PopID();
  }
}

}  // namespace

void draw_layout(State& state) {
  if (!state.what_if) {
    centred_hint("A layout needs the model, hardware and context of a study. Open or start one.");
    return;
  }
  if (state.document.layout.layers.empty()) {
    centred_hint("Click a point of the frontier, or paste a notation with Ctrl+V.");
    return;
  }
  // As it is now: edits further down are answered in the next frame, what is drawn here is of one layout.
  const app::WhatIf::Answer answer = *state.answer();
  const std::vector<std::string> all = symbols(state.what_if->study());
  draw_header(state, answer);
  draw_editable_strip(state);
  if (state.view.graph) draw_model_graph(state.document.layout, state.layer);
  draw_mixer_buttons(state, all);
  draw_notation(state, answer);
  for (const std::string& reason : answer.outside) {
    problem_text("The study would not propose it: " + reason);
  }
  draw_budgets(state, answer);
  draw_values(state, answer);
  ImGui::Separator();
  draw_fill(state, all);
  draw_dimensions(state);
}

}  // namespace plait::gui
