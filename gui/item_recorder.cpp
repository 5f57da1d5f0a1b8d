#include "gui/item_recorder.h"

#include <imgui_internal.h>

namespace plait::gui {

ItemRecorder::ItemRecorder(ImGuiContext* context) : context_(context) {
  context_->TestEngine = this;
  context_->TestEngineHookItems = true;
}

ItemRecorder::~ItemRecorder() {
  context_->TestEngineHookItems = false;
  context_->TestEngine = nullptr;
}

const ItemRecorder::Item* ItemRecorder::find(std::string_view window, std::string_view label) const {
  for (const auto& [id, item] : items_) {
    if (item.frame == context_->FrameCount && item.label == label && item.window.starts_with(window)) return &item;
  }
  return nullptr;
}

std::vector<const ItemRecorder::Item*> ItemRecorder::labelled() const {
  std::vector<const Item*> out;
  for (const auto& [id, item] : items_) {
    if (item.frame == context_->FrameCount && !item.label.empty()) out.push_back(&item);
  }
  return out;
}

void ItemRecorder::add(ImGuiID id, const ImVec2& low, const ImVec2& high, std::string_view window, int frame) {
  Item& item = items_[id];
  item.id = id;
  item.window = window;
  item.low = low;
  item.high = high;
  item.frame = frame;
}

void ItemRecorder::describe(ImGuiID id, std::string_view label, bool checked) {
  const auto at = items_.find(id);
  if (at == items_.end()) return;
  at->second.label = label.substr(0, label.find("##"));
  at->second.checked = checked;
}

}  // namespace plait::gui

// What Dear ImGui calls, by these names, when IMGUI_ENABLE_TEST_ENGINE is defined.
void ImGuiTestEngineHook_ItemAdd(ImGuiContext* context, ImGuiID id, const ImRect& box, const ImGuiLastItemData*) {
  auto* recorder = static_cast<plait::gui::ItemRecorder*>(context->TestEngine);
  const ImGuiWindow* window = context->CurrentWindow;
  if (id != 0 && recorder != nullptr) {
    recorder->add(id, box.Min, box.Max, window == nullptr ? "" : window->RootWindow->Name, context->FrameCount);
  }
}

void ImGuiTestEngineHook_ItemInfo(ImGuiContext* context, ImGuiID id, const char* label, ImGuiItemStatusFlags flags) {
  auto* recorder = static_cast<plait::gui::ItemRecorder*>(context->TestEngine);
  if (recorder != nullptr && label != nullptr) {
    recorder->describe(id, label, (flags & ImGuiItemStatusFlags_Checked) != 0);
  }
}

void ImGuiTestEngineHook_Log(ImGuiContext*, const char*, ...) {}

const char* ImGuiTestEngine_FindItemDebugLabel(ImGuiContext*, ImGuiID) { return nullptr; }
