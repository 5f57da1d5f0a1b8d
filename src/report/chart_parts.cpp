#include "src/report/chart_parts.h"

namespace plait::report {

double text_width(std::string_view text, double size, Weight weight) { return Font::get(weight).width(text, size); }

void draw_label(Canvas& canvas, Point where, std::string_view text, double size, Colour colour, Anchor anchor,
                Weight weight) {
  canvas.text(where, text, {.size = size, .colour = colour, .anchor = anchor, .weight = weight});
}

double draw_heading(Canvas& canvas, const Palette& colours, double width, const std::string& title,
                    const std::string& subtitle) {
  const double room = width - 2 * kMargin;
  double top = kMargin + 14;
  draw_label(canvas, {kMargin, top}, fit_text(title, room, kTitleSize, Weight::bold), kTitleSize, colours.ink,
             Anchor::start, Weight::bold);
  top += 20;
  if (subtitle.empty()) return top;
  draw_label(canvas, {kMargin, top}, fit_text(subtitle, room, kSubtitleSize), kSubtitleSize, colours.muted);
  return top + kLineHeight;
}

double draw_notes(Canvas& canvas, const Palette& colours, double width, double height,
                  const std::vector<std::string>& notes) {
  double bottom = height - kMargin;
  for (std::size_t i = notes.size(); i-- > 0; bottom -= 14) {
    draw_label(canvas, {kMargin, bottom}, fit_text(notes[i], width - 2 * kMargin, kSmallSize), kSmallSize,
               colours.muted);
  }
  return bottom;
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

}  // namespace plait::report
