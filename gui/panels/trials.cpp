#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "gui/panels/panels.h"
#include "gui/theme.h"
#include "gui/trial_order.h"
#include "gui/widgets/widgets.h"
#include "src/spec/grouped.h"

namespace plait::gui {
namespace {

void draw_filter(State& state) {
  std::string text = state.view.filter;
  ImGui::SetNextItemWidth(std::min(px(360), ImGui::GetContentRegionAvail().x * 0.5F));
  if (ImGui::InputTextWithHint("##Filter", "Filter: recall>0.4 kv_cache_bytes<2G front dx3", &text))
    state.set_filter(text);
  hint(
      "Words separated by spaces, all of which must hold: metric<value (k, M, G; m for thousandths), front, feasible, "
      "baseline (! before one turns it around); anything else is looked for in id, name and layout. Every view "
      "follows.");
  ImGui::SameLine();
  if (!state.filter().problem.empty()) {
    problem_text(state.filter().problem);
  } else {
    const std::size_t chosen = state.selection().size();
    muted_text(fmt::format("{} of {}{}", spec::grouped(state.shown_count()), spec::grouped(state.table()->size()),
                           chosen > 1 ? fmt::format(", {} selected", spec::grouped(chosen)) : ""));
  }
}

}  // namespace

void draw_trials(State& state) {
  if (!state.has_rows()) {
    centred_hint("No trials yet.");
    return;
  }
  draw_filter(state);
  const app::TrialTable& table = *state.table();
  constexpr int kFixed = 3;
  constexpr std::size_t kMostColumns = 500;  // Dear ImGui takes 512
  const auto metrics = std::span(table.columns).first(std::min(table.columns.size(), kMostColumns));
  const int columns = kFixed + static_cast<int>(metrics.size());
  const ImGuiTableFlags flags = ImGuiTableFlags_ScrollY | ImGuiTableFlags_ScrollX | ImGuiTableFlags_RowBg |
                                ImGuiTableFlags_Sortable | ImGuiTableFlags_Hideable | ImGuiTableFlags_Reorderable |
                                ImGuiTableFlags_Resizable | ImGuiTableFlags_BordersInnerV |
                                ImGuiTableFlags_SizingFixedFit | ImGuiTableFlags_SortTristate;
  if (!ImGui::BeginTable("trials", columns, flags)) return;
  ImGui::TableSetupScrollFreeze(2, 1);
  float names = ImGui::CalcTextSize("000000").x;  // baselines come last, and want to be read without widening
  for (const search::Trial& baseline : state.results()->baselines) {
    names = std::max(names, ImGui::CalcTextSize(baseline.name.c_str()).x);
  }
  ImGui::TableSetupColumn("trial", ImGuiTableColumnFlags_WidthFixed, std::min(names, px(140)));
  ImGui::TableSetupColumn("layout", ImGuiTableColumnFlags_WidthFixed | ImGuiTableColumnFlags_NoSort, px(170));
  ImGui::TableSetupColumn("class", ImGuiTableColumnFlags_WidthFixed | ImGuiTableColumnFlags_NoSort,
                          ImGui::CalcTextSize("dominated").x);
  const std::size_t objectives = state.results()->spec.objectives.size();
  for (std::size_t k = 0; k < metrics.size(); ++k) {
    const bool hidden = k >= std::max<std::size_t>(objectives + 3, 6) && metrics[k].metric.name != "proxy_recall";
    ImGui::TableSetupColumn(
        metric_title(metrics[k].metric).c_str(),
        ImGuiTableColumnFlags_PreferSortDescending | (hidden ? ImGuiTableColumnFlags_DefaultHide : 0));
  }
  ImGui::TableHeadersRow();
  TrialSort sort;
  if (const ImGuiTableSortSpecs* specs = ImGui::TableGetSortSpecs(); specs != nullptr && specs->SpecsCount > 0) {
    const int column = specs->Specs[0].ColumnIndex;
    sort.descending = specs->Specs[0].SortDirection == ImGuiSortDirection_Descending;
    if (column >= kFixed) sort.column = static_cast<std::size_t>(column - kFixed);
  }
  state.sort = sort;
  const std::vector<std::uint32_t>& order = state.order();
  const bool scroll = state.scroll_to_current && state.current != SIZE_MAX;
  state.scroll_to_current = false;
  ImGuiListClipper clipper;
  clipper.Begin(static_cast<int>(order.size()));
  if (scroll) {
    const auto at = std::ranges::find(order, static_cast<std::uint32_t>(state.current));
    if (at != order.end()) clipper.IncludeItemByIndex(static_cast<int>(at - order.begin()));
  }
  while (clipper.Step()) {
    for (int line = clipper.DisplayStart; line < clipper.DisplayEnd; ++line) {
      const std::uint32_t row = order[static_cast<std::size_t>(line)];
      const search::Trial& trial = app::trial_at(*state.results(), row);
      ImGui::TableNextRow();
      ImGui::TableNextColumn();
      if (row == state.hovered) ImGui::TableSetBgColor(ImGuiTableBgTarget_RowBg0, colours().shade);
      ImGui::PushID(static_cast<int>(row));
      const std::string label = trial.name.empty() ? trial.id : trial.name;
      if (ImGui::Selectable(label.c_str(), state.is_selected(row),
                            ImGuiSelectableFlags_SpanAllColumns | ImGuiSelectableFlags_AllowOverlap)) {
        const ImGuiIO& io = ImGui::GetIO();
        const auto anchor = std::ranges::find(order, static_cast<std::uint32_t>(state.current));
        if (io.KeyShift && anchor != order.end()) {
          const std::ptrdiff_t from = std::min<std::ptrdiff_t>(anchor - order.begin(), line);
          const std::ptrdiff_t to = std::max<std::ptrdiff_t>(anchor - order.begin(), line);
          state.select_all({order.begin() + from, order.begin() + to + 1}, io.KeyCtrl);
        } else {
          state.select(row, io.KeyCtrl);
        }
      }
      if (ImGui::IsItemHovered()) state.hover = row;
      if (scroll && row == state.current) ImGui::SetScrollHereY();
      ImGui::PopID();
      ImGui::TableNextColumn();
      ImGui::TextUnformatted(trial.layout.c_str());
      ImGui::TableNextColumn();
      muted_text(std::holds_alternative<search::Failure>(trial.outcome) ? "failed"
                 : table.is_baseline(row)                               ? "baseline"
                 : !trial.feasible                                      ? "outside"
                 : table.on_front[row]                                  ? "front"
                                                                        : "dominated");
      for (const app::TrialTable::Column& column : metrics) {
        if (!ImGui::TableNextColumn()) continue;
        const std::string text = value_text(column, row);
        const float indent = ImGui::GetContentRegionAvail().x - ImGui::CalcTextSize(text.c_str()).x;
        if (indent > 0) ImGui::SetCursorPosX(ImGui::GetCursorPosX() + indent);
        ImGui::TextUnformatted(text.c_str());
      }
    }
  }
  ImGui::EndTable();
}

}  // namespace plait::gui
