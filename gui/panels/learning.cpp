#include <fmt/format.h>
#include <implot.h>

#include <algorithm>
#include <cmath>

#include "gui/panels/panels.h"
#include "gui/theme.h"
#include "gui/widgets/widgets.h"

namespace plait::gui {
namespace {

constexpr float kPickRadius = 12;

/// What is known while a population trains: the best of all at each reading.
void draw_running(const std::vector<evaluate::ProxyProgress>& readings) {
  const evaluate::ProxyProgress& last = readings.back();
  muted_text(fmt::format("training {} of {}: {}; each layout's own curve follows when it has ended", last.training,
                         last.trainings, last.task));
  if (!ImPlot::BeginPlot("##running", {-1, -1}, kPlotFlags)) return;
  ImPlot::SetupAxes("training step", "best accuracy of all");
  ImPlot::SetupAxesLimits(0, static_cast<double>(std::max<std::int64_t>(1, last.now.steps)), 0, 1.02,
                          ImPlotCond_Always);
  ImPlot::SetupFinish();
  std::vector<double> xs, ys;
  for (const evaluate::ProxyProgress& reading : readings) {
    if (reading.training != last.training) continue;
    xs.push_back(static_cast<double>(reading.now.step));
    ys.push_back(reading.now.best_accuracy);
  }
  plot_line(xs, ys, line_colour(last.training), px(2), true);
  ImPlot::EndPlot();
}

void draw_curves(State& state, const report::LineChart& chart) {
  double x_high = 1, y_high = 0;
  for (const report::LineChart::Line& line : chart.lines) {
    for (const report::Point& point : line.points) {
      x_high = std::max(x_high, point.x);
      y_high = std::max(y_high, point.y);
    }
  }
  if (!ImPlot::BeginPlot("##learning", {-1, -1}, kPlotFlags)) return;
  ImPlot::SetupAxes(chart.x.label.c_str(), chart.y.label.c_str());
  ImPlot::SetupAxesLimits(0, x_high, 0, y_high * 1.05, ImPlotCond_Always);
  ImPlot::SetupFinish();
  const ImVec2 mouse = ImGui::GetMousePos();
  std::size_t under = SIZE_MAX;
  float least = px(kPickRadius) * px(kPickRadius);
  for (std::size_t k = 0; k < chart.lines.size(); ++k) {
    for (const report::Point& point : chart.lines[k].points) {
      const ImVec2 apart = ImPlot::PlotToPixels(point.x, point.y) - mouse;
      const float distance = apart.x * apart.x + apart.y * apart.y;
      if (distance < least) least = distance, under = k;
    }
  }
  const bool pointed = ImPlot::IsPlotHovered() && under != SIZE_MAX;
  for (std::size_t k = 0; k < chart.lines.size(); ++k) {
    std::vector<double> xs, ys;
    for (const report::Point& point : chart.lines[k].points) {
      xs.push_back(point.x);
      ys.push_back(point.y);
    }
    const bool dim = pointed && chart.lines[k].group != chart.lines[under].group;
    plot_line(xs, ys, dim ? colours().grid : line_colour(chart.lines[k].group), px(dim ? 1 : 2), !dim);
  }
  std::vector<std::pair<std::string, ImU32>> names;
  for (const report::LineChart::Line& line : chart.lines) {
    if (line.group == names.size()) names.emplace_back(line.label, line_colour(line.group));
  }
  line_names(names);
  if (pointed) {
    const app::MeasuredCurve& curve = *state.curve_shown(under);
    ImGui::BeginTooltip();
    ImGui::TextUnformatted(chart.lines[under].label.c_str());
    muted_text(fmt::format("seed {}, learning rate {:g}", curve.curve.seed, curve.curve.learning_rate));
    if (curve.trials.size() > 1) muted_text(fmt::format("stands for {} layouts", curve.trials.size()));
    muted_text("click opens the layout");
    ImGui::EndTooltip();
    if (ImGui::IsMouseReleased(ImGuiMouseButton_Left))
      state.select(app::row_of(*state.results(), curve.trials.front()), false);
  }
  ImPlot::EndPlot();
}

}  // namespace

void draw_learning(State& state) {
  const bool trains = !state.snapshot.training.empty() &&
                      (state.snapshot.phase == app::Phase::running || state.snapshot.phase == app::Phase::paused);
  if (trains) {
    draw_running(state.snapshot.training);
    return;
  }
  if (state.results() == nullptr || state.results()->curves.empty()) {
    centred_hint(
        "What proxies learn, step by step. Nothing of this study was trained yet: Run > Train as proxies, or plait "
        "search "
        "--proxy.");
    return;
  }
  const std::vector<app::CurveGroup> groups = app::curve_groups(state.results()->curves);
  state.view.curve_group = std::min(state.view.curve_group, groups.size() - 1);
  const auto name = [&](const app::CurveGroup& group) {
    return fmt::format("{}, round {}", group.task, group.rung + 1);
  };
  ImGui::SetNextItemWidth(px(170));
  if (ImGui::BeginCombo("##group", name(groups[state.view.curve_group]).c_str())) {
    for (std::size_t k = 0; k < groups.size(); ++k) {
      if (ImGui::Selectable(name(groups[k]).c_str(), k == state.view.curve_group)) state.view.curve_group = k;
    }
    ImGui::EndCombo();
  }
  ImGui::SameLine();
  if (ImGui::RadioButton("accuracy", !state.view.curve_loss)) state.view.curve_loss = false;
  ImGui::SameLine();
  if (ImGui::RadioButton("loss", state.view.curve_loss)) state.view.curve_loss = true;
  draw_curves(state, state.learning_chart());
}

ViewWriter save_learning(State& state, FileKind kind, const report::FigureOptions& options) {
  if (state.results() == nullptr || state.results()->curves.empty()) return {};
  return picture_writer(state.learning_chart(), kind, options);
}

}  // namespace plait::gui
