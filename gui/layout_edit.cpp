#include "gui/layout_edit.h"

#include <algorithm>
#include <numeric>
#include <optional>

namespace plait::gui {
namespace {

/// The layers of `layout` in the order of `sources`, their old places.
spec::Layout arranged(const spec::Layout& layout, const std::vector<std::size_t>& sources) {
  spec::Layout out;
  for (const std::size_t source : sources) out.layers.push_back(layout.layers[source]);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto follow = [&](std::optional<std::size_t>& link) {
      if (!link) return;
      const auto at = std::ranges::find(sources, *link);
      const auto place = static_cast<std::size_t>(at - sources.begin());
      link = at == sources.end() || place >= i ? std::nullopt : std::optional(place);
    };
    follow(out.layers[i].kv_from);
    follow(out.layers[i].weights_from);
  }
  return out;
}

std::vector<std::size_t> places(const spec::Layout& layout) {
  std::vector<std::size_t> all(layout.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

}  // namespace

spec::Layout move_layer(spec::Layout layout, std::size_t from, std::size_t to) {
  if (from >= layout.size() || to >= layout.size() || from == to) return layout;
  std::vector<std::size_t> order = places(layout);
  order.erase(order.begin() + static_cast<std::ptrdiff_t>(from));
  order.insert(order.begin() + static_cast<std::ptrdiff_t>(to), from);
  return arranged(layout, order);
}

spec::Layout remove_layer(spec::Layout layout, std::size_t index) {
  if (index >= layout.size() || layout.size() == 1) return layout;
  std::vector<std::size_t> order = places(layout);
  order.erase(order.begin() + static_cast<std::ptrdiff_t>(index));
  return arranged(layout, order);
}

spec::Layout duplicate_layer(spec::Layout layout, std::size_t index) {
  if (index >= layout.size()) return layout;
  std::vector<std::size_t> order = places(layout);
  order.insert(order.begin() + static_cast<std::ptrdiff_t>(index), index);
  return arranged(layout, order);
}

spec::Layout fill_periodically(const spec::Layout& layout, std::size_t period, const spec::LayerSpec& usual,
                               const spec::LayerSpec& special) {
  return spec::Layout::one_full_in(period, layout.size(), usual, special);
}

std::vector<bool> differences(const spec::Layout& a, const spec::Layout& b) {
  std::vector<bool> out(std::max(a.size(), b.size()), true);
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) out[i] = !(a.layers[i] == b.layers[i]);
  return out;
}

}  // namespace plait::gui
