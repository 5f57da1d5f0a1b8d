#pragma once

#include <imgui.h>
#include <imgui_internal.h>
#include <implot.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>

#include "gui/frame.h"
#include "gui/item_recorder.h"
#include "gui/state.h"
#include "gui/theme.h"

namespace plait::gui {

/// The whole app without window and graphics: frames are laid out and drawn into vertices that nobody shows. Presses
/// what a person would, by its words.
class Headless {
 public:
  Headless() : context_(ImGui::CreateContext()), plots_(ImPlot::CreateContext()), recorder_(context_) {
    ImGuiIO& io = ImGui::GetIO();
    io.IniFilename = nullptr;
    io.BackendFlags |= ImGuiBackendFlags_RendererHasTextures;
    io.ConfigFlags |= ImGuiConfigFlags_DockingEnable | ImGuiConfigFlags_NavEnableKeyboard;
    io.DisplaySize = {1440, 900};
    ImGuiPlatformIO& platform = ImGui::GetPlatformIO();
    platform.Platform_ClipboardUserData = &clipboard_;
    platform.Platform_SetClipboardTextFn = [](ImGuiContext*, const char* text) { clipboard() = text; };
    platform.Platform_GetClipboardTextFn = [](ImGuiContext*) { return clipboard().c_str(); };
    load_fonts();
    apply_theme(report::Theme::light, 1);
  }
  Headless(const Headless&) = delete;
  ~Headless() {
    for (ImTextureData* texture : ImGui::GetPlatformIO().Textures)
      texture->SetTexID(ImTextureID_Invalid), texture->SetStatus(ImTextureStatus_Destroyed);
    ImPlot::DestroyContext(plots_);
  }

  static std::string& clipboard() {
    static std::string text;
    return text;
  }

  void frame(int count = 1) {
    for (int i = 0; i < count; ++i) frame_into(nullptr);
  }

  /// All that a person can read in the next frame.
  std::string words() {
    std::string text;
    frame_into(&text);
    return text;
  }
  bool says(std::string_view what) { return words().find(what) != std::string::npos; }
  template <class Predicate>
  bool until(Predicate&& holds) {
    for (int i = 0; i < 3000; ++i) {
      frame();
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  /// The sample study, searched and shown.
  bool open_sample() {
    state.open_sample();
    const bool there = until([&] { return state.snapshot.phase == app::Phase::finished; });
    frame(4);
    return there;
  }

  const ItemRecorder::Item* find(std::string_view window, std::string_view label) const {
    return recorder_.find(window, label);
  }
  std::vector<const ItemRecorder::Item*> labelled() const { return recorder_.labelled(); }

  void move(ImVec2 to) {
    ImGui::GetIO().AddMousePosEvent(to.x, to.y);
    frame(2);
  }
  void click_at(ImVec2 at, ImGuiMouseButton button = ImGuiMouseButton_Left) {
    move(at);
    ImGui::GetIO().AddMouseButtonEvent(button, true);
    frame(2);
    ImGui::GetIO().AddMouseButtonEvent(button, false);
    frame(3);
  }
  void drag(ImVec2 from, ImVec2 to) {
    move(from);
    ImGui::GetIO().AddMouseButtonEvent(ImGuiMouseButton_Left, true);
    frame(2);
    for (int step = 1; step <= 8; ++step) move(from + (to - from) * (static_cast<float>(step) / 8));
    ImGui::GetIO().AddMouseButtonEvent(ImGuiMouseButton_Left, false);
    frame(3);
  }
  /// False when nothing there has this label.
  bool click(std::string_view window, std::string_view label) {
    const ItemRecorder::Item* item = find(window, label);
    if (item == nullptr) return false;
    // The middle of a table's row may be the edge of a column, to be dragged.
    click_at({std::min((item->low.x + item->high.x) / 2, item->low.x + 20), (item->low.y + item->high.y) / 2});
    return true;
  }
  void press(ImGuiKeyChord chord) {
    ImGuiIO& io = ImGui::GetIO();
    constexpr std::pair<ImGuiKeyChord, ImGuiKey> kMods[] = {
        {ImGuiMod_Ctrl, ImGuiMod_Ctrl}, {ImGuiMod_Shift, ImGuiMod_Shift}, {ImGuiMod_Alt, ImGuiMod_Alt}};
    const auto key = static_cast<ImGuiKey>(chord & ~ImGuiMod_Mask_);
    for (const auto& [mod, as_key] : kMods) {
      if ((chord & mod) != 0) io.AddKeyEvent(as_key, true);
    }
    io.AddKeyEvent(key, true);
    frame(2);
    io.AddKeyEvent(key, false);
    for (const auto& [mod, as_key] : kMods) {
      if ((chord & mod) != 0) io.AddKeyEvent(as_key, false);
    }
    frame(2);
  }
  /// Menus, lists and dialogs.
  bool popup_open() const { return ImGui::IsPopupOpen(nullptr, ImGuiPopupFlags_AnyPopup); }
  void close_popups() {
    if (popup_open()) ImGui::ClosePopupToLevel(0, false);
  }
  void type(const char* text) {
    ImGui::GetIO().AddInputCharactersUTF8(text);
    frame(2);
  }

  State state;

 private:
  struct Context {
    explicit Context(ImGuiContext* made) : context(made) {}
    ~Context() { ImGui::DestroyContext(context); }
    operator ImGuiContext*() const { return context; }
    ImGuiContext* context;
  };

  void frame_into(std::string* words) {
    now_s_ += 1.0 / 60;
    ImGui::GetIO().DeltaTime = 1.0F / 60;
    state.update(now_s_);
    ImGui::NewFrame();
    if (words != nullptr) ImGui::LogToBuffer(0);
    draw_frame(state);
    if (words != nullptr) {
      *words = ImGui::GetCurrentContext()->LogBuffer.c_str();
      ImGui::LogFinish();
    }
    ImGui::Render();
    for (ImTextureData* texture : ImGui::GetPlatformIO().Textures) {
      if (texture->Status == ImTextureStatus_WantDestroy) {
        texture->SetTexID(ImTextureID_Invalid);
        texture->SetStatus(ImTextureStatus_Destroyed);
      } else if (texture->Status != ImTextureStatus_Destroyed) {
        texture->SetTexID(1);
        texture->SetStatus(ImTextureStatus_OK);
      }
    }
  }

  std::string clipboard_;
  Context context_;
  ImPlotContext* plots_;
  ItemRecorder recorder_;
  double now_s_ = 0;
};

}  // namespace plait::gui
