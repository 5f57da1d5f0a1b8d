#include "gui/window.h"

#include <GLFW/glfw3.h>
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_impl_glfw.h>
#include <imgui_impl_opengl3.h>
#include <implot.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>

#include "gui/commands.h"
#include "gui/frame.h"
#include "gui/theme.h"
#include "src/app/output.h"
#include "src/report/png_file.h"

namespace plait::gui {
namespace {

namespace fs = std::filesystem;

constexpr int kFramesAfterEvent = 4;  ///< hover delays and animations settle in so many
constexpr double kIdle_s = 0.5;
constexpr double kLongestWait_s = 30;  ///< of a screenshot, for its study

std::string& last_error() {
  static std::string text;  // GLFW's callback takes no pointer of ours
  return text;
}

class Glfw {
 public:
  Glfw() {
    glfwSetErrorCallback([](int, const char* text) { last_error() = text; });
    if (glfwInit() == 0) {
      throw std::runtime_error(
          fmt::format("no window can be opened: {}. The app needs a screen; `plait show DIR --html FILE` makes a page "
                      "for any browser",
                      last_error()));
    }
  }
  Glfw(const Glfw&) = delete;
  ~Glfw() { glfwTerminate(); }
};

struct WindowCloser {
  void operator()(GLFWwindow* window) const { glfwDestroyWindow(window); }
};
using Window = std::unique_ptr<GLFWwindow, WindowCloser>;

Window make_window(const WindowOptions& options) {
  glfwWindowHint(GLFW_CONTEXT_VERSION_MAJOR, 3);
  glfwWindowHint(GLFW_CONTEXT_VERSION_MINOR, 3);
  glfwWindowHint(GLFW_OPENGL_PROFILE, GLFW_OPENGL_CORE_PROFILE);
  glfwWindowHint(GLFW_VISIBLE, options.screenshot.empty() ? GLFW_TRUE : GLFW_FALSE);
  Window window(glfwCreateWindow(options.width, options.height, "plait", nullptr, nullptr));
  if (!window) {
    throw std::runtime_error(
        fmt::format("no window with OpenGL 3.3 can be opened: {}. Without a graphics driver the package "
                    "libgl1-mesa-dri draws in software; "
                    "`plait show DIR --html FILE` makes a page for any browser",
                    last_error()));
  }
  glfwMakeContextCurrent(window.get());
  glfwSwapInterval(options.screenshot.empty() ? 1 : 0);
  return window;
}

/// Dear ImGui and its back ends for one window.
class Gui {
 public:
  Gui(GLFWwindow* window, const fs::path& settings) {
    ImGui::CreateContext();
    ImPlot::CreateContext();
    ImGuiIO& io = ImGui::GetIO();
    io.ConfigFlags |= ImGuiConfigFlags_DockingEnable | ImGuiConfigFlags_NavEnableKeyboard;
    io.ConfigWindowsMoveFromTitleBarOnly = true;
    ini_ = settings.empty() ? "" : (settings / "arrangement.ini").string();
    io.IniFilename = ini_.empty() ? nullptr : ini_.c_str();
    load_fonts();
    ImGui_ImplGlfw_InitForOpenGL(window, true);
    ImGui_ImplOpenGL3_Init("#version 330 core");
  }
  Gui(const Gui&) = delete;
  ~Gui() {
    ImGui_ImplOpenGL3_Shutdown();
    ImGui_ImplGlfw_Shutdown();
    ImPlot::DestroyContext();
    ImGui::DestroyContext();
  }

