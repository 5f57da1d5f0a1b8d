#include <algorithm>
#include <cmath>

#include "gui/theme.h"
#include "gui/widgets/widgets.h"
#include "src/spec/mixer.h"

namespace plait::gui {
namespace {

std::size_t mixer_row(char letter) {
  const auto table = spec::mixer_table();
  const auto at = std::ranges::find(table, letter, &spec::MixerInfo::letter);
  return at == table.end() ? table.size() - 1 : static_cast<std::size_t>(at - table.begin());
}

}  // namespace

ImU32 mixer_letter_colour(char letter) { return colour(report::mixer_colour(mixer_row(letter))); }
ImU32 mixer_letter_ink(char letter) { return colour(report::text_on(report::mixer_colour(mixer_row(letter)))); }
std::string mixer_letter_name(char letter) { return std::string(spec::mixer_table()[mixer_row(letter)].label); }

ImVec2 StripPlaces::cell(std::size_t index) const {
  return {corner.x + static_cast<float>(index % columns) * cell_width,
          corner.y + static_cast<float>(index / columns) * line_height};
}

float StripPlaces::height(std::size_t cells) const {
  return static_cast<float>((std::max<std::size_t>(cells, 1) + columns - 1) / columns) * line_height;
}

StripPlaces strip_places(ImVec2 corner, std::size_t cells, const StripOptions& options) {
  StripPlaces places{.corner = corner};
  const float width = options.width > 0 ? options.width : ImGui::GetContentRegionAvail().x;
  const float narrowest = ImGui::GetFontSize() * 0.9F, widest = ImGui::GetFontSize() * 2.2F;
  const auto fit = static_cast<std::size_t>(std::max(1.0F, width / narrowest));
  const std::size_t lines = (std::max<std::size_t>(cells, 1) + fit - 1) / fit;
  places.columns = (std::max<std::size_t>(cells, 1) + lines - 1) / lines;
  places.cell_width = std::min(std::floor(width / static_cast<float>(places.columns)), widest);
  places.cell_height = options.height > 0 ? options.height : ImGui::GetTextLineHeight() + px(2);
  places.line_height = places.cell_height + px(3) + (options.numbers ? ImGui::GetTextLineHeight() * 0.8F : 0);
  return places;
}

std::optional<std::size_t> draw_strip(const std::string& letters, const StripOptions& options) {
  const StripPlaces places = strip_places(ImGui::GetCursorScreenPos(), letters.size(), options);
  ImDrawList* draw = ImGui::GetWindowDrawList();
  std::optional<std::size_t> under;
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const ImVec2 low = places.cell(i);
    const ImVec2 high = low + ImVec2(places.cell_width - px(1), places.cell_height);
    report::Colour fill = report::mixer_colour(mixer_row(letters[i]));
    const bool dimmed = options.marked != nullptr && !(i < options.marked->size() && (*options.marked)[i]);
    draw->AddRectFilled(low, high, colour(fill, dimmed ? 0.22 : 1), px(2));
    if (places.cell_width >= ImGui::GetFontSize() * 0.7F) {
      const char text[] = {letters[i], 0};
      const ImVec2 size = ImGui::CalcTextSize(text);
      const ImU32 ink = dimmed ? colours().muted : colour(report::text_on(fill));
      draw->AddText(low + (high - low - size) * 0.5F, ink, text);
    }
    if (options.selected == i) {
      draw->AddRect(low - ImVec2(px(1.5F), px(1.5F)), high + ImVec2(px(1.5F), px(1.5F)), colours().ink, px(3), px(2));
    }
    const bool labelled = options.numbers && (i % 4 == 0 || i + 1 == letters.size());
    if (labelled) {
      const std::string number = std::to_string(i);
      const float font = ImGui::GetFontSize() * 0.75F;
      const ImVec2 size = ImGui::GetFont()->CalcTextSizeA(font, FLT_MAX, 0, number.c_str());
      draw->AddText(ImGui::GetFont(), font, {low.x + (places.cell_width - size.x) / 2, high.y + px(2)},
                    i == options.selected ? colours().ink : colours().muted, number.c_str());
    }
    if (mouse.x >= low.x && mouse.x < high.x + px(1) && mouse.y >= low.y && mouse.y < high.y) under = i;
  }
  ImGui::Dummy({static_cast<float>(std::min(places.columns, letters.size())) * places.cell_width,
                places.height(letters.size())});
  return under;
}

}  // namespace plait::gui
