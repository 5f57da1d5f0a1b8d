#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <random>

#include "gui/commands.h"
#include "gui/study_form.h"
#include "tests/gui/headless.h"
#include "tests/support/fake_backend.h"

namespace plait::gui {
namespace {

using Clock = std::chrono::steady_clock;

double resident_mib() {
  std::ifstream in("/proc/self/status");
  double kib = 0;
  for (std::string word; in >> word;) {
    if (word == "VmRSS:") in >> kib;
  }
  return kib / 1024;
}

/// Keeps no calls: what is left in memory after ten minutes is the app's.
class Forgetful : public plait::testing::FakeBackend {
 public:
  proxy::TrainingResult train(std::span<const proxy::Member> members, const proxy::TrainingPlan& plan,
                              std::stop_token stop, const proxy::TrainingObserver& observer) const override {
    proxy::TrainingResult result = FakeBackend::train(members, plan, std::move(stop), observer);
    calls.clear();
    return result;
  }
};

/// A monkey at mouse, keyboard and command table, with searches and trainings in the background.
class Monkey {
 public:
  explicit Monkey(std::uint64_t seed) : random_(seed) { app_.state.proxy_backend = &backend_; }

  Headless& app() { return app_; }

  void step() {
    ImGuiIO& io = ImGui::GetIO();
    io.AddMousePosEvent(static_cast<float>(below(1440)), static_cast<float>(below(900)));
    if (below(3) == 0) io.AddMouseButtonEvent(below(2), below(2) == 0);
    if (below(4) == 0) io.AddMouseWheelEvent(0, static_cast<float>(below(7) - 3));
    if (below(6) == 0) {
      const auto key = static_cast<ImGuiKey>(ImGuiKey_Tab + below(ImGuiKey_F12 - ImGuiKey_Tab));
      if (key != ImGuiKey_Q) io.AddKeyEvent(key, below(2) == 0);
    }
    for (const ImGuiKey mod : {ImGuiMod_Shift, ImGuiMod_Ctrl, ImGuiMod_Alt}) {
      if (below(40) == 0) io.AddKeyEvent(mod, below(3) == 0);
    }
    if (below(10) == 0) io.AddInputCharactersUTF8(kTexts[static_cast<std::size_t>(below(std::size(kTexts)))]);
    if (below(25) == 0) {
      const auto commands = command_table();
      const Command& command = commands[static_cast<std::size_t>(below(static_cast<int>(commands.size())))];
      if (command.id != "file.quit") run_command(command, app_.state);
    }
    if (below(400) == 0) app_.state.open_sample();
    if (below(300) == 0)
      io.DisplaySize = {static_cast<float>(200 + below(3640)), static_cast<float>(150 + below(2000))};
    app_.frame();
    // Nothing outside is written: a question is never answered, and what is started is stored nowhere.
    if (app_.state.question) app_.state.question->answer = [](const auto&) {};
    if (app_.state.question && below(20) == 0) app_.state.question.reset();
    app_.state.form->folder.clear();
    app_.state.form->budget = std::min(app_.state.form->budget, 20'000);
    app_.state.form->slots = std::min(app_.state.form->slots, 64);
    if (app_.state.settings.hidden.size() > 5) app_.state.settings.hidden.clear();
    if (app_.state.messages.size() > 30) app_.state.messages.clear();
    app_.state.quit = false;
    // Behind an open menu or dialog there is nothing to break.
    if (below(20) == 0) app_.close_popups();
    const app::Snapshot& now = app_.state.snapshot;
    with_study_ += app_.state.has_rows();
    at_work_ += now.phase == app::Phase::running;
    in_dialogs_ += app_.popup_open();
    ++steps_;
  }

  double share_with_study() const { return with_study_ / steps_; }
  std::string report() const {
    return fmt::format(
        "{:.0f} frames ({:.0f} % with a study, {:.0f} % with a search at work, {:.0f} % with a menu or "
        "dialog open), {:.0f} MiB resident",
        steps_, 100 * with_study_ / steps_, 100 * at_work_ / steps_, 100 * in_dialogs_ / steps_, resident_mib());
  }

 private:
  static constexpr const char* kTexts[] = {"G*3(x", "12", "recall>0.4", "-1e400", "\xf0\x9f\x90\x92", "%n%s", "32k"};

  template <class N>
  int below(N n) {
    return static_cast<int>(random_() % static_cast<std::uint64_t>(n));
  }

  double steps_ = 0, with_study_ = 0, at_work_ = 0, in_dialogs_ = 0;
  std::mt19937_64 random_;
  Forgetful backend_;
  Headless app_;
};

/// PLAIT_MONKEY_S=600 lets it play ten minutes.
TEST(MonkeyTest, RandomInputBreaksNothing) {
  Monkey monkey(7);
  ASSERT_TRUE(monkey.app().open_sample());
  const char* seconds = std::getenv("PLAIT_MONKEY_S");
  if (seconds == nullptr) {
    for (int step = 0; step < 4000; ++step) monkey.step();
    EXPECT_GT(monkey.share_with_study(), 0.3) << monkey.report();
    return;
  }
  const auto end = Clock::now() + std::chrono::duration<double>(std::atof(seconds));
  for (auto next = Clock::now(); Clock::now() < end;) {
    monkey.step();
    if (Clock::now() < next) continue;
    next += std::chrono::minutes(1);
    std::printf("%s\n", monkey.report().c_str());
    std::fflush(stdout);
  }
  std::printf("%s at the end\n", monkey.report().c_str());
}

}  // namespace
}  // namespace plait::gui
