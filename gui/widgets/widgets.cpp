#include "gui/widgets/widgets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gui/theme.h"
#include "src/report/result_table.h"

namespace plait::gui {

std::string metric_title(const search::Metric& metric) {
  const std::size_t at = metric.name.find('@');
  std::string title = report::metric_label(metric);
  // Where a column of its own would show the unit, the name has to tell apart what is counted.
  if (metric.unit.starts_with("flops")) title += " FLOPs";
  if (metric.unit == "parameters" && title != "Parameters") title += " parameters";
  return title + (at == std::string::npos ? "" : " at " + metric.name.substr(at + 1));
}

std::string value_text(const app::TrialTable::Column& column, std::size_t row) {
  if (!std::isfinite(column.value[row])) return "-";
  const std::optional<double> deviation =
      column.deviation[row] > 0 ? std::optional(column.deviation[row]) : std::nullopt;
  return report::format_value(column.value[row], deviation, column.metric.unit);
}

std::string value_text(const search::Scores& scores, const search::Metric& metric) {
  const auto at = scores.find(metric.name);
  return at == scores.end() ? "-" : report::format_value(at->second.value, at->second.deviation, metric.unit);
}

std::string percent_text(double share) {
  return std::abs(share) < 0.0005 ? fmt::format("{:+.1g} %", 100 * share) : fmt::format("{:+.1f} %", 100 * share);
}

void plot_line(const std::vector<double>& xs, const std::vector<double>& ys, ImU32 ink, float width, bool points) {
  ImDrawList* draw = ImPlot::GetPlotDrawList();
  std::vector<ImVec2> path;
  for (std::size_t i = 0; i < xs.size(); ++i) path.push_back(ImPlot::PlotToPixels(xs[i], ys[i]));
  ImPlot::PushPlotClipRect();
  draw->AddPolyline(path.data(), static_cast<int>(path.size()), ink, width);
  for (std::size_t i = 0; points && i < path.size(); ++i) draw->AddCircleFilled(path[i], px(2.5F), ink);
  ImPlot::PopPlotClipRect();
}

void line_names(const std::vector<std::pair<std::string, ImU32>>& names, bool lower_right) {
  ImDrawList* draw = ImPlot::GetPlotDrawList();
  const float line = ImGui::GetTextLineHeight();
  ImVec2 at = ImPlot::GetPlotPos() + ImVec2(px(8), px(6));
  if (lower_right) {
    float width = 0;
    for (const auto& [name, ink] : names) width = std::max(width, ImGui::CalcTextSize(name.c_str()).x + px(22));
    const ImVec2 size(width, static_cast<float>(names.size()) * (line + px(1)));
    at = ImPlot::GetPlotPos() + ImPlot::GetPlotSize() - size - ImVec2(px(8), px(6));
  }
  ImPlot::PushPlotClipRect();
  for (const auto& [name, ink] : names) {
    draw->AddLine(at + ImVec2(0, line / 2), at + ImVec2(px(16), line / 2), ink, px(2.5F));
    draw->AddText(at + ImVec2(px(22), 0), colours().ink, name.c_str());
    at.y += line + px(1);
  }
  ImPlot::PopPlotClipRect();
}

void muted_text(const std::string& text) {
  ImGui::PushStyleColor(ImGuiCol_Text, colours().muted);
  ImGui::TextUnformatted(text.c_str());
  ImGui::PopStyleColor();
}

void problem_text(const std::string& text) {
  ImGui::PushStyleColor(ImGuiCol_Text, colours().worse);
  ImGui::TextWrapped("%s", text.c_str());
  ImGui::PopStyleColor();
}

void centred_hint(const std::string& text) {
  const ImVec2 room = ImGui::GetContentRegionAvail();
  const float width = std::min(room.x, px(460));
  const ImVec2 size = ImGui::CalcTextSize(text.c_str(), nullptr, false, width);
  ImGui::SetCursorPos(ImGui::GetCursorPos() +
                      ImVec2(std::max(0.0F, (room.x - size.x) / 2), std::max(0.0F, (room.y - size.y) / 2.5F)));
  ImGui::PushStyleColor(ImGuiCol_Text, colours().muted);
  ImGui::PushTextWrapPos(ImGui::GetCursorPosX() + width);
  ImGui::TextUnformatted(text.c_str());
  ImGui::PopTextWrapPos();
  ImGui::PopStyleColor();
}

void hint(const char* text) {
  if (!ImGui::IsItemHovered(ImGuiHoveredFlags_ForTooltip | ImGuiHoveredFlags_AllowWhenDisabled)) return;
  ImGui::BeginTooltip();
  ImGui::PushTextWrapPos(px(420));
  ImGui::TextUnformatted(text);
  ImGui::PopTextWrapPos();
  ImGui::EndTooltip();
}

bool metric_combo(const char* label, std::string& chosen, const std::vector<search::Metric>& metrics, float width) {
  bool changed = false;
  const auto now = std::ranges::find(metrics, chosen, &search::Metric::name);
  ImGui::SetNextItemWidth(width);
  if (ImGui::BeginCombo(label, now == metrics.end() ? "-" : metric_title(*now).c_str(), ImGuiComboFlags_HeightLarge)) {
    for (const search::Metric& metric : metrics) {
      if (ImGui::Selectable(metric_title(metric).c_str(), metric.name == chosen) && metric.name != chosen) {
        chosen = metric.name;
        changed = true;
      }
      hint(fmt::format("{}: {}", metric.name, metric.help).c_str());
    }
    ImGui::EndCombo();
  }
  return changed;
}

void row_tooltip(State& state, std::size_t row) {
  if (!state.has_rows() || row >= state.table()->size()) return;
  const app::StudyResults& results = *state.results();
  const search::Trial& trial = app::trial_at(results, row);
  ImGui::BeginTooltip();
  ImGui::PushFont(bold_font(), 0);
  ImGui::TextUnformatted(state.row_name(row).c_str());
  ImGui::PopFont();
  ImGui::SameLine();
  muted_text(state.table()->is_baseline(row) ? "baseline"
             : !trial.feasible               ? "outside the constraints"
             : state.table()->on_front[row]  ? "on the front of all objectives"
                                             : "dominated");
  ImGui::TextUnformatted(trial.layout.c_str());
  try {
    draw_strip(spec::letters(app::model_of(results, trial).layout), {.width = px(420)});
  } catch (const std::exception& error) {
    muted_text(error.what());
  }
  if (const auto* failure = std::get_if<search::Failure>(&trial.outcome)) {
    muted_text(fmt::format("{}: {}", search::name_of(failure->kind), failure->reason));
  }
  if (ImGui::BeginTable("values", 3, ImGuiTableFlags_SizingFixedFit)) {
    for (const app::TrialTable::Column& column : state.table()->columns) {
      if (!std::isfinite(column.value[row])) continue;
      ImGui::TableNextRow();
      ImGui::TableNextColumn();
      muted_text(metric_title(column.metric));
      ImGui::TableNextColumn();
      ImGui::TextUnformatted(value_text(column, row).c_str());
      ImGui::TableNextColumn();
      muted_text(std::string(search::name_of(column.source[row])));
    }
    ImGui::EndTable();
  }
  ImGui::EndTooltip();
}

}  // namespace plait::gui
