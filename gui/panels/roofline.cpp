#include "gui/roofline.h"

#include <fmt/format.h>
#include <implot.h>

#include <algorithm>
#include <cmath>

#include "gui/panels/panels.h"
#include "gui/theme.h"
#include "gui/widgets/widgets.h"
#include "src/report/number_format.h"

namespace plait::gui {
namespace {

constexpr float kPickRadius = 12;

void draw_marker(ImDrawList* draw, ImVec2 p, bool decode, float radius, ImU32 ink) {
  const ImU32 ground = ImGui::GetColorU32(ImGuiCol_WindowBg);
  if (decode) {
    draw->AddCircleFilled(p, radius, ink);
    draw->AddCircle(p, radius, ground, 0, px(1));
  } else {
    const ImVec2 corner(radius * 0.9F, radius * 0.9F);
    draw->AddRectFilled(p - corner, p + corner, ink);
    draw->AddRect(p - corner, p + corner, ground, 0, px(1));
  }
}

void tooltip(const RooflinePoint& point, const Roofline& roofline) {
  ImGui::BeginTooltip();
  ImGui::PushFont(bold_font(), 0);
  ImGui::Text("%s, %s", point.name.c_str(), point.decode ? "a decode step" : "prefill");
  ImGui::PopFont();
  if (point.layers.size() > 1) muted_text(fmt::format("{} equal layers, one of them counted", point.layers.size()));
  muted_text(fmt::format("{} and {} to or from memory: {:.3g} FLOPs a byte", report::format_value(point.flops, "flops"),
                         report::format_value(point.bytes, "bytes"), point.intensity()));
  muted_text(fmt::format("{}, bound by {}", report::format_value(point.time_s, "s"), search::name_of(point.bound)));
  muted_text(fmt::format("{}, {:.0f} % of what the roof allows", report::format_value(point.rate(), "flops/s"),
                         100 * point.rate() / roofline.roof(point.intensity())));
  ImGui::EndTooltip();
}

}  // namespace

void draw_roofline(State& state) {
  const app::WhatIf::Answer* answer = state.answer();
  if (answer == nullptr || !answer->costs) {
    centred_hint("Where the layers of the layout in the editor stand below the roof of the hardware.");
    return;
  }
  const Roofline roofline = make_roofline(state.what_if->study(), state.document.layout, *answer->costs);
  muted_text(fmt::format("{}, {}; squares: prefill, circles: decoding",
                         report::format_value(roofline.peak_flops_per_s, "flops/s"),
                         report::format_value(roofline.bandwidth_bytes_per_s, "bytes/s")));
  hint(roofline.hardware.c_str());
  if (!ImPlot::BeginPlot("##roofline", {-1, -1}, kPlotFlags)) return;
  ImPlot::SetupAxes("FLOPs per byte of memory traffic", "TFLOP/s");
  ImPlot::SetupAxisScale(ImAxis_X1, ImPlotScale_Log10);
  ImPlot::SetupAxisScale(ImAxis_Y1, ImPlotScale_Log10);
  ImPlot::SetupAxisFormat(ImAxis_X1, "%g");
  ImPlot::SetupAxisFormat(ImAxis_Y1, "%g");
  constexpr double kTera = 1e12;
  const auto [x_low, x_high, y_low, y_high] = roofline.box();
  ImPlot::SetupAxesLimits(x_low, x_high, y_low / kTera, y_high / kTera, ImPlotCond_Always);
  ImPlot::SetupFinish();
  const double ridge = roofline.peak_flops_per_s / roofline.bandwidth_bytes_per_s;
  plot_line({x_low, ridge, x_high},
            {roofline.roof(x_low) / kTera, roofline.peak_flops_per_s / kTera, roofline.peak_flops_per_s / kTera},
            colours().ink, px(2), false);
  ImDrawList* draw = ImPlot::GetPlotDrawList();
  ImPlot::PushPlotClipRect();
  const auto at = [&](const RooflinePoint& point) {
    return ImPlot::PlotToPixels(point.intensity(), point.rate() / kTera);
  };
  const RooflinePoint* under = nullptr;
  float least = px(kPickRadius) * px(kPickRadius);
  for (const RooflinePoint& point : roofline.points) {
    const ImVec2 p = at(point);
    const bool selected = std::ranges::find(point.layers, state.layer) != point.layers.end();
    draw_marker(draw, p, point.decode, px(5.5F),
                point.layers.empty() ? colours().muted : mixer_letter_colour(point.letter));
    if (selected) draw->AddCircle(p, px(9), colours().ink, 0, px(1.5F));
    const ImVec2 apart = p - ImGui::GetMousePos();
    if (const float distance = apart.x * apart.x + apart.y * apart.y; distance < least) {
      least = distance;
      under = &point;
    }
  }
  ImPlot::PopPlotClipRect();
  if (ImPlot::IsPlotHovered() && under != nullptr) {
    tooltip(*under, roofline);
    if (ImGui::IsMouseReleased(ImGuiMouseButton_Left) && !under->layers.empty()) state.layer = under->layers.front();
  }
  ImPlot::EndPlot();
}

ViewWriter save_roofline(State& state, FileKind kind, const report::FigureOptions& options) {
  const app::WhatIf::Answer* answer = state.answer();
  if (answer == nullptr || !answer->costs) return {};
  const Roofline roofline = make_roofline(state.what_if->study(), state.document.layout, *answer->costs);
  return picture_writer(roofline_chart(roofline, answer->notation), kind, options);
}

}  // namespace plait::gui
