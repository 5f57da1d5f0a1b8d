#include <fmt/format.h>
#include <implot.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "gui/panels/panels.h"
#include "gui/theme.h"
#include "gui/widgets/widgets.h"
#include "src/app/output.h"
#include "src/report/bar_chart.h"
#include "src/report/number_format.h"
#include "src/spec/json_reader.h"

namespace plait::gui {
namespace {

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

struct NamedLayout {
  std::string name;
  const spec::Layout* layout;
};

/// That of the editor, under the name of its pin if it has one, then the other pins.
std::vector<NamedLayout> swept_layouts(const State& state) {
  const Document& document = state.document;
  const auto own = std::ranges::find(document.pins, document.layout, &Pin::layout);
  std::vector<NamedLayout> out{{own == document.pins.end() ? "in the editor" : own->name, &document.layout}};
  for (auto pin = document.pins.begin(); pin != document.pins.end(); ++pin) {
    if (pin != own) out.push_back({pin->name, &pin->layout});
  }
  return out;
}

/// Labels of an axis that counts: none at fractions.
int format_whole(double value, char* out, int size, void*) {
  if (value != std::round(value)) return *out = 0;
  return std::snprintf(out, static_cast<std::size_t>(size), "%.0f", value);
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
  if (!ImPlot::BeginPlot("##history", {-1, -1}, kPlotFlags)) return;
  ImPlot::SetupAxes("trials", "dominated volume");
  ImPlot::SetupAxisFormat(ImAxis_X1, format_whole);
  const std::pair shown(state.table(), static_cast<const app::TrialTable*>(state.overlay.table.get()));
  const auto overlay = state.overlay.table ? state.overlay.table->history : std::vector<app::TrialTable::Volume>{};
  double low = history.front().volume, high = history.back().volume;
  double trials = static_cast<double>(history.back().trials);
  for (const app::TrialTable::Volume& step : overlay) {
    low = std::min(low, step.volume);
    high = std::max(high, step.volume);
    trials = std::max(trials, static_cast<double>(step.trials));
  }
  const double room = std::max(1e-3, 0.08 * (high - low));
  ImPlot::SetupAxesLimits(0, trials * 1.02, low - room, high + room,
                          state.history_of == shown ? ImPlotCond_Once : ImPlotCond_Always);
  state.history_of = shown;
  const auto draw = [](const std::vector<app::TrialTable::Volume>& steps, ImU32 ink) {
    std::vector<double> xs, ys;
    for (const app::TrialTable::Volume& step : steps) {
      xs.push_back(static_cast<double>(step.trials));
      ys.push_back(step.volume);
    }
    plot_line(xs, ys, ink, px(2), steps.size() < 60);
  };
  if (!overlay.empty()) {
    draw(overlay, colours().overlay);
    line_names({{state.results()->spec.name, colours().front},
                {state.overlay.results->spec.name + ", laid over; each scaled by its own trials", colours().overlay}},
               true);
  }
  draw(history, colours().front);
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
  const std::vector<NamedLayout> layouts = swept_layouts(state);
  for (const auto& [name, layout] : layouts) add(name, *layout);
  const bool any = low <= high;
  const report::DisplayUnit unit = report::display_unit(curve.unit, any ? std::sqrt(low * high) : 1);
  if (!ImPlot::BeginPlot("##sweep", {-1, -1}, kPlotFlags)) return;
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
    plot_line(line.xs, line.ys, line_colour(k), px(k == 0 ? 2.5F : 1.7F), true);
  }
  std::vector<std::pair<std::string, ImU32>> names;
  for (std::size_t k = 0; k < lines.size() && lines.size() > 1; ++k) names.emplace_back(lines[k].name, line_colour(k));
  line_names(names);
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
    for (std::size_t k = 0; k < lines.size(); ++k) {
      const std::vector<costmodel::CostReport>& reports = state.sweep(*layouts[k].layout);
      if (i >= reports.size()) continue;
      ImGui::PushStyleColor(ImGuiCol_Text, line_colour(k));
      ImGui::TextUnformatted(layouts[k].name.c_str());
      ImGui::PopStyleColor();
      ImGui::SameLine();
      ImGui::TextUnformatted(report::format_value(curve.of(reports[i]), curve.unit).c_str());
    }
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
  std::vector<NamedLayout> entries;
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
    for (const NamedLayout& entry : entries) ImGui::TableSetupColumn(entry.name.c_str());
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
        ImGui::TextUnformatted(base != 0 && metric.unit != "1" ? percent_text(difference / std::abs(base)).c_str()
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

ViewWriter save_history(State& state, FileKind kind, const report::FigureOptions& options) {
  if (!state.has_rows() || state.table()->history.size() < 2) return {};
  report::LineChart chart;
  chart.title = "Dominated volume over the search";
  chart.subtitle = app::setting(state.results()->spec);
  chart.x = {.label = "trials", .unit = "1", .log = false};
  chart.y = {.label = "dominated volume", .unit = "1", .direction = search::Direction::maximize, .log = false};
  const auto add = [&](const app::Snapshot& study) {
    if (!study.table || study.table->history.size() < 2) return;
    report::LineChart::Line line{study.results->spec.name, {}, chart.lines.size()};
    for (const app::TrialTable::Volume& step : study.table->history) {
      line.points.push_back({static_cast<double>(step.trials), step.volume});
    }
    chart.lines.push_back(std::move(line));
  };
  add(state.snapshot);
  add(state.overlay);
  return picture_writer(std::move(chart), kind, options);
}

ViewWriter save_breakdown(State& state, FileKind kind, const report::FigureOptions& options) {
  const app::WhatIf::Answer* answer = state.answer();
  if (answer == nullptr || !answer->costs) return {};
  const LayerCurve& curve = chosen_curve(kLayerCurves, state.view.breakdown);
  report::BarChart chart;
  chart.title = fmt::format("{} of each layer", curve.title);
  chart.subtitle = fmt::format("{}, {}", answer->notation, app::setting(state.what_if->study()));
  chart.y = {.label = curve.title, .unit = curve.unit};
  for (const costmodel::LayerCost& layer : answer->costs->layers) {
    const spec::Mixer& mixer = state.document.layout.layers[layer.index].mixer;
    chart.bars.push_back({fmt::format("{} {}", layer.index, answer->letters[layer.index]), curve.of(layer),
                          report::mixer_colour(mixer.index())});
  }
  return picture_writer(std::move(chart), kind, options);
}

ViewWriter save_sweep(State& state, FileKind kind, const report::FigureOptions& options) {
  if (!state.what_if || state.document.layout.layers.empty()) return {};
  const CostCurve& curve = chosen_curve(kCurves, state.view.sweep_metric);
  report::LineChart chart;
  chart.title = fmt::format("{} over the context", curve.title);
  chart.subtitle = app::setting(state.what_if->study());
  chart.x = {.label = "context (tokens)", .unit = "1", .log = true};
  chart.y = {.label = curve.title, .unit = curve.unit, .log = true};
  const auto add = [&](const std::string& name, const spec::Layout& layout) {
    report::LineChart::Line line{name, {}, chart.lines.size()};
    const std::vector<costmodel::CostReport>& reports = state.sweep(layout);
    for (std::size_t i = 0; i < reports.size(); ++i) {
      if (curve.of(reports[i]) > 0) {
        line.points.push_back({static_cast<double>(sweep_contexts()[i]), curve.of(reports[i])});
      }
    }
    chart.lines.push_back(std::move(line));
  };
  for (const auto& [name, layout] : swept_layouts(state)) add(name, *layout);
  return picture_writer(std::move(chart), kind, options);
}

/// The pinned layouts and that of the editor: a figure of the frontier's metrics with their strips, or all numbers.
ViewWriter save_compare(State& state, FileKind kind, const report::FigureOptions& options) {
  if (!state.what_if || state.document.layout.layers.empty() || !state.has_rows()) return {};
  report::ResultTable table{.metrics = state.what_if->metrics(), .rows = {}};
  const auto add = [&](const std::string& name, const spec::Layout& layout) {
    const app::WhatIf::Answer* answer = state.answer_for(layout);
    if (answer == nullptr) return;
    table.rows.push_back({.trial = std::to_string(table.rows.size() + 1),
                          .name = name,
                          .layout = answer->notation,
                          .letters = answer->letters,
                          .on_front = true,
                          .feasible = answer->problems.empty(),
                          .scores = answer->scores});
  };
  for (const Pin& pin : state.document.pins) add(pin.name, pin.layout);
  if (std::ranges::find(state.document.pins, state.document.layout, &Pin::layout) == state.document.pins.end()) {
    add("in the editor", state.document.layout);
  }
  if (kind == FileKind::csv) return [table] { return report::to_csv(table); };
  report::Figure figure = report::make_figure(table, state.view.x, state.view.y);
  figure.title = "Compared layouts";
  figure.subtitle = app::setting(state.what_if->study());
  return picture_writer<report::Figure>(std::move(figure), kind, options, {});
}

}  // namespace plait::gui
