#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gui/panels/panels.h"
#include "gui/theme.h"
#include "gui/widgets/widgets.h"
#include "src/app/output.h"
#include "src/report/number_format.h"
#include "src/report/parallel_chart.h"

namespace plait::gui {
namespace {

constexpr std::size_t kMostLines = 5000;  ///< more hide each other

struct AxisRange {
  const app::TrialTable::Column* column = nullptr;
  double low = 0, high = 1;
  bool log = false;

  float share(double value) const {
    const double t =
        log ? (std::log(value) - std::log(low)) / (std::log(high) - std::log(low)) : (value - low) / (high - low);
    return static_cast<float>(high > low ? t : 0.5);
  }
  double value(double share_of) const {
    return log ? std::exp(std::log(low) + share_of * (std::log(high) - std::log(low))) : low + share_of * (high - low);
  }
};

/// Metrics that differ between trials (the others say nothing here), the objectives first, as many as find room.
std::vector<AxisRange> axes_of(const Views& views, std::size_t most) {
  std::vector<AxisRange> axes;
  for (std::size_t k = 0; k < views.table->columns.size() && axes.size() < most; ++k) {
    auto [low, high] = views.summary->ranges[k];
    if (std::abs(low) < 1e-9 * (high - low)) low = 0;  // rounding
    if (high > low) axes.push_back({&views.table->columns[k], low, high, low > 0 && high / low > 20});
  }
  return axes;
}

}  // namespace

void draw_parallel(State& state) {
  if (!state.has_rows()) {
    centred_hint("No trials yet.");
    return;
  }
  const app::TrialTable& table = *state.table();
  const auto most = static_cast<std::size_t>(std::max(2.0F, ImGui::GetContentRegionAvail().x / px(105)));
  const std::vector<AxisRange> axes = axes_of(state.views(), most);
  if (axes.size() < 2) {
    centred_hint("Fewer than two metrics differ between these trials.");
    return;
  }
  muted_text(fmt::format("{} of {} layouts; drag along an axis to keep a range", state.shown_count(), table.size()));
  ImGui::SameLine();
  ImGui::BeginDisabled(state.brushes.empty());
  if (ImGui::SmallButton("Clear ranges")) state.brushes.clear();
  ImGui::EndDisabled();

  ImDrawList* draw = ImGui::GetWindowDrawList();
  const ImVec2 room = ImGui::GetContentRegionAvail();
  const ImVec2 corner = ImGui::GetCursorScreenPos();
  const float line = ImGui::GetTextLineHeight();
  const float top = corner.y + 2.4F * line, bottom = corner.y + room.y - 1.6F * line;
  const float left = corner.x + px(60), right = corner.x + room.x - px(60);
  if (bottom - top < px(40) || right - left < px(80)) return;
  const auto x_of = [&](std::size_t k) {
    return left + (right - left) * static_cast<float>(k) / static_cast<float>(axes.size() - 1);
  };
  const auto y_of = [&](const AxisRange& axis, double value) { return bottom - (bottom - top) * axis.share(value); };

  const std::vector<std::uint8_t>& shown = state.shown();
  const auto draw_row = [&](std::size_t row, ImU32 ink, float width) {
    ImVec2 before;
    bool known = false;
    for (std::size_t k = 0; k < axes.size(); ++k) {
      const double value = axes[k].column->value[row];
      const bool here = std::isfinite(value) && (!axes[k].log || value > 0);
      const ImVec2 at(x_of(k), here ? y_of(axes[k], value) : bottom);
      if (here && known) draw->AddLine(before, at, ink, width);
      before = at;
      known = here;
    }
  };
  const std::size_t step = std::max<std::size_t>(1, table.size() / kMostLines);
  for (std::size_t row = 0; row < table.size(); row += step) {
    if (shown[row] == 0) draw_row(row, colours().grid, 1);
  }
  for (std::size_t row = 0; row < table.size(); row += step) {
    if (shown[row] != 0 && table.on_front[row] == 0 && !table.is_baseline(row)) draw_row(row, colours().dominated, 1);
  }
  for (const std::uint32_t row : state.views().summary->front) {
    if (shown[row] != 0) draw_row(row, colours().study_front, px(1));
  }
  for (std::size_t row = table.trials; row < table.size(); ++row) {
    if (shown[row] != 0) draw_row(row, colours().baseline, px(1.5F));
  }
  const std::vector<std::size_t>& selected = state.selection();
  for (std::size_t k = 0; k < selected.size(); k += 1 + selected.size() / kMostLines) {
    draw_row(selected[k], colours().selection, px(2.5F));
  }
  if (state.hovered < table.size()) draw_row(state.hovered, colours().ink, px(2.5F));

  for (std::size_t k = 0; k < axes.size(); ++k) {
    const AxisRange& axis = axes[k];
    const float x = x_of(k);
    draw->AddLine({x, top}, {x, bottom}, colours().muted, px(1.5F));
    const auto label = [&](const std::string& text, float y, ImU32 ink) {
      const float width = ImGui::CalcTextSize(text.c_str()).x;
      const float at = std::clamp(x - width / 2, corner.x, corner.x + room.x - width);
      draw->AddText({at, y}, ink, text.c_str());
    };
    const auto value_label = [&](double value) { return report::format_value(value, axis.column->metric.unit); };
    label(metric_title(axis.column->metric), corner.y, colours().ink);
    label(value_label(axis.high), top - 1.1F * line, colours().muted);
    label(value_label(axis.low), bottom + px(2), colours().muted);

    ImGui::SetCursorScreenPos({x - px(10), top});
    ImGui::PushID(static_cast<int>(k));
    ImGui::InvisibleButton(axis.column->metric.name.c_str(), {px(20), bottom - top});
    if (ImGui::IsItemHovered()) ImGui::SetMouseCursor(ImGuiMouseCursor_ResizeNS);
    const auto brush = std::ranges::find(state.brushes, axis.column->metric.name, &Brush::metric);
    if (ImGui::IsItemActive()) {
      const ImVec2 drag = ImGui::GetMouseDragDelta(ImGuiMouseButton_Left, 0);
      const float now = ImGui::GetIO().MousePos.y;
      const auto share = [&](float y) { return std::clamp((bottom - y) / (bottom - top), 0.0F, 1.0F); };
      const float a = share(now), b = share(now - drag.y);
      if (std::abs(drag.y) > px(3)) {
        const Brush fresh{axis.column->metric.name, axis.value(std::min(a, b)), axis.value(std::max(a, b))};
        if (brush == state.brushes.end()) {
          state.brushes.push_back(fresh);
        } else {
          *brush = fresh;
        }
      }
    } else if (ImGui::IsItemDeactivated() && brush != state.brushes.end() &&
               std::abs(ImGui::GetMouseDragDelta(ImGuiMouseButton_Left, 0).y) <= px(3)) {
      state.brushes.erase(brush);  // a click lifts the range
    }
    ImGui::PopID();
    const auto now = std::ranges::find(state.brushes, axis.column->metric.name, &Brush::metric);
    if (now != state.brushes.end()) {
      const float a = y_of(axis, now->high), b = y_of(axis, std::max(now->low, axis.low));
      draw->AddRectFilled({x - px(7), a}, {x + px(7), b}, ImGui::GetColorU32(ImGuiCol_HeaderActive), px(3));
      draw->AddRect({x - px(7), a}, {x + px(7), b}, colours().front, px(3));
    }
  }
}

ViewWriter save_parallel(State& state, FileKind kind, const report::FigureOptions& options) {
  constexpr std::size_t kMostAxes = 8;
  if (!state.has_rows()) return {};
  if (kind == FileKind::csv) return save_frontier(state, kind, options);
  const app::TrialTable& table = *state.table();
  const std::vector<AxisRange> axes = axes_of(state.views(), kMostAxes);
  if (axes.size() < 2) return {};
  report::ParallelChart chart;
  chart.title = state.results()->spec.name + ": all trials";
  chart.subtitle = app::setting(state.results()->spec);
  for (const AxisRange& axis : axes) {
    chart.axes.push_back(
        {{.label = metric_title(axis.column->metric), .unit = axis.column->metric.unit, .log = axis.log},
         axis.low,
         axis.high});
  }
  const std::size_t step = std::max<std::size_t>(1, table.size() / kMostLines);
  const std::vector<std::uint8_t>& shown = state.shown();
  for (std::size_t row = 0; row < table.size(); ++row) {
    const bool drawn = table.on_front[row] != 0 || table.is_baseline(row) || row % step == 0;
    if (shown[row] == 0 || !drawn) continue;
    report::ParallelChart::Line line{.name = state.row_name(row), .values = {}};
    for (const AxisRange& axis : axes) line.values.push_back(axis.column->value[row]);
    if (table.on_front[row] != 0) line.kind = report::ParallelChart::Kind::front;
    if (table.is_baseline(row)) line.kind = report::ParallelChart::Kind::baseline;
    chart.lines.push_back(std::move(line));
  }
  return picture_writer<report::ParallelChart>(std::move(chart), kind, options, {});
}

}  // namespace plait::gui