 private:
  std::string ini_;
};

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void save_screenshot(GLFWwindow* window, const fs::path& file) {
  int width = 0, height = 0;
  glfwGetFramebufferSize(window, &width, &height);
  const auto row = static_cast<std::size_t>(width) * 3;
  std::vector<std::uint8_t> pixels(row * static_cast<std::size_t>(height));
  glPixelStorei(GL_PACK_ALIGNMENT, 1);
  glReadPixels(0, 0, width, height, GL_RGB, GL_UNSIGNED_BYTE, pixels.data());
  for (std::size_t y = 0; y < static_cast<std::size_t>(height) / 2; ++y) {  // OpenGL's first row is the lowest
    std::swap_ranges(pixels.begin() + static_cast<std::ptrdiff_t>(y * row),
                     pixels.begin() + static_cast<std::ptrdiff_t>((y + 1) * row),
                     pixels.end() - static_cast<std::ptrdiff_t>((y + 1) * row));
  }
  const std::vector<std::uint8_t> png = report::png_file(pixels, width, height);
  app::write_file(file, {reinterpret_cast<const char*>(png.data()), png.size()});
}

}  // namespace

bool has_window() { return true; }
std::string window_parts() {
  return fmt::format("Dear ImGui {}, GLFW {}", ImGui::GetVersion(), glfwGetVersionString());
}

void run_window(const WindowOptions& options) {
  const Glfw glfw;
  const Window window = make_window(options);
  const Gui gui(window.get(), options.settings);
  State state([] { glfwPostEmptyEvent(); });
  if (!options.settings.empty()) {
    std::error_code error;
    fs::create_directories(options.settings, error);
    state.settings = settings_from_json(read_text(options.settings / "settings.json"));
  }
  glfwSetWindowUserPointer(window.get(), &state);
  glfwSetDropCallback(window.get(), [](GLFWwindow* of, int count, const char** paths) {
    auto* target = static_cast<State*>(glfwGetWindowUserPointer(of));
    for (int i = 0; i < count; ++i) target->open(paths[i]);
  });

  if (!options.open.empty()) {
    state.open(options.open);
  } else if (!state.settings.tour_seen && options.screenshot.empty()) {
    state.open_sample();
    state.tour = 0;
  }

  std::vector<std::string> commands(options.commands.rbegin(), options.commands.rend());
  double theme_scale = 0;
  report::Theme theme = state.settings.theme;
  int frames_left = kFramesAfterEvent, settled = 0, waits_in_vain = 0;
  std::string title = "plait";
  while (glfwWindowShouldClose(window.get()) == 0 && !state.quit) {
    const bool waits = frames_left <= 0 && options.screenshot.empty() && commands.empty();
    if (waits) {
      const double begin = glfwGetTime();
      glfwWaitEventsTimeout(kIdle_s);
      waits_in_vain = glfwGetTime() - begin < kIdle_s ? 0 : waits_in_vain + 1;
    } else {
      glfwPollEvents();
    }
    const bool changed = state.update(glfwGetTime());
    const bool moves = changed || state.busy() || !state.messages.empty() || ImGui::GetIO().WantTextInput;
    // The first wait in vain shows what comes after a delay, such as words beside the mouse.
    if (waits && !moves && waits_in_vain > 1) continue;
    if (waits || changed || state.busy()) frames_left = kFramesAfterEvent;
    --frames_left;

    float screen_scale = 1;
    glfwGetWindowContentScale(window.get(), &screen_scale, nullptr);
    const double scale = (options.scale > 0 ? options.scale : std::max(1.0F, screen_scale)) * state.settings.scale;
    if (scale != theme_scale || theme != state.settings.theme) {
      theme_scale = scale;
      theme = state.settings.theme;
      apply_theme(theme, scale);
    }
    if (const std::string name = state.results() ? state.results()->spec.name + " - plait" : "plait"; name != title) {
      title = name;
      glfwSetWindowTitle(window.get(), title.c_str());
    }

    ImGui_ImplOpenGL3_NewFrame();
    ImGui_ImplGlfw_NewFrame();
    ImGui::NewFrame();
    draw_frame(state);
    // One command a frame, when what it works on is there.
    const bool ready = !state.busy() && (options.open.empty() || state.has_rows() || !state.messages.empty());
    if (!commands.empty() && ready && ImGui::GetFrameCount() > 3) {
      const Command* command = find_command(commands.back());
      if (command != nullptr) run_command(*command, state);
      commands.pop_back();
    }
    ImGui::Render();
    int width = 0, height = 0;
    glfwGetFramebufferSize(window.get(), &width, &height);
    glViewport(0, 0, width, height);
    glClear(GL_COLOR_BUFFER_BIT);
    ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
    if (!options.screenshot.empty() && ready && commands.empty() && ++settled > 20) {
      save_screenshot(window.get(), options.screenshot);
      break;
    }
    if (!options.screenshot.empty() && glfwGetTime() > kLongestWait_s) {
      throw std::runtime_error("the study could not be read in time for the screenshot");
    }
    glfwSwapBuffers(window.get());
  }
  if (!options.settings.empty() && options.screenshot.empty()) {
    app::write_file(options.settings / "settings.json", settings_json(state.settings));
  }
}

}  // namespace plait::gui
