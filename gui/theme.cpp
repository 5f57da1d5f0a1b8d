#include "gui/theme.h"

#include <implot.h>

#include <algorithm>
#include <array>
#include <span>

#include "src/spec/embedded_file.h"

namespace plait::embedded {
std::span<const spec::EmbeddedFile> gui_fonts();
}

namespace plait::gui {
namespace {

constexpr float kFontSize = 16;

// Kept in the font atlas of the context that is current: no global state beside Dear ImGui's own.
constexpr int kBold = 1, kCode = 2;

ImFont* font(int index) {
  const ImFontAtlas* atlas = ImGui::GetIO().Fonts;
  return atlas->Fonts.Size > index ? atlas->Fonts[index] : nullptr;
}

ImVec4 vec(report::Colour c, double alpha = 1) {
  return {static_cast<float>(c.red) / 255, static_cast<float>(c.green) / 255, static_cast<float>(c.blue) / 255,
          static_cast<float>(c.alpha * alpha)};
}

report::Colour mix(report::Colour a, report::Colour b, double share) {
  const auto channel = [&](std::uint8_t x, std::uint8_t y) { return static_cast<std::uint8_t>(x + (y - x) * share); };
  return {channel(a.red, b.red), channel(a.green, b.green), channel(a.blue, b.blue), 1};
}

Colours make_colours(report::Theme theme) {
  const report::Palette& p = report::palette(theme);
  const bool dark = theme == report::Theme::dark;
  return {.ink = colour(p.ink),
          .muted = colour(p.muted),
          .faint = colour(p.muted, 0.45),
          .grid = colour(p.grid),
          .panel = colour(mix(p.background, p.muted, dark ? 0.10 : 0.05)),
          .front = colour(p.front),
          .study_front = colour(p.front, 0.65),
          .dominated = colour(p.dominated, 0.55),
          .infeasible = colour(p.dominated, 0.3),
          .baseline = colour(p.baseline),
          .selection = colour(report::rgb(dark ? 0xf0e442 : 0xcc79a7)),
          .overlay = line_colour(2),
          .better = colour(report::rgb(dark ? 0x3fbf9a : 0x00795a)),
          .worse = colour(p.baseline),
          .shade = colour(p.front, 0.07)};
}

bool is_dark() { return ImGui::GetStyle().Colors[ImGuiCol_WindowBg].x < 0.5F; }

}  // namespace

ImU32 colour(report::Colour c, double alpha) { return ImGui::ColorConvertFloat4ToU32(vec(c, alpha)); }

const Colours& colours() {
  static const std::array<Colours, 2> kBoth = {make_colours(report::Theme::light), make_colours(report::Theme::dark)};
  return kBoth[is_dark() ? 1 : 0];
}

float px(float length) { return length * ImGui::GetFontSize() / kFontSize; }

void apply_theme(report::Theme theme, double scale) {
  const report::Palette& p = report::palette(theme);
  const bool dark = theme == report::Theme::dark;
  ImGuiStyle style;
  if (dark) {
    ImGui::StyleColorsDark(&style);
  } else {
    ImGui::StyleColorsLight(&style);
  }
  style.FontSizeBase = kFontSize;
  style.WindowPadding = {10, 8};
  style.FramePadding = {8, 4};
  style.ItemSpacing = {8, 6};
  style.CellPadding = {8, 3};
  style.WindowRounding = 6;
  style.ChildRounding = 4;
  style.FrameRounding = 4;
  style.PopupRounding = 6;
  style.GrabRounding = 4;
  style.TabRounding = 4;
  style.ScrollbarSize = 12;
  style.ScrollbarRounding = 6;
  style.WindowBorderSize = 1;
  style.FrameBorderSize = 0;
  style.TabBarOverlineSize = 2;
  style.DockingSeparatorSize = 3;
  style.WindowMenuButtonPosition = ImGuiDir_None;
  style.DockingNodeHasCloseButton = false;  // every tab has its own
  style.ScaleAllSizes(static_cast<float>(scale));
  style.FontScaleMain = static_cast<float>(scale);

  const auto set = [&](ImGuiCol which, report::Colour c, double alpha = 1) { style.Colors[which] = vec(c, alpha); };
  const report::Colour frame = mix(p.background, p.muted, dark ? 0.24 : 0.16);
  const report::Colour chrome = mix(p.background, p.muted, dark ? 0.10 : 0.07);
  set(ImGuiCol_Text, p.ink);
  set(ImGuiCol_TextDisabled, p.muted);
  set(ImGuiCol_WindowBg, p.background);
  set(ImGuiCol_ChildBg, p.background, 0);
  set(ImGuiCol_PopupBg, mix(p.background, p.muted, dark ? 0.12 : 0.0));
  set(ImGuiCol_Border, p.grid);
  set(ImGuiCol_FrameBg, frame);
  set(ImGuiCol_FrameBgHovered, mix(frame, p.front, 0.15));
  set(ImGuiCol_FrameBgActive, mix(frame, p.front, 0.30));
  set(ImGuiCol_TitleBg, chrome);
  set(ImGuiCol_TitleBgActive, chrome);
  set(ImGuiCol_TitleBgCollapsed, chrome);
  set(ImGuiCol_MenuBarBg, chrome);
  set(ImGuiCol_ScrollbarBg, p.background, 0);
  set(ImGuiCol_ScrollbarGrab, mix(p.background, p.muted, 0.4));
  set(ImGuiCol_ScrollbarGrabHovered, mix(p.background, p.muted, 0.6));
  set(ImGuiCol_ScrollbarGrabActive, p.muted);
  set(ImGuiCol_CheckMark, p.front);
  set(ImGuiCol_SliderGrab, p.front, 0.75);
  set(ImGuiCol_SliderGrabActive, p.front);
  set(ImGuiCol_Button, frame);
  set(ImGuiCol_ButtonHovered, mix(frame, p.front, 0.25));
  set(ImGuiCol_ButtonActive, mix(frame, p.front, 0.45));
  set(ImGuiCol_Header, p.front, 0.18);
  set(ImGuiCol_HeaderHovered, p.front, 0.26);
  set(ImGuiCol_HeaderActive, p.front, 0.36);
  set(ImGuiCol_Separator, p.grid);
  set(ImGuiCol_SeparatorHovered, p.front, 0.5);
  set(ImGuiCol_SeparatorActive, p.front);
  set(ImGuiCol_ResizeGrip, p.muted, 0.1);
  set(ImGuiCol_ResizeGripHovered, p.front, 0.5);
  set(ImGuiCol_ResizeGripActive, p.front);
  set(ImGuiCol_Tab, chrome);
  set(ImGuiCol_TabHovered, mix(chrome, p.front, 0.25));
  set(ImGuiCol_TabSelected, p.background);
  set(ImGuiCol_TabSelectedOverline, p.front);
  set(ImGuiCol_TabDimmed, chrome);
  set(ImGuiCol_TabDimmedSelected, p.background);
  set(ImGuiCol_TabDimmedSelectedOverline, p.front, 0.35);
  set(ImGuiCol_DockingPreview, p.front, 0.35);
  set(ImGuiCol_DockingEmptyBg, chrome);
  set(ImGuiCol_TableHeaderBg, chrome);
  set(ImGuiCol_TableBorderStrong, p.grid);
  set(ImGuiCol_TableBorderLight, p.grid);
  set(ImGuiCol_TableRowBgAlt, p.muted, 0.05);
  set(ImGuiCol_TextSelectedBg, p.front, 0.35);
  set(ImGuiCol_NavCursor, p.front);
  set(ImGuiCol_PlotHistogram, p.front, 0.45);  // words stand on it
  set(ImGuiCol_ModalWindowDimBg, report::rgb(0x000000), dark ? 0.5 : 0.25);
  ImGui::GetStyle() = style;

  ImPlotStyle& plot = ImPlot::GetStyle();
  plot = ImPlotStyle();
  if (dark) {
    ImPlot::StyleColorsDark(&plot);
  } else {
    ImPlot::StyleColorsLight(&plot);
  }
  plot.Colors[ImPlotCol_FrameBg] = vec(p.background, 0);
  plot.Colors[ImPlotCol_PlotBg] = vec(p.background, 0);
  plot.Colors[ImPlotCol_PlotBorder] = vec(p.axis, 0.6);
  plot.Colors[ImPlotCol_AxisGrid] = vec(p.grid);
  plot.Colors[ImPlotCol_AxisText] = vec(p.muted);
  plot.Colors[ImPlotCol_InlayText] = vec(p.muted);
  plot.Colors[ImPlotCol_LegendBg] = vec(p.background, 0.85);
  plot.Colors[ImPlotCol_LegendBorder] = vec(p.grid);
  plot.PlotPadding = {static_cast<float>(6 * scale), static_cast<float>(6 * scale)};
  plot.LabelPadding = {static_cast<float>(5 * scale), static_cast<float>(4 * scale)};
  plot.MajorTickLen = {0, 0};
  plot.MinorTickLen = {0, 0};
  plot.MinorAlpha = 0.4F;
}

void load_fonts() {
  ImFontAtlas* atlas = ImGui::GetIO().Fonts;
  ImFontConfig config;
  config.FontDataOwnedByAtlas = false;
  for (const spec::EmbeddedFile& file : embedded::gui_fonts()) {
    atlas->AddFontFromMemoryTTF(const_cast<char*>(file.content.data()), static_cast<int>(file.content.size()),
                                kFontSize, &config);
  }
}

ImFont* bold_font() { return font(kBold); }
ImFont* code_font() { return font(kCode); }

ImU32 line_colour(std::size_t index) {
  // Okabe and Ito's set, without the colours that vanish on a white or black ground.
  constexpr std::array kLines = {0x0072b2U, 0xd55e00U, 0x009e73U, 0xcc79a7U, 0xe69f00U,
                                 0x56b4e9U, 0x882255U, 0x999933U, 0x44aa99U};
  return colour(report::rgb(kLines[index % kLines.size()]));
}

}  // namespace plait::gui
