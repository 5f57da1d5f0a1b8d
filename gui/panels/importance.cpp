#include <fmt/format.h>
#include <imgui.h>

#include <algorithm>

#include "gui/panels/panels.h"
#include "gui/theme.h"
#include "gui/widgets/widgets.h"
#include "src/report/bar_chart.h"

namespace plait::gui {
namespace {

/// A bar from 0 to 1 with its name left and its number right.
void draw_bar(const app::Importance::Feature& feature, float name_width) {
  ImDrawList* draw = ImGui::GetWindowDrawList();
  const ImVec2 corner = ImGui::GetCursorScreenPos();
  const float line = ImGui::GetTextLineHeight(), number_width = ImGui::CalcTextSize("100 %").x + px(10);
  const float width = std::max(px(30), ImGui::GetContentRegionAvail().x - name_width - number_width);
  const float left = corner.x + name_width, share = static_cast<float>(feature.share);
  ImGui::InvisibleButton(feature.name.c_str(), {ImGui::GetContentRegionAvail().x, line + px(4)});
  hint(fmt::format("{:.1f} % of the variance lies between layouts that differ in this; best on average: {}",
                   100 * feature.share, feature.best)
           .c_str());
  draw->PushClipRect(corner, {left - px(6), corner.y + line + px(4)}, true);
  draw->AddText(corner, colours().ink, feature.name.c_str());
  draw->PopClipRect();
  draw->AddRectFilled({left, corner.y + px(2)}, {left + width, corner.y + line}, colours().shade, px(2));
  draw->AddRectFilled({left, corner.y + px(2)}, {left + std::max(px(1), width * share), corner.y + line},
                      colours().front, px(2));
  draw->AddText({left + width + px(8), corner.y}, colours().muted,
                fmt::format("{:.0f} %", 100 * feature.share).c_str());
}

/// The layers in depth order, higher where the choice of the mixer matters more.
void draw_slots(const std::vector<app::Importance::Feature>& slots) {
  ImDrawList* draw = ImGui::GetWindowDrawList();
  const float step = ImGui::GetContentRegionAvail().x / static_cast<float>(slots.size()), height = px(26);
  double most = 0;
  for (const app::Importance::Feature& slot : slots) most = std::max(most, slot.share);
  muted_text(fmt::format("the mixer of each layer, first to last; highest {:.0f} %", 100 * most));
  const ImVec2 corner = ImGui::GetCursorScreenPos();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const ImVec2 low(corner.x + step * static_cast<float>(i), corner.y), high(low.x + step - px(1), low.y + height);
    const float share = most > 0 ? static_cast<float>(slots[i].share / most) : 0;
    draw->AddRectFilled(low, high, colours().shade, px(2));
    draw->AddRectFilled({low.x, high.y - height * share}, high, colours().front, px(2));
    ImGui::SetCursorScreenPos(low);
    ImGui::PushID(static_cast<int>(i));
    ImGui::InvisibleButton("slot", {std::max(1.0F, step - px(1)), height});
    hint(fmt::format("{}: {:.1f} % of the variance; best on average: {}", slots[i].name, 100 * slots[i].share,
                     slots[i].best)
             .c_str());
    ImGui::PopID();
  }
  ImGui::SetCursorScreenPos({corner.x, corner.y + height + px(4)});
  ImGui::Dummy({1, 1});
}

}  // namespace

void draw_importance(State& state) {
  if (!state.has_rows()) {
    centred_hint("What about a layout moves a metric.");
    return;
  }
  ImGui::AlignTextToFramePadding();
  muted_text("what moves");
  ImGui::SameLine();
  metric_combo("##importance", state.view.importance, state.results()->metrics, px(170));
  const app::Importance& importance = state.importance();
  if (importance.features.empty()) {
    centred_hint("Too few trials have this metric, or all have the same value.");
    return;
  }
  ImGui::SameLine();
  muted_text(fmt::format("over {} trials", importance.trials));
  hint(
      "Share of the variance between groups of layouts that are equal in a feature (epsilon squared). It describes the "
      "trials that the search picked: no cause, and features that go together each have it");
  if (ImGui::BeginChild("features")) {
    float names = 0;
    for (const app::Importance::Feature& feature : importance.features) {
      names = std::max(names, ImGui::CalcTextSize(feature.name.c_str()).x + px(12));
    }
    names = std::min(names, ImGui::GetContentRegionAvail().x * 0.55F);
    for (const app::Importance::Feature& feature : importance.features) draw_bar(feature, names);
    draw_slots(importance.slots);
  }
  ImGui::EndChild();
}

ViewWriter save_importance(State& state, FileKind kind, const report::FigureOptions& options) {
  if (!state.has_rows()) return {};
  const app::Importance& importance = state.importance();
  report::BarChart chart;
  chart.title = "What moves " + state.view.importance;
  chart.subtitle = fmt::format("{}, over {} trials", state.results()->spec.name, importance.trials);
  chart.y = {.label = "share of the variance", .unit = "1"};
  for (const app::Importance::Feature& feature : importance.features)
    chart.bars.push_back({feature.name, feature.share});
  for (const app::Importance::Feature& slot : importance.slots) chart.bars.push_back({slot.name, slot.share});
  return picture_writer(std::move(chart), kind, options);
}

}  // namespace plait::gui
