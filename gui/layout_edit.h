#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "src/spec/layout.h"

/// Edits of a layout as functions of it. Links between layers (kv_from, weights_from) follow the layers they name; one
/// that would point forward or at a layer that is gone is dropped.
namespace plait::gui {

spec::Layout move_layer(spec::Layout layout, std::size_t from, std::size_t to);
spec::Layout remove_layer(spec::Layout layout, std::size_t index);
spec::Layout duplicate_layer(spec::Layout layout, std::size_t index);
/// Layers period - 1, 2 period - 1, ... (0-based) become `special`, the others `usual`; as many layers as before.
spec::Layout fill_periodically(const spec::Layout& layout, std::size_t period, const spec::LayerSpec& usual,
                               const spec::LayerSpec& special);

/// Where two layouts differ, layer by layer; layers that only one has differ.
std::vector<bool> differences(const spec::Layout& a, const spec::Layout& b);

/// States that can be gone back to. Edits with the same key in a row (a slider being dragged) are one step.
template <class State>
class UndoStack {
 public:
  void before_edit(const State& current, const std::string& key = {}) {
    if (!key.empty() && key == key_ && !past_.empty()) return;
    key_ = key;
    past_.push_back(current);
    future_.clear();
    if (past_.size() > kMost) past_.erase(past_.begin());
  }
  bool undo(State& current) { return step(past_, future_, current); }
  bool redo(State& current) { return step(future_, past_, current); }
  bool can_undo() const { return !past_.empty(); }
  bool can_redo() const { return !future_.empty(); }
  void clear() { *this = {}; }

 private:
  static constexpr std::size_t kMost = 500;

  bool step(std::vector<State>& from, std::vector<State>& to, State& current) {
    if (from.empty()) return false;
    key_.clear();
    to.push_back(std::move(current));
    current = std::move(from.back());
    from.pop_back();
    return true;
  }

  std::vector<State> past_, future_;
  std::string key_;
};

}  // namespace plait::gui
