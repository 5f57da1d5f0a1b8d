#pragma once

#include <imgui.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace plait::gui {

/// Notes every item that Dear ImGui lays out, by window and label: tests find what they press by the words a person
/// reads. Records while it lives; costs nothing when there is none.
class ItemRecorder {
 public:
  struct Item {
    ImGuiID id = 0;
    std::string window;  ///< as titled
    std::string label;   ///< without what follows "##"; empty: never told
    ImVec2 low, high;    ///< on the screen
    int frame = 0;       ///< last seen
    bool checked = false;
  };

  explicit ItemRecorder(ImGuiContext* context);
  ItemRecorder(const ItemRecorder&) = delete;
  ~ItemRecorder();

  /// The item of the last frame with this label in a window whose title starts with `window` (popups: "##Menu",
  /// "##Popup"; empty: any), or nullptr.
  const Item* find(std::string_view window, std::string_view label) const;
  /// All items of the last frame that have a label.
  std::vector<const Item*> labelled() const;

  void add(ImGuiID id, const ImVec2& low, const ImVec2& high, std::string_view window, int frame);
  void describe(ImGuiID id, std::string_view label, bool checked);

 private:
  ImGuiContext* context_;
  std::map<ImGuiID, Item> items_;
};

}  // namespace plait::gui
