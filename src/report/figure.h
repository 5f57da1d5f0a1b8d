#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "search/objective.h"

/// What a frontier figure shows, as plain data. The writers in `report.h` turn it into text, SVG, PNG or HTML; none of
/// them prints or touches files. Strings are UTF-8; what a format cannot hold (control characters, broken sequences)
/// is written as U+FFFD.
namespace plait::report {

struct Axis {
  std::string label;
  std::string unit = "1";  ///< see `display_unit` in number_format.h for the units that are scaled
  search::Direction direction = search::Direction::minimize;
  std::optional<bool> log{};  ///< nothing: logarithmic when the values are positive and span over two decades
};

/// One line of what else is known about a point, ready to be shown.
struct Detail {
  std::string name;
  std::string value;
};

/// One layout with its two coordinates.
struct FigurePoint {
  std::string trial;    ///< id, as `plait export --trial` takes it
  std::string name;     ///< of a baseline or a published layout; may be empty
  std::string layout;   ///< notation
  std::string letters;  ///< one character per layer; empty when the figure is not about layouts
  double x = 0;
  double y = 0;
  std::optional<double> x_deviation{};
  std::optional<double> y_deviation{};
  search::Source source = search::Source::exact;  ///< of y; chooses the marker
  bool on_front = false;
  bool feasible = true;
  bool is_baseline = false;
  std::string
      measured{};  ///< not empty: `Figure::measured_label` was measured on this point and is this; marked by a ring
  std::vector<Detail> details{};
};

/// What a letter of the strips stands for. `colour` indexes the mixer palette (palette.h).
struct MixerKey {
  char letter = ' ';
  std::string label;
  std::size_t colour = 0;

  bool operator==(const MixerKey&) const = default;
};

struct Figure {
  std::string title;     ///< what the figure is
  std::string subtitle;  ///< study, model, hardware, context
  Axis x;
  Axis y;
  std::vector<FigurePoint> points;
  std::vector<MixerKey> mixers;  ///< legend of the strips, in order
  std::vector<std::string> notes{};
  std::string measured_label{};  ///< what the rings say was measured; empty: nothing
};

/// Throws SpecError with one located problem per coordinate or deviation that is not finite or beyond 1e300, per
/// negative deviation, and per coordinate that cannot stand on an axis whose `log` is set. Every writer calls it first.
void validate(const Figure& figure);

/// a is at least as good as b on both axes and better on one.
bool dominates(const Figure& figure, const FigurePoint& a, const FigurePoint& b);

/// Sets `on_front` of every feasible point that no feasible point dominates, and clears it elsewhere. O(n log n).
void mark_front(Figure& figure);

/// Indices of the points with `on_front` that no other such point dominates on these two axes, one per distinct
/// coordinate pair, from the best x to the best y. A front over more objectives than two shows its 2-D edge this way.
std::vector<std::size_t> front_edge(const Figure& figure);

/// At most `count` entries of `edge`, its two ends first and then the one farthest from those chosen (in coordinates
/// scaled to the edge's own box), in the order of `edge`.
std::vector<std::size_t> representatives(const Figure& figure, std::span<const std::size_t> edge, std::size_t count);

/// Legend for every letter that occurs in the points, with the labels and colours of `spec::mixer_table()`; letters
/// that are not in it ('#', parallel layers, stands for ParallelMixer) are labelled with themselves.
std::vector<MixerKey> mixer_legend(std::span<const FigurePoint> points);

/// The legend's entry for `letter`, or nullptr.
const MixerKey* find_mixer(const Figure& figure, char letter);

}  // namespace plait::report
