#include <fmt/format.h>
#include <implot.h>

#include <algorithm>
#include <cmath>

#include "gui/panels/panels.h"
#include "gui/theme.h"
#include "gui/widgets/widgets.h"
#include "src/report/number_format.h"
#include "src/spec/json_reader.h"

namespace plait::gui {
namespace {

constexpr ImPlotFlags kQuiet = ImPlotFlags_NoMenus | ImPlotFlags_NoBoxSelect | ImPlotFlags_NoMouseText;

/// A line with its points, in plot coordinates.
void draw_line(const std::vector<double>& xs, const std::vector<double>& ys, ImU32 ink, float width, bool points) {
  ImDrawList* draw = ImPlot::GetPlotDrawList();
  std::vector<ImVec2> path;
  for (std::size_t i = 0; i < xs.size(); ++i) path.push_back(ImPlot::PlotToPixels(xs[i], ys[i]));
  ImPlot::PushPlotClipRect();
  draw->AddPolyline(path.data(), static_cast<int>(path.size()), ink, width);
  for (std::size_t i = 0; points && i < path.size(); ++i) draw->AddCircleFilled(path[i], px(2.5F), ink);
  ImPlot::PopPlotClipRect();
}

struct CostCurve {
  const char* name;
  const char* title;
  const char* unit;
  double (*of)(const costmodel::CostReport&);
};
constexpr CostCurve kCurves[] = {
    {"kv_cache_bytes", "KV cache", "bytes",
     [](const costmodel::CostReport& r) { return static_cast<double>(r.kv_cache_bytes); }},
    {"memory_bytes", "Weights, cache and states", "bytes",
     [](const costmodel::CostReport& r) {
       return static_cast<double>(r.weights_bytes + r.kv_cache_bytes + r.state_bytes);
     }},
    {"decode_step_s", "Decode step", "s", [](const costmodel::CostReport& r) { return r.decode_step.value; }},
    {"prefill_s", "Prefill", "s", [](const costmodel::CostReport& r) { return r.prefill.value; }},
    {"forward_flops", "Forward", "flops",
     [](const costmodel::CostReport& r) { return static_cast<double>(r.forward_flops); }},
    {"decode_flops", "Decode per token", "flops",
     [](const costmodel::CostReport& r) { return static_cast<double>(r.decode_flops_per_token); }},
};

struct LayerCurve {
  const char* name;
  const char* title;
  const char* unit;
  double (*of)(const costmodel::LayerCost&);
};
constexpr LayerCurve kLayerCurves[] = {
    {"decode_step_s", "Decode step", "s", [](const costmodel::LayerCost& c) { return c.decode_step.value; }},
    {"prefill_s", "Prefill", "s", [](const costmodel::LayerCost& c) { return c.prefill.value; }},
    {"kv_cache_bytes", "KV cache", "bytes",
     [](const costmodel::LayerCost& c) { return static_cast<double>(c.kv_cache_bytes); }},
    {"state_bytes", "States", "bytes",
     [](const costmodel::LayerCost& c) { return static_cast<double>(c.state_bytes); }},
    {"parameters", "Parameters", "parameters",
     [](const costmodel::LayerCost& c) { return static_cast<double>(c.parameters); }},
    {"forward_flops", "Forward", "flops",
     [](const costmodel::LayerCost& c) { return static_cast<double>(c.forward_flops); }},
};

template <class Curves>
const auto& chosen_curve(const Curves& curves, std::string& name) {
  const auto at = std::ranges::find(curves, name, [](const auto& curve) { return std::string(curve.name); });
  if (at == std::end(curves)) name = curves[0].name;
  return at == std::end(curves) ? curves[0] : *at;
}

template <class Curves>
void curve_combo(const char* label, const Curves& curves, std::string& name) {
  const auto& now = chosen_curve(curves, name);
  ImGui::SetNextItemWidth(px(190));
  if (!ImGui::BeginCombo(label, now.title)) return;
  for (const auto& curve : curves) {
    if (ImGui::Selectable(curve.title, name == curve.name)) name = curve.name;
  }
  ImGui::EndCombo();
}

}  // namespace

void draw_history(State& state) {
  if (!state.has_rows() || state.table()->history.size() < 2) {
    centred_hint("The dominated volume over the trials is drawn once two trials are inside the constraints.");
    return;
  }
  const std::vector<app::TrialTable::Volume>& history = state.table()->history;
  muted_text(
      fmt::format("dominated volume {:.4f} of at most {:.4f} after {} trials; click to see the frontier as it was",
                  history.back().volume, std::pow(1.1, static_cast<double>(state.results()->spec.objectives.size())),
                  history.back().trials));
  if (!ImPlot::BeginPlot("##history", {-1, -1}, kQuiet | ImPlotFlags_NoLegend)) return;
  ImPlot::SetupAxes("trials", "dominated volume");
  double low = history.front().volume, high = history.back().volume;
  const double room = std::max(1e-3, 0.08 * (high - low));
  ImPlot::SetupAxesLimits(0, static_cast<double>(history.back().trials) * 1.02, low - room, high + room,
                          state.history_version == state.snapshot.version ? ImPlotCond_Once : ImPlotCond_Always);
  state.history_version = state.snapshot.version;
  std::vector<double> xs, ys;
  for (const app::TrialTable::Volume& step : history) {
    xs.push_back(static_cast<double>(step.trials));
    ys.push_back(step.volume);
  }
  draw_line(xs, ys, colours().front, px(2), history.size() < 60);
  if (state.until != SIZE_MAX) {
    const ImVec2 a = ImPlot::PlotToPixels(static_cast<double>(state.until), ImPlot::GetPlotLimits().Y.Min);
    const ImVec2 b = ImPlot::PlotToPixels(static_cast<double>(state.until), ImPlot::GetPlotLimits().Y.Max);
    ImPlot::GetPlotDrawList()->AddLine(a, b, colours().baseline, px(1.5F));
  }
  const ImVec2 drag = ImGui::GetMouseDragDelta(ImGuiMouseButton_Left, 0);
  if (ImPlot::IsPlotHovered() && ImGui::IsMouseReleased(ImGuiMouseButton_Left) &&
      std::abs(drag.x) + std::abs(drag.y) < px(4)) {
    const double at = std::round(ImPlot::GetPlotMousePos().x);
    state.until =
        at >= static_cast<double>(state.table()->trials) ? SIZE_MAX : static_cast<std::size_t>(std::max(1.0, at));
  }
  ImPlot::EndPlot();
}

void draw_breakdown(State& state) {
  const app::WhatIf::Answer* answer = state.answer();
  if (answer == nullptr || !answer->costs) {
    centred_hint("The cost of each layer of the layout in the editor.");
    return;
  }
  curve_combo("##breakdown", kLayerCurves, state.view.breakdown);
  const LayerCurve& curve = chosen_curve(kLayerCurves, state.view.breakdown);
  double most = 0, total = 0;
  for (const costmodel::LayerCost& layer : answer->costs->layers) {
    most = std::max(most, curve.of(layer));
    total += curve.of(layer);
  }
  ImGui::SameLine();
  muted_text(fmt::format("{} in the layers", report::format_value(total, curve.unit)));
  ImDrawList* draw = ImGui::GetWindowDrawList();
  const ImVec2 corner = ImGui::GetCursorScreenPos(), room = ImGui::GetContentRegionAvail();
  const std::size_t count = answer->costs->layers.size();
  const float line = ImGui::GetTextLineHeight();
  const float step = room.x / static_cast<float>(count), base = corner.y + room.y - line * 1.2F,
              height = base - corner.y - line * 1.3F;
  if (height < px(20)) return;
  for (std::size_t i = 0; i < count; ++i) {
    const costmodel::LayerCost& layer = answer->costs->layers[i];
    const double value = curve.of(layer);
    const float top = base - (most > 0 ? height * static_cast<float>(value / most) : 0);
    const ImVec2 low(corner.x + step * static_cast<float>(i) + px(1), std::min(top, base - px(1))),
        high(corner.x + step * static_cast<float>(i + 1) - px(1), base);
    draw->AddRectFilled(low, high, mixer_letter_colour(answer->letters[i]), px(2));
    if (i == state.layer)
      draw->AddRect(low - ImVec2(px(1), px(1)), high + ImVec2(px(1), px(1)), colours().ink, px(2), px(2));
    const std::string letter(1, answer->letters[i]);
    const ImVec2 size = ImGui::CalcTextSize(letter.c_str());
    if (step > size.x) draw->AddText({(low.x + high.x - size.x) / 2, base + px(2)}, colours().muted, letter.c_str());
    ImGui::SetCursorScreenPos({low.x - px(1), corner.y});
    ImGui::PushID(static_cast<int>(i));
    if (ImGui::InvisibleButton("bar", {std::max(1.0F, step), std::max(1.0F, room.y)})) state.layer = i;
    if (ImGui::BeginItemTooltip()) {
      ImGui::Text("layer %d: %s", static_cast<int>(i), mixer_letter_name(answer->letters[i]).c_str());
      for (const LayerCurve& each : kLayerCurves) {
        muted_text(fmt::format("{}: {}", each.title, report::format_value(each.of(layer), each.unit)));
      }
      muted_text(fmt::format("prefill bound by {}, decoding by {}", search::name_of(layer.prefill_bound),
                             search::name_of(layer.decode_bound)));
      ImGui::EndTooltip();
    }
    ImGui::PopID();
  }
  draw->AddText(corner, colours().muted, fmt::format("highest {}", report::format_value(most, curve.unit)).c_str());
  draw->AddLine({corner.x, base}, {corner.x + room.x, base}, colours().muted);
}

void draw_sweep(State& state) {
  if (!state.what_if || state.document.layout.layers.empty()) {
    centred_hint("Costs over the context, of the layout in the editor and of those that are pinned.");
    return;
  }
  curve_combo("##sweep", kCurves, state.view.sweep_metric);
  const CostCurve& curve = chosen_curve(kCurves, state.view.sweep_metric);
  ImGui::SameLine();
  muted_text(state.document.pins.empty() ? "pin layouts (P) to compare them"
                                         : fmt::format("{} pinned", state.document.pins.size()));
  struct Line {
    std::string name;
    std::vector<double> xs, ys;
  };
  std::vector<Line> lines;
  double low = INFINITY, high = -INFINITY;
  const auto add = [&](const std::string& name, const spec::Layout& layout) {
    Line line{name, {}, {}};
    const std::vector<costmodel::CostReport>& reports = state.sweep(layout);
    for (std::size_t i = 0; i < reports.size(); ++i) {
      const double value = curve.of(reports[i]);
      if (!(value > 0)) continue;
      line.xs.push_back(std::log2(static_cast<double>(sweep_contexts()[i])));
      line.ys.push_back(value);
      low = std::min(low, value);
      high = std::max(high, value);
    }
    lines.push_back(std::move(line));
  };
  add("edited", state.document.layout);
  for (const Pin& pin : state.document.pins) add(pin.name, pin.layout);
  const bool any = low <= high;
  const report::DisplayUnit unit = report::display_unit(curve.unit, any ? std::sqrt(low * high) : 1);
  if (!ImPlot::BeginPlot("##sweep", {-1, -1}, kQuiet | ImPlotFlags_NoLegend)) return;
  ImPlot::SetupAxes("context (tokens)", fmt::format("{}{}{}{}", curve.title, unit.suffix.empty() ? "" : " (",
                                                    unit.suffix, unit.suffix.empty() ? "" : ")")
                                            .c_str());
  std::vector<double> ticks;
  std::vector<std::string> labels;
  const std::size_t each = ImGui::GetWindowWidth() < px(420) ? 2 : 1;
  for (std::size_t i = 0; i < sweep_contexts().size(); i += each) {
    ticks.push_back(std::log2(static_cast<double>(sweep_contexts()[i])));
    labels.push_back(spec::format_size(sweep_contexts()[i]));
  }
  std::vector<const char*> texts;
  for (const std::string& label : labels) texts.push_back(label.c_str());
  ImPlot::SetupAxisTicks(ImAxis_X1, ticks.data(), static_cast<int>(ticks.size()), texts.data());
  ImPlot::SetupAxisScale(ImAxis_Y1, ImPlotScale_Log10);
  const double y_low = any ? low / unit.factor / 1.4 : 0.1, y_high = any ? high / unit.factor * 1.4 : 1;
  ImPlot::SetupAxesLimits(9.7, 21.3, y_low, y_high, ImPlotCond_Always);
  ImPlot::SetupAxisFormat(ImAxis_Y1, "%g");
  ImPlot::SetupFinish();
  for (std::size_t k = lines.size(); k-- > 0;) {
    Line& line = lines[k];
    for (double& y : line.ys) y /= unit.factor;
    draw_line(line.xs, line.ys, line_colour(k), px(k == 0 ? 2.5F : 1.7F), true);
  }
  // Names at the upper left, in the order of the lines: nothing to look up elsewhere.
  ImDrawList* draw = ImPlot::GetPlotDrawList();
  ImVec2 at = ImPlot::GetPlotPos() + ImVec2(px(8), px(6));
  for (std::size_t k = 0; k < lines.size() && lines.size() > 1; ++k) {
    draw->AddLine(at + ImVec2(0, ImGui::GetTextLineHeight() / 2), at + ImVec2(px(16), ImGui::GetTextLineHeight() / 2),
                  line_colour(k), px(2.5F));
    draw->AddText(at + ImVec2(px(22), 0), colours().ink, lines[k].name.c_str());
    at.y += ImGui::GetTextLineHeight() + px(1);
  }
  if (ImPlot::IsPlotHovered() && !lines[0].xs.empty()) {
    const double x = ImPlot::GetPlotMousePos().x;
    std::size_t i = 0;
    for (std::size_t k = 0; k < ticks.size() * each && k < sweep_contexts().size(); ++k) {
      if (std::abs(std::log2(static_cast<double>(sweep_contexts()[k])) - x) <
          std::abs(std::log2(static_cast<double>(sweep_contexts()[i])) - x))
        i = k;
    }
    ImGui::BeginTooltip();
    ImGui::Text("context %s", spec::format_size(sweep_contexts()[i]).c_str());
    const auto row = [&](std::size_t k, const std::string& name, const spec::Layout& layout) {
      const std::vector<costmodel::CostReport>& reports = state.sweep(layout);
      if (i >= reports.size()) return;
      ImGui::PushStyleColor(ImGuiCol_Text, line_colour(k));
      ImGui::TextUnformatted(name.c_str());
      ImGui::PopStyleColor();
      ImGui::SameLine();
      ImGui::TextUnformatted(report::format_value(curve.of(reports[i]), curve.unit).c_str());
    };
    row(0, "edited", state.document.layout);
    for (std::size_t k = 0; k < state.document.pins.size(); ++k)
      row(k + 1, state.document.pins[k].name, state.document.pins[k].layout);
    ImGui::EndTooltip();
  }
  ImPlot::EndPlot();
}

void draw_compare(State& state) {
  if (!state.what_if) {
    centred_hint("Pinned layouts beside each other.");
    return;
  }
  if (state.document.pins.empty()) {
    centred_hint(
        "Nothing is pinned. Press P, or Pin in the layout editor, to set a layout aside; then edit or choose another.");
    return;
  }
  struct Entry {
    std::string name;
    const spec::Layout* layout;
  };
  std::vector<Entry> entries;
  for (const Pin& pin : state.document.pins) entries.push_back({pin.name, &pin.layout});
  const bool edited_apart =
      std::ranges::find(state.document.pins, state.document.layout, &Pin::layout) == state.document.pins.end();
  if (edited_apart) entries.push_back({"in the editor", &state.document.layout});
  std::size_t unpin = SIZE_MAX, taken = SIZE_MAX;  // done at the end: entries point into the document
  for (std::size_t k = 0; k < entries.size(); ++k) {
    const std::vector<bool> marked = differences(*entries[k].layout, *entries[0].layout);
    const bool pinned = k < state.document.pins.size();
    ImGui::PushID(static_cast<int>(k));
    ImGui::PushFont(bold_font(), 0);
    ImGui::TextUnformatted(entries[k].name.c_str());
    ImGui::PopFont();
    ImGui::SameLine();
    const auto apart = std::ranges::count(marked, true);
    muted_text(k == 0 ? "the others are compared with it" : fmt::format("{} layers differ", apart));
    if (pinned) {
      ImGui::SameLine();
      if (ImGui::SmallButton("Unpin")) unpin = k;
      ImGui::SameLine();
      if (ImGui::SmallButton("Edit")) taken = k;
    }
    draw_strip(spec::letters(*entries[k].layout), {.marked = k == 0 ? nullptr : &marked});
    ImGui::PopID();
  }
  if (ImGui::BeginTable("numbers", static_cast<int>(entries.size()) + 1,
                        ImGuiTableFlags_RowBg | ImGuiTableFlags_SizingFixedFit | ImGuiTableFlags_ScrollX |
                            ImGuiTableFlags_BordersInnerV)) {
    ImGui::TableSetupScrollFreeze(1, 1);
    ImGui::TableSetupColumn("metric");
    for (const Entry& entry : entries) ImGui::TableSetupColumn(entry.name.c_str());
    ImGui::TableHeadersRow();
    const app::WhatIf::Answer* first = state.answer_for(*entries[0].layout);
    for (const search::Metric& metric : state.what_if->metrics()) {
      if (first == nullptr || !first->scores.contains(metric.name)) continue;
      ImGui::TableNextRow();
      ImGui::TableNextColumn();
      muted_text(metric_title(metric));
      const double base = first->scores.at(metric.name).value;
      for (std::size_t k = 0; k < entries.size(); ++k) {
        ImGui::TableNextColumn();
        const app::WhatIf::Answer* answer = state.answer_for(*entries[k].layout);
        if (answer == nullptr || !answer->scores.contains(metric.name)) continue;
        ImGui::TextUnformatted(value_text(answer->scores, metric).c_str());
        const double difference = answer->scores.at(metric.name).value - base;
        if (k == 0 || difference == 0) continue;
        const bool better = (difference < 0) == (metric.direction == search::Direction::minimize);
        ImGui::SameLine();
        ImGui::PushStyleColor(ImGuiCol_Text, better ? colours().better : colours().worse);
        ImGui::TextUnformatted(base != 0 && metric.unit != "1"
                                   ? fmt::format("{:+.1f} %", 100 * difference / std::abs(base)).c_str()
                                   : fmt::format("{:+.3f}", difference).c_str());
        ImGui::PopStyleColor();
      }
    }
    ImGui::EndTable();
  }
  if (taken != SIZE_MAX) {
    const Pin pin = state.document.pins[taken];
    state.set_layout(pin.layout, pin.name);
  }
  if (unpin != SIZE_MAX) {
    state.edit([&](Document& next) { next.pins.erase(next.pins.begin() + static_cast<std::ptrdiff_t>(unpin)); });
  }
}

}  // namespace plait::gui
