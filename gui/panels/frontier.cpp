#include <fmt/format.h>
#include <imgui_internal.h>
#include <implot.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "gui/panels/panels.h"
#include "gui/theme.h"
#include "gui/widgets/widgets.h"
#include "src/app/output.h"
#include "src/spec/grouped.h"

namespace plait::gui {
namespace {

constexpr std::size_t kDensityFrom = 300'000;  ///< points; from here on single ones say nothing
constexpr std::size_t kMostErrorBars = 300;
constexpr std::size_t kMostRings = 2000;  ///< around selected points
constexpr float kPickRadius = 14;

/// Coordinates of a cloud to pixels: affine, since logarithms are taken already.
struct Screen {
  double x_scale, x_shift, y_scale, y_shift;
  ImVec2 low, high;  ///< of the plot

  ImVec2 at(double x, double y) const {
    return {static_cast<float>(x * x_scale + x_shift), static_cast<float>(y * y_scale + y_shift)};
  }
  bool inside(const ImVec2& p) const { return p.x >= low.x && p.x <= high.x && p.y >= low.y && p.y <= high.y; }
};

Screen screen_of_plot() {
  const ImPlotRect limits = ImPlot::GetPlotLimits();
  const ImVec2 a = ImPlot::PlotToPixels(limits.X.Min, limits.Y.Min),
               b = ImPlot::PlotToPixels(limits.X.Max, limits.Y.Max);
  Screen screen{};
  screen.x_scale = (b.x - a.x) / (limits.X.Max - limits.X.Min);
  screen.y_scale = (b.y - a.y) / (limits.Y.Max - limits.Y.Min);
  screen.x_shift = a.x - limits.X.Min * screen.x_scale;
  screen.y_shift = a.y - limits.Y.Min * screen.y_scale;
  screen.low = ImPlot::GetPlotPos();
  screen.high = screen.low + ImPlot::GetPlotSize();
  return screen;
}

/// Axis labels of a logarithmic axis, whose coordinates are logarithms.
int format_log(double value, char* out, int size, void*) {
  return ImFormatString(out, static_cast<std::size_t>(size), "%.3g", std::pow(10, value));
}

void set_up_axis(ImAxis axis, const CloudAxis& of, bool inverted, bool fit) {
  ImPlot::SetupAxis(axis, of.label.c_str(), inverted ? ImPlotAxisFlags_Invert : 0);
  ImPlot::SetupAxisLimits(axis, of.low, of.high, fit ? ImPlotCond_Always : ImPlotCond_Once);
  if (!of.log) return;
  std::vector<double> ticks;
  std::vector<std::string> labels;
  const double span = of.high - of.low;
  for (int decade = static_cast<int>(std::floor(of.low)); decade <= static_cast<int>(std::ceil(of.high)); ++decade) {
    for (const int digit : {1, 2, 5}) {
      if (digit != 1 && span > 2.2) continue;
      if (span > 8 && decade % 2 != 0) continue;
      const double value = digit * std::pow(10.0, decade);
      ticks.push_back(std::log10(value));
      labels.push_back(fmt::format("{:.3g}", value));
    }
  }
  std::vector<const char*> texts;
  for (const std::string& label : labels) texts.push_back(label.c_str());
  ImPlot::SetupAxisFormat(axis, format_log);
  ImPlot::SetupAxisTicks(axis, ticks.data(), static_cast<int>(ticks.size()), texts.data());
}

/// Many small squares, quickly: one reservation per batch, no shape per point.
void draw_squares(ImDrawList* draw, const Cloud& cloud, const Screen& screen, const std::vector<std::uint8_t>& shown,
                  PointKind kind, ImU32 ink, float radius) {
  if (!cloud.has(kind)) return;
  constexpr int kBatch = 8192;
  const ImVec2 uv = ImGui::GetFontTexUvWhitePixel();
  for (std::size_t i = 0; i < cloud.size();) {
    draw->PrimReserve(6 * kBatch, 4 * kBatch);
    int used = 0;
    for (; i < cloud.size() && used < kBatch; ++i) {
      if (cloud.kinds[i] != kind || (!shown.empty() && shown[cloud.rows[i]] == 0)) continue;
      const ImVec2 p = screen.at(cloud.xs[i], cloud.ys[i]);
      if (!screen.inside(p)) continue;
      draw->PrimRectUV({p.x - radius, p.y - radius}, {p.x + radius, p.y + radius}, uv, uv, ink);
      ++used;
    }
    draw->PrimUnreserve(6 * (kBatch - used), 4 * (kBatch - used));
  }
}

void draw_marker(ImDrawList* draw, ImVec2 p, PointKind kind, search::Source source, float radius, ImU32 ink,
                 ImU32 ground) {
  if (kind == PointKind::baseline) {  // diamond
    const float r = radius * 1.25F;
    const ImVec2 corners[] = {{p.x, p.y - r}, {p.x + r, p.y}, {p.x, p.y + r}, {p.x - r, p.y}};
    draw->AddConvexPolyFilled(corners, 4, ink);
    draw->AddPolyline(corners, 4, ground, px(1), ImDrawFlags_Closed);
    return;
  }
  switch (source) {
    case search::Source::exact:
    case search::Source::measured:
      draw->AddRectFilled(p - ImVec2(radius, radius) * 0.9F, p + ImVec2(radius, radius) * 0.9F, ink);
      draw->AddRect(p - ImVec2(radius, radius) * 0.9F, p + ImVec2(radius, radius) * 0.9F, ground, 0, px(1));
      break;
    case search::Source::surrogate:
      draw->AddTriangleFilled({p.x, p.y - radius * 1.2F}, {p.x + radius * 1.1F, p.y + radius},
                              {p.x - radius * 1.1F, p.y + radius}, ink);
      break;
    case search::Source::estimate:
    case search::Source::prior:
      draw->AddCircleFilled(p, radius, ink);
      draw->AddCircle(p, radius, ground, 0, px(1));
      break;
  }
}

void draw_error_bars(ImDrawList* draw, State& state, const Cloud& cloud, const Screen& screen, ImU32 ink) {
  const auto bar = [&](const CloudAxis& axis, std::uint32_t i, bool vertical) {
    const app::TrialTable::Column* column = state.table()->find(axis.metric);
    const std::uint32_t row = cloud.rows[i];
    const double deviation = column->deviation[row];
    if (!(deviation > 0)) return;
    const double low = column->value[row] - deviation, high = column->value[row] + deviation;
    if (axis.log && low <= 0) return;
    const ImVec2 a =
        vertical ? screen.at(cloud.xs[i], axis.coordinate(low)) : screen.at(axis.coordinate(low), cloud.ys[i]);
    const ImVec2 b =
        vertical ? screen.at(cloud.xs[i], axis.coordinate(high)) : screen.at(axis.coordinate(high), cloud.ys[i]);
    draw->AddLine(a, b, ink, px(1));
    const ImVec2 cap = vertical ? ImVec2(px(3), 0) : ImVec2(0, px(3));
    draw->AddLine(a - cap, a + cap, ink, px(1));
    draw->AddLine(b - cap, b + cap, ink, px(1));
  };
  std::size_t drawn = 0;
  for (const std::vector<std::uint32_t>* points : {&cloud.staircase, &cloud.baselines}) {
    for (const std::uint32_t i : *points) {
      if (drawn++ == kMostErrorBars) return;
      bar(cloud.x, i, false);
      bar(cloud.y, i, true);
    }
  }
}

void draw_staircase(ImDrawList* draw, const Cloud& cloud, const Screen& screen, ImU32 ink, ImU32 shade) {
  if (cloud.staircase.empty()) return;
  const bool x_minimised = cloud.x.direction == search::Direction::minimize;
  const bool y_minimised = cloud.y.direction == search::Direction::minimize;
  std::vector<ImVec2> corners;
  for (std::size_t k = 0; k < cloud.staircase.size(); ++k) {
    const ImVec2 p = screen.at(cloud.xs[cloud.staircase[k]], cloud.ys[cloud.staircase[k]]);
    if (k > 0) {
      // Between two steps the worse y holds until the better x is paid for.
      const ImVec2 before = corners.back();
      corners.push_back(x_minimised ? ImVec2(p.x, before.y) : ImVec2(before.x, p.y));
    }
    corners.push_back(p);
  }
  // On to the edge of the plot on the dear side, and away from the best on the other.
  const bool right_is_worse = (screen.x_scale > 0) == x_minimised;
  const float worse_x = right_is_worse ? screen.high.x : screen.low.x;
  const float worse_y = (screen.y_scale < 0) == y_minimised ? screen.low.y : screen.high.y;
  if (x_minimised) {
    corners.insert(corners.begin(), {corners.front().x, worse_y});
    corners.push_back({worse_x, corners.back().y});
  } else {
    corners.insert(corners.begin(), {worse_x, corners.front().y});
    corners.push_back({corners.back().x, worse_y});
  }
  if ((shade >> IM_COL32_A_SHIFT) != 0) {
    for (std::size_t k = 0; k + 1 < corners.size(); ++k) {
      if (corners[k].x == corners[k + 1].x) continue;
      draw->AddRectFilled({std::min(corners[k].x, corners[k + 1].x), std::min(corners[k].y, worse_y)},
                          {std::max(corners[k].x, corners[k + 1].x), std::max(corners[k].y, worse_y)}, shade);
    }
  }
  draw->AddPolyline(corners.data(), static_cast<int>(corners.size()), ink, px(1.5F));
}

void draw_density(ImDrawList* draw, State& state, const Screen& screen, ImU32 ink) {
  const float cell = px(4);
  const auto columns = static_cast<std::size_t>(std::max(1.0F, (screen.high.x - screen.low.x) / cell));
  const auto lines = static_cast<std::size_t>(std::max(1.0F, (screen.high.y - screen.low.y) / cell));
  const ImPlotRect limits = ImPlot::GetPlotLimits();
  const Density& map = state.density_of_cloud({limits.X.Min, limits.X.Max, limits.Y.Min, limits.Y.Max}, columns, lines);
  const ImU32 plain = ink & ~IM_COL32_A_MASK;
  for (std::size_t i = 0; i < map.count.size(); ++i) {
    if (map.count[i] == 0) continue;
    const double share = std::log1p(map.count[i]) / std::log1p(map.most);
    const ImVec2 a =
        screen.at(limits.X.Min + limits.X.Size() * static_cast<double>(i % columns) / static_cast<double>(columns),
                  limits.Y.Min + limits.Y.Size() * static_cast<double>(i / columns) / static_cast<double>(lines));
    const ImVec2 step(static_cast<float>(screen.x_scale * limits.X.Size() / static_cast<double>(columns)),
                      static_cast<float>(screen.y_scale * limits.Y.Size() / static_cast<double>(lines)));
    const ImVec2 b = a + step;
    draw->AddRectFilled({std::min(a.x, b.x), std::min(a.y, b.y)}, {std::max(a.x, b.x), std::max(a.y, b.y)},
                        plain | static_cast<ImU32>(40 + 200 * share) << IM_COL32_A_SHIFT);
  }
}

using Boxes = std::vector<std::pair<ImVec2, ImVec2>>;

/// Readable on whatever lies below; its box is added to those that are taken.
void draw_label(ImDrawList* draw, ImVec2 low, ImU32 ink, const std::string& text, Boxes& taken) {
  const ImVec2 high = low + ImGui::CalcTextSize(text.c_str());
  draw->AddRectFilled(low - ImVec2(px(2), 0), high + ImVec2(px(2), 0), ImGui::GetColorU32(ImGuiCol_WindowBg, 0.8F),
                      px(3));
  draw->AddText(low, ink, text.c_str());
  taken.emplace_back(low, high);
}

/// Names of baselines and of the current point, moved up or down so that none lies on another.
void draw_names(ImDrawList* draw, State& state, const Cloud& cloud, const Screen& screen, Boxes taken) {
  const auto place = [&](std::uint32_t i, ImU32 ink) {
    const std::string name = state.row_name(cloud.rows[i]);
    const ImVec2 size = ImGui::CalcTextSize(name.c_str());
    const ImVec2 p = screen.at(cloud.xs[i], cloud.ys[i]);
    if (!screen.inside(p)) return;
    for (const ImVec2& offset :
         {ImVec2(px(10), -size.y / 2), ImVec2(-size.x - px(10), -size.y / 2), ImVec2(-size.x / 2, -size.y - px(8)),
          ImVec2(-size.x / 2, px(8)), ImVec2(px(8), -size.y - px(6)), ImVec2(px(8), px(6))}) {
      const ImVec2 low = p + offset, high = low + size;
      if (!screen.inside(low) || !screen.inside(high)) continue;
      const bool free = std::ranges::none_of(taken, [&](const auto& other) {
        return low.x < other.second.x && high.x > other.first.x && low.y < other.second.y && high.y > other.first.y;
      });
      if (!free) continue;
      draw_label(draw, low, ink, name, taken);
      return;
    }
  };
  for (const std::uint32_t i : cloud.staircase) {
    const ImVec2 p = screen.at(cloud.xs[i], cloud.ys[i]);
    taken.emplace_back(p - ImVec2(px(5), px(5)), p + ImVec2(px(5), px(5)));
  }
  const std::size_t own = cloud.index_of(state.current);
  if (own != Cloud::kNone) place(static_cast<std::uint32_t>(own), colours().ink);
  for (const std::uint32_t i : cloud.baselines) {
    if (i != own) place(i, colours().baseline);
  }
}

void draw_controls(State& state) {
  const auto& metrics = state.results()->metrics;
  const float combo = px(150);
  ImGui::AlignTextToFramePadding();
  muted_text("Y");
  ImGui::SameLine();
  std::string x = state.view.x, y = state.view.y;
  if (metric_combo("##y", y, metrics, combo)) state.set_axes(x, y);
  ImGui::SameLine();
  muted_text("X");
  ImGui::SameLine();
  if (metric_combo("##x", x, metrics, combo)) state.set_axes(x, y);
  ImGui::SameLine();
  if (ImGui::Button("View")) ImGui::OpenPopup("view");
  hint("Logarithms, directions, error bars, names");
  if (ImGui::BeginPopup("view")) {
    const Cloud& cloud = state.cloud();
    ImGui::BeginDisabled(!cloud.x.can_log);
    if (ImGui::Checkbox("Logarithmic X", &state.view.x_log)) state.fit = true;
    ImGui::EndDisabled();
    ImGui::BeginDisabled(!cloud.y.can_log);
    if (ImGui::Checkbox("Logarithmic Y", &state.view.y_log)) state.fit = true;
    ImGui::EndDisabled();
    ImGui::Checkbox("X from right to left", &state.view.invert_x);
    ImGui::Checkbox("Y from top to bottom", &state.view.invert_y);
    ImGui::Separator();
    ImGui::Checkbox("Staircase and dominated area", &state.view.staircase);
    ImGui::Checkbox("Error bars of the front", &state.view.error_bars);
    ImGui::Checkbox("Names", &state.view.names);
    ImGui::Checkbox("Layouts outside the constraints", &state.view.infeasible);
    ImGui::EndPopup();
  }
  ImGui::SameLine();
  if (ImGui::Button("Fit")) state.fit = true;
  hint("Show all points (F)");
  if (state.table()->trials > 1) {
    ImGui::SameLine();
    const float room = ImGui::GetContentRegionAvail().x;
    if (room > px(120)) {
      int until = static_cast<int>(std::min(state.until, state.table()->trials));
      const int all = static_cast<int>(state.table()->trials);
      ImGui::SetNextItemWidth(std::min(room, px(260)));
      const std::string text =
          until == all ? fmt::format("all {} trials", spec::grouped(state.table()->trials))
                       : fmt::format("first {} of {} trials", spec::grouped(static_cast<std::size_t>(until)),
                                     spec::grouped(state.table()->trials));
      if (ImGui::SliderInt("##History", &until, 1, all, text.c_str(), ImGuiSliderFlags_AlwaysClamp)) {
        state.until = until == all ? SIZE_MAX : static_cast<std::size_t>(until);
      }
      hint("The frontier as it was after so many trials");
    }
  }
}

/// Shape and colour of each class that is there, in one line below the plot.
void draw_legend(State& state, const Cloud& cloud) {
  ImDrawList* draw = ImGui::GetWindowDrawList();
  const auto entry = [&](PointKind kind, const char* text, ImU32 ink) {
    if (!cloud.has(kind)) return;
    const ImVec2 at = ImGui::GetCursorScreenPos() + ImVec2(px(6), ImGui::GetTextLineHeight() / 2);
    if (kind == PointKind::front || kind == PointKind::baseline) {
      draw_marker(draw, at, kind, search::Source::prior, px(4.5F), ink, 0);
    } else {
      draw->AddRectFilled(at - ImVec2(px(2.5F), px(2.5F)), at + ImVec2(px(2.5F), px(2.5F)), ink);
    }
    ImGui::Dummy({px(12), ImGui::GetTextLineHeight()});
    ImGui::SameLine(0, px(2));
    muted_text(text);
    ImGui::SameLine(0, px(14));
  };
  entry(PointKind::front, "front of these two", colours().front);
  entry(PointKind::study_front, "front of all objectives", colours().study_front);
  entry(PointKind::dominated, "dominated", colours().dominated);
  if (state.view.infeasible) entry(PointKind::infeasible, "outside constraints", colours().infeasible);
  entry(PointKind::baseline, "baseline", colours().baseline);
  if (state.overlay_cloud() != nullptr) {
    const ImVec2 at = ImGui::GetCursorScreenPos() + ImVec2(px(6), ImGui::GetTextLineHeight() / 2);
    draw->AddCircle(at, px(4), colours().overlay, 0, px(1.5F));
    ImGui::Dummy({px(12), ImGui::GetTextLineHeight()});
    ImGui::SameLine(0, px(2));
    muted_text("front of " + state.overlay.results->spec.name + ", laid over");
    ImGui::SameLine(0, px(14));
  }
  const double share = state.views().dominated;
  const std::string text = fmt::format("dominated area {:.1f} %", 100 * share);
  if (share > 0 && ImGui::GetContentRegionAvail().x > ImGui::CalcTextSize(text.c_str()).x) {
    muted_text(text);
    hint("Share of the box around all feasible points that the front of these two metrics dominates");
  } else {
    ImGui::NewLine();
  }
}

/// A point of the front that is laid over: said, not opened, since it is of another study.
void overlay_tooltip(State& state, const Screen& screen) {
  const Cloud* other = state.overlay_cloud();
  if (other == nullptr) return;
  const ImVec2 mouse = ImGui::GetMousePos();
  for (const std::uint32_t i : other->staircase) {
    const ImVec2 apart = screen.at(other->xs[i], other->ys[i]) - mouse;
    if (apart.x * apart.x + apart.y * apart.y > px(8) * px(8)) continue;
    const search::Trial& trial = app::trial_at(*state.overlay.results, other->rows[i]);
    ImGui::BeginTooltip();
    ImGui::Text("%s, trial %s", state.overlay.results->spec.name.c_str(), trial.id.c_str());
    ImGui::TextUnformatted(trial.layout.c_str());
    for (const std::string& metric : {other->x.metric, other->y.metric}) {
      const app::TrialTable::Column& column = *state.overlay.table->find(metric);
      muted_text(fmt::format("{}: {}", metric_title(column.metric), value_text(column, other->rows[i])));
    }
    ImGui::EndTooltip();
    return;
  }
}

/// Box select: Shift and drag. Returns true while the box is open.
bool draw_box_select(ImDrawList* draw, State& state, const Cloud& cloud, const Screen& screen) {
  ImGuiStorage* storage = ImGui::GetStateStorage();
  const ImGuiID open = ImGui::GetID("box"), x0 = ImGui::GetID("box x"), y0 = ImGui::GetID("box y");
  const ImGuiIO& io = ImGui::GetIO();
  if (ImPlot::IsPlotHovered() && io.KeyShift && ImGui::IsMouseClicked(ImGuiMouseButton_Left)) {
    storage->SetBool(open, true);
    storage->SetFloat(x0, io.MousePos.x);
    storage->SetFloat(y0, io.MousePos.y);
  }
  if (!storage->GetBool(open)) return false;
  const ImVec2 a(storage->GetFloat(x0), storage->GetFloat(y0)), b = io.MousePos;
  const ImVec2 low(std::min(a.x, b.x), std::min(a.y, b.y)), high(std::max(a.x, b.x), std::max(a.y, b.y));
  draw->AddRectFilled(low, high, colours().shade);
  draw->AddRect(low, high, colours().front);
  if (ImGui::IsMouseDown(ImGuiMouseButton_Left)) return true;
  storage->SetBool(open, false);
  if (high.x - low.x < px(4) && high.y - low.y < px(4)) return false;  // a click
  std::vector<std::size_t> rows;
  const std::vector<std::uint8_t>& shown = state.shown();
  for (std::size_t i = 0; i < cloud.size(); ++i) {
    const ImVec2 p = screen.at(cloud.xs[i], cloud.ys[i]);
    const bool in_box = p.x >= low.x && p.x <= high.x && p.y >= low.y && p.y <= high.y;
    if (in_box && shown[cloud.rows[i]] != 0) rows.push_back(cloud.rows[i]);
  }
  state.select_all(rows, io.KeyCtrl);
  return true;
}

}  // namespace

void draw_frontier(State& state) {
  if (!state.has_rows()) {
    const app::Phase phase = state.snapshot.phase;
    centred_hint(
        phase == app::Phase::loading ? fmt::format("Reading, {:.0f} %", 100 * state.snapshot.share_read)
        : phase == app::Phase::running
            ? "The first trials are being evaluated."
            : "No study is open.\n\nCtrl+O opens the folder of a search, Ctrl+N starts a new one, and Help > Open "
              "the sample study shows what there is to see. A folder may also be dropped here.");
    return;
  }
  draw_controls(state);
  const Views views = state.views();  // held: a click may ask for others
  const Cloud& cloud = *views.cloud;
  const std::vector<std::uint8_t>& shown = views.shown->rows;
  ImPlotInputMap& input = ImPlot::GetInputMap();
  input.OverrideMod = ImGuiMod_Shift;
  const float below = ImGui::GetTextLineHeightWithSpacing() + px(2);
  if (!ImPlot::BeginPlot(
          "##frontier", {-1, -below},
          ImPlotFlags_NoLegend | ImPlotFlags_NoMouseText | ImPlotFlags_NoBoxSelect | ImPlotFlags_NoMenus)) {
    return;
  }
  // What a search adds is followed for as long as nobody has moved the plot.
  const std::array<double, 4> all{cloud.x.low, cloud.x.high, cloud.y.low, cloud.y.high};
  FrontierBox& box = state.frontier_box;
  const bool follows = box.now == box.fitted && state.until == SIZE_MAX;
  const bool fits = state.fit || (follows && all != box.all);
  set_up_axis(ImAxis_X1, cloud.x, state.view.invert_x, fits);
  set_up_axis(ImAxis_Y1, cloud.y, state.view.invert_y, fits);
  state.fit = false;
  ImPlot::SetupFinish();
  const ImPlotRect limits = ImPlot::GetPlotLimits();
  box.now = {limits.X.Min, limits.X.Max, limits.Y.Min, limits.Y.Max};
  if (fits) box.all = all, box.fitted = box.now;
  const Screen screen = screen_of_plot();
  ImDrawList* draw = ImPlot::GetPlotDrawList();
  const ImU32 ground = ImGui::GetColorU32(ImGuiCol_WindowBg);
  ImPlot::PushPlotClipRect();
  const Cloud* other = state.overlay_cloud();
  if (other != nullptr) draw_staircase(draw, *other, screen, colours().overlay, 0);
  if (state.view.staircase) draw_staircase(draw, cloud, screen, colours().front, colours().shade);
  if (cloud.size() >= kDensityFrom) {
    draw_density(draw, state, screen, colours().dominated);
  } else {
    const float radius = px(cloud.size() > 20'000 ? 1.0F : 2.2F);
    if (state.view.infeasible) {
      draw_squares(draw, cloud, screen, shown, PointKind::infeasible, colours().infeasible, radius);
    }
    draw_squares(draw, cloud, screen, shown, PointKind::dominated, colours().dominated, radius);
    draw_squares(draw, cloud, screen, shown, PointKind::study_front, colours().study_front, radius * 1.2F);
  }
  if (state.view.error_bars) draw_error_bars(draw, state, cloud, screen, colours().faint);
  const app::TrialTable::Column* y_column = state.table()->find(cloud.y.metric);
  for (const std::vector<std::uint32_t>* points : {&cloud.staircase, &cloud.baselines}) {
    for (const std::uint32_t i : *points) {
      const std::uint32_t row = cloud.rows[i];
      const PointKind kind = cloud.kinds[i];
      const bool dim = shown[row] == 0;
      const ImU32 ink = dim ? colours().infeasible : kind == PointKind::front ? colours().front : colours().baseline;
      draw_marker(draw, screen.at(cloud.xs[i], cloud.ys[i]), kind, y_column->source[row], px(4.5F), ink, ground);
    }
  }
  if (other != nullptr) {
    for (const std::uint32_t i : other->staircase) {
      draw->AddCircle(screen.at(other->xs[i], other->ys[i]), px(5.5F), colours().overlay, 0, px(1.5F));
    }
  }
  const auto ring = [&](std::size_t row, float radius, ImU32 ink, float width) {
    const std::size_t i = cloud.index_of(row);
    if (i != Cloud::kNone) draw->AddCircle(screen.at(cloud.xs[i], cloud.ys[i]), px(radius), ink, 0, px(width));
  };
  const std::vector<std::size_t>& selected = state.selection();
  for (std::size_t k = 0; k < selected.size(); k += 1 + selected.size() / kMostRings) {
    ring(selected[k], 7, colours().selection, 2.5F);
  }
  ring(state.hovered, 9, colours().ink, 1.5F);
  // The layout in the editor, where it stands now.
  Boxes taken;
  if (const app::WhatIf::Answer* now = state.answer();
      now != nullptr && !(state.document.layout == state.document.reference)) {
    const auto x = now->scores.find(cloud.x.metric), y = now->scores.find(cloud.y.metric);
    if (x != now->scores.end() && y != now->scores.end() && (!cloud.x.log || x->second.value > 0)) {
      const ImVec2 p = screen.at(cloud.x.coordinate(x->second.value), cloud.y.coordinate(y->second.value));
      draw->AddLine(p - ImVec2(px(7), 0), p + ImVec2(px(7), 0), colours().ink, px(2));
      draw->AddLine(p - ImVec2(0, px(7)), p + ImVec2(0, px(7)), colours().ink, px(2));
      draw_label(draw, p + ImVec2(px(9), px(2)), colours().ink, "edited", taken);
    }
  }
  if (state.view.names) draw_names(draw, state, cloud, screen, taken);
  const bool boxing = draw_box_select(draw, state, cloud, screen);
  ImPlot::PopPlotClipRect();

  if (ImPlot::IsPlotHovered() && !boxing) {
    const ImPlotPoint mouse = ImPlot::GetPlotMousePos();
    const std::size_t found = state.pick_index().nearest(cloud, mouse.x, mouse.y, std::abs(screen.x_scale),
                                                         std::abs(screen.y_scale), px(kPickRadius));
    if (found != PickIndex::kNone) {
      const std::uint32_t row = cloud.rows[found];
      state.hover = row;
      row_tooltip(state, row);
      const ImVec2 drag = ImGui::GetMouseDragDelta(ImGuiMouseButton_Left, 0);
      if (ImGui::IsMouseReleased(ImGuiMouseButton_Left) && std::abs(drag.x) + std::abs(drag.y) < px(4)) {
        state.select(row, ImGui::GetIO().KeyCtrl || ImGui::GetIO().KeyShift);
      }
    }
    if (found == PickIndex::kNone) overlay_tooltip(state, screen);
    if (ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left)) state.fit = true;
  }
  ImPlot::EndPlot();
  draw_legend(state, cloud);
}

ViewWriter save_frontier(State& state, FileKind kind, const report::FigureOptions& options) {
  if (!state.has_rows()) return {};
  return [results = state.snapshot.results, x = state.view.x, y = state.view.y, kind, options] {
    if (kind == FileKind::csv) return report::to_csv(app::result_table(*results));
    const report::Figure figure = app::frontier_figure(*results, x, y);
    return kind == FileKind::svg ? report::to_svg(figure, options) : as_text(report::to_png(figure, options));
  };
}

}  // namespace plait::gui
