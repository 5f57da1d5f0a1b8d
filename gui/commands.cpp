#include "gui/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>

#include "gui/panels/panels.h"
#include "gui/study_form.h"
#include "src/app/output.h"

namespace plait::gui {
namespace {

namespace fs = std::filesystem;

bool has_study(const State& s) { return s.has_rows(); }
bool has_layout(const State& s) { return s.what_if && !s.document.layout.layers.empty(); }
bool exports_layout(const State& s) { return has_study(s) && has_layout(s); }
bool searches(const State& s) {
  return s.snapshot.phase == app::Phase::running || s.snapshot.phase == app::Phase::paused;
}

void ask(State& state, FileQuestion question) { state.question = std::move(question); }

const Panel* front_view(const State& state) {
  const auto panels = panel_table();
  const auto at =
      std::ranges::find(panels, state.front_panel, [](const Panel& panel) { return std::string(panel.title); });
  return at == panels.end() ? nullptr : &*at;
}

void save_view(State& state, FileKind kind) {
  const Panel* panel = front_view(state);
  if (panel == nullptr) return;
  ViewWriter writer = panel->save(state, kind, {.theme = state.settings.theme});
  if (!writer) throw std::runtime_error(fmt::format("{} has nothing to save yet", panel->title));
  const std::string extension(extension_of(kind));
  std::string name = panel->title;
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c == ' ' ? '-' : static_cast<char>(std::tolower(c)); });
  ask(state, {.title = fmt::format("Save {} as a file", panel->title),
              .button = "Save",
              .save = true,
              .extension = extension,
              .name = name + extension,
              .answer = [&state, writer = std::move(writer)](const fs::path& file) { state.write(file, writer); }});
}

void set_scale(State& s, double scale) { s.settings.scale = std::clamp(scale, 0.5, 4.0); }

void move_layer_by(State& s, int step) {
  const auto to = static_cast<std::ptrdiff_t>(s.layer) + step;
  if (to < 0 || to >= static_cast<std::ptrdiff_t>(s.document.layout.size())) return;
  const auto place = static_cast<std::size_t>(to);
  s.edit([&](Document& next) { next.layout = move_layer(next.layout, s.layer, place); });
  s.layer = place;
}

void step_layer(State& s, int step) {
  const auto last = static_cast<std::ptrdiff_t>(s.document.layout.size()) - 1;
  s.layer = static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(s.layer) + step, 0, last));
}

void load_recommended(State& s) {
  const search::Trial* best = app::recommended(*s.results());
  if (best != nullptr) s.select(app::row_of(*s.results(), best->id), false);
}

template <std::size_t Row>
void show_panel(State& s) {
  s.focus_panel = panel_table()[Row].title;
}

constexpr ImGuiKeyChord kCtrl = ImGuiMod_Ctrl, kShift = ImGuiMod_Shift, kAlt = ImGuiMod_Alt;

const std::array kCommands = {
    Command{"file.open", "File", "Open a study folder...", kCtrl | ImGuiKey_O,
            [](State& s) { ask(s, {.title = "Open the folder of a search", .button = "Open", .folder = true, .answer = [&s](const fs::path& path) { s.open(path); }}); }, nullptr},
    Command{"file.open_file", "File", "Open a study or model file...", kCtrl | kShift | ImGuiKey_O,
            [](State& s) { ask(s, {.title = "Open a study, model or trainer's config", .button = "Open", .extension = ".json", .answer = [&s](const fs::path& path) { s.open(path); }}); }, nullptr},
    Command{"file.sample", "File", "Open the sample study", 0, [](State& s) { s.open_sample(); }, nullptr},
    Command{"file.overlay", "File", "Lay a second study over it...", 0,
            [](State& s) { ask(s, {.title = "Lay a study over this one", .button = "Open", .folder = true, .answer = [&s](const fs::path& path) { s.open_overlay(path); }}); }, has_study},
    Command{"file.close_overlay", "File", "Take the second study away", 0, [](State& s) { s.close_overlay(); },
            [](const State& s) { return s.overlay.phase != app::Phase::empty; }},
    Command{"file.save_session", "File", "Save the session", kCtrl | ImGuiKey_S, [](State& s) { s.save_session(); }, has_study},
    Command{"file.export", "File", "Export for a trainer", kCtrl | ImGuiKey_E, [](State& s) { s.focus_panel = "Export"; }, has_layout},
    Command{"file.export_layout", "File", "Write the layout's files for a trainer...", kCtrl | kShift | ImGuiKey_E, ask_export_folder, exports_layout},
    Command{"file.export_selected", "File", "Write the files of all selected layouts...", 0, ask_exports_folder,
            [](const State& s) { return has_study(s) && s.selection().size() > 1 && s.selection().size() <= kMostExports; }},
    Command{"file.svg", "File", "Save this view as SVG...", 0, [](State& s) { save_view(s, FileKind::svg); }, has_study},
    Command{"file.png", "File", "Save this view as PNG...", 0, [](State& s) { save_view(s, FileKind::png); }, has_study},
    Command{"file.csv", "File", "Save the numbers of this view as CSV...", 0, [](State& s) { save_view(s, FileKind::csv); }, has_study},
    Command{"file.trials", "File", "Save all trials as CSV...", 0,
            [](State& s) {
              s.front_panel = "Trials";
              save_view(s, FileKind::csv);
            },
            has_study},
    Command{"file.close", "File", "Close the study", kCtrl | ImGuiKey_W, [](State& s) { s.session.close(); },
            [](const State& s) { return s.snapshot.phase != app::Phase::empty; }},
    Command{"file.quit", "File", "Quit", kCtrl | ImGuiKey_Q, [](State& s) { s.quit = true; }, nullptr},

    Command{"edit.undo", "Edit", "Undo", kCtrl | ImGuiKey_Z, [](State& s) { s.undo(); }, [](const State& s) { return s.can_undo(); }},
    Command{"edit.redo", "Edit", "Redo", kCtrl | kShift | ImGuiKey_Z, [](State& s) { s.redo(); }, [](const State& s) { return s.can_redo(); }},
    Command{"edit.copy", "Edit", "Copy the notation", kCtrl | ImGuiKey_C,
            [](State& s) {
              ImGui::SetClipboardText(s.answer()->notation.c_str());
              s.say("copied " + s.answer()->notation);
            },
            has_layout},
    Command{"edit.paste", "Edit", "Paste a notation", kCtrl | ImGuiKey_V,
            [](State& s) {
              const char* text = ImGui::GetClipboardText();
              std::string problem;
              if (!s.paste_notation(text == nullptr ? "" : text, problem)) s.complain(problem);
            },
            [](const State& s) { return s.what_if != nullptr; }},
    Command{"edit.all", "Edit", "Select all shown trials", kCtrl | ImGuiKey_A,
            [](State& s) {
              const std::vector<std::uint32_t>& rows = s.order();
              s.select_all({rows.begin(), rows.end()}, false);
            },
            has_study},
    Command{"edit.none", "Edit", "Select nothing, lift filter and ranges", ImGuiKey_Escape,
            [](State& s) {
              s.clear_selection();
              s.brushes.clear();
              s.set_filter("");
            },
            has_study},

    Command{"layout.recommended", "Layout", "The recommended layout", ImGuiKey_R, load_recommended, has_study},
    Command{"layout.next_point", "Layout", "Next layout of the front", ImGuiKey_RightBracket, [](State& s) { s.step_on_front(1); }, has_study},
    Command{"layout.previous_point", "Layout", "Previous layout of the front", ImGuiKey_LeftBracket, [](State& s) { s.step_on_front(-1); }, has_study},
    Command{"layout.improve", "Layout", "Improve by one change", ImGuiKey_I, [](State& s) { s.improve(); }, has_layout},
    Command{"layout.best", "Layout", "Best of all inside the budgets", ImGuiKey_B, [](State& s) { s.best_within(); }, has_layout},
    Command{"layout.pin", "Layout", "Pin for comparison", ImGuiKey_P, [](State& s) { s.pin(); }, has_layout},
    Command{"layout.unpin", "Layout", "Unpin all", 0, [](State& s) { s.edit([](Document& d) { d.pins.clear(); }); },
            [](const State& s) { return !s.document.pins.empty(); }},
    Command{"layout.left", "Layout", "Layer before", ImGuiKey_LeftArrow, [](State& s) { step_layer(s, -1); }, has_layout},
    Command{"layout.right", "Layout", "Layer after", ImGuiKey_RightArrow, [](State& s) { step_layer(s, 1); }, has_layout},
    Command{"layout.move_left", "Layout", "Move the layer forward", kAlt | ImGuiKey_LeftArrow, [](State& s) { move_layer_by(s, -1); }, has_layout},
    Command{"layout.move_right", "Layout", "Move the layer back", kAlt | ImGuiKey_RightArrow, [](State& s) { move_layer_by(s, 1); }, has_layout},
    Command{"layout.next_mixer", "Layout", "Next candidate for the layer", ImGuiKey_M,
            [](State& s) {
              const auto& candidates = s.what_if->study().space.candidates;
              const spec::Mixer& now = s.document.layout.layers[s.layer].mixer;
              const auto at = std::ranges::find(candidates, now, [](const search::Candidate& c) -> const spec::Mixer& { return c.layer.mixer; });
              const std::size_t next = at == candidates.end() ? 0 : static_cast<std::size_t>(at - candidates.begin() + 1) % candidates.size();
              s.set_mixer(candidates[next].symbol);
            },
            has_layout},
    Command{"layout.duplicate", "Layout", "Duplicate the layer", 0,
            [](State& s) { s.edit([&](Document& d) { d.layout = duplicate_layer(d.layout, s.layer); }); }, has_layout},
    Command{"layout.remove", "Layout", "Remove the layer", ImGuiKey_Delete,
            [](State& s) { s.edit([&](Document& d) { d.layout = remove_layer(d.layout, s.layer); }); }, has_layout},

    Command{"study.new", "Study", "New study", kCtrl | ImGuiKey_N,
            [](State& s) {
              s.form = std::make_unique<StudyForm>();
              s.focus_panel = "Run";
            },
            nullptr},
    Command{"study.form", "Study", "New study like this one", 0,
            [](State& s) {
              s.form = std::make_unique<StudyForm>(s.results()->spec.source);
              s.focus_panel = "Run";
            },
            has_study},
    Command{"study.start", "Study", "Start the study of the form", kCtrl | ImGuiKey_Enter,
            [](State& s) {
              spec::Problems problems;
              if (const auto study = s.form->study(problems)) {
                s.start(*study, s.form->folder, false, s.form->proxies());
              } else {
                s.focus_panel = "Run";
                s.complain("the form of the new study is not complete: " + problems.list().front().message);
              }
            },
            nullptr},
    Command{"study.pause", "Study", "Pause or resume the search", ImGuiKey_Space,
            [](State& s) { s.snapshot.phase == app::Phase::paused ? s.session.resume() : s.session.pause(); }, searches},
    Command{"study.stop", "Study", "Stop the search", 0, [](State& s) { s.session.stop(); }, searches},
    Command{"study.continue", "Study", "Continue the stopped search", 0,
            [](State& s) { s.start(s.results()->spec, s.snapshot.folder, true); },
            [](const State& s) { return s.results() != nullptr && !s.snapshot.folder.empty() && (s.snapshot.phase == app::Phase::stopped || s.snapshot.phase == app::Phase::following); }},

    Command{"study.train", "Study", "Train layouts of the front as proxies", 0, [](State& s) { s.train(); },
            [](const State& s) { return s.results() != nullptr && !searches(s); }},

    Command{"view.fit", "View", "Show all points", ImGuiKey_F, [](State& s) { s.fit = true; }, has_study},
    Command{"view.swap", "View", "Exchange the axes", ImGuiKey_X,
            [](State& s) {
              std::swap(s.view.x_log, s.view.y_log);
              s.set_axes(std::string(s.view.y), std::string(s.view.x));
            },
            has_study},
    Command{"view.next_x", "View", "Next metric on X", kShift | ImGuiKey_X,
            [](State& s) {
              const auto& metrics = s.results()->metrics;
              const auto at = static_cast<std::size_t>(std::ranges::find(metrics, s.view.x, &search::Metric::name) - metrics.begin());
              s.set_axes(metrics[(at + 1) % metrics.size()].name, s.view.y);
            },
            has_study},
    Command{"view.log_x", "View", "Logarithmic X", ImGuiKey_L, [](State& s) { s.view.x_log = !s.view.x_log; s.fit = true; }, has_study,
            [](const State& s) { return s.view.x_log; }},
    Command{"view.staircase", "View", "Staircase and dominated area", 0, [](State& s) { s.view.staircase = !s.view.staircase; }, nullptr,
            [](const State& s) { return s.view.staircase; }},
    Command{"view.error_bars", "View", "Error bars", ImGuiKey_E, [](State& s) { s.view.error_bars = !s.view.error_bars; }, nullptr,
            [](const State& s) { return s.view.error_bars; }},
    Command{"view.names", "View", "Names of points", 0, [](State& s) { s.view.names = !s.view.names; }, nullptr,
            [](const State& s) { return s.view.names; }},
    Command{"view.graph", "View", "The layout as a graph", ImGuiKey_G, [](State& s) { s.view.graph = !s.view.graph; }, nullptr,
            [](const State& s) { return s.view.graph; }},
    Command{"view.dark", "View", "Dark theme", kCtrl | ImGuiKey_T,
            [](State& s) { s.settings.theme = s.settings.theme == report::Theme::dark ? report::Theme::light : report::Theme::dark; },
            nullptr, [](const State& s) { return s.settings.theme == report::Theme::dark; }},
    Command{"view.larger", "View", "Larger", kCtrl | ImGuiKey_Equal, [](State& s) { set_scale(s, s.settings.scale * 1.1); }, nullptr},
    Command{"view.smaller", "View", "Smaller", kCtrl | ImGuiKey_Minus, [](State& s) { set_scale(s, s.settings.scale / 1.1); }, nullptr},
    Command{"view.normal_size", "View", "Normal size", kCtrl | ImGuiKey_0, [](State& s) { set_scale(s, 1); }, nullptr},
    Command{"view.arrangement", "View", "Arrange the panels anew", 0,
            [](State& s) {
              s.settings.hidden.clear();
              s.reset_docks = true;
            },
            nullptr},

    Command{"panel.frontier", "Panels", "Frontier", kCtrl | ImGuiKey_1, show_panel<0>, nullptr},
    Command{"panel.parallel", "Panels", "Parallel", kCtrl | ImGuiKey_2, show_panel<1>, nullptr},
    Command{"panel.history", "Panels", "History", kCtrl | ImGuiKey_3, show_panel<2>, nullptr},
    Command{"panel.layout", "Panels", "Layout", kCtrl | ImGuiKey_4, show_panel<3>, nullptr},
    Command{"panel.run", "Panels", "Run", kCtrl | ImGuiKey_5, show_panel<4>, nullptr},
    Command{"panel.trials", "Panels", "Trials", kCtrl | ImGuiKey_6, show_panel<5>, nullptr},
    Command{"panel.breakdown", "Panels", "Breakdown", kCtrl | ImGuiKey_7, show_panel<6>, nullptr},
    Command{"panel.sweep", "Panels", "Context sweep", kCtrl | ImGuiKey_8, show_panel<7>, nullptr},
    Command{"panel.compare", "Panels", "Compare", kCtrl | ImGuiKey_9, show_panel<8>, nullptr},
    Command{"panel.roofline", "Panels", "Roofline", 0, show_panel<9>, nullptr},
    Command{"panel.learning", "Panels", "Learning", 0, show_panel<10>, nullptr},
    Command{"panel.importance", "Panels", "Importance", 0, show_panel<11>, nullptr},
    Command{"panel.export", "Panels", "Export", 0, show_panel<12>, nullptr},

    Command{"help.palette", "Help", "All commands...", kCtrl | ImGuiKey_P, [](State& s) { s.palette_open = true; }, nullptr},
    Command{"help.keys", "Help", "Keys and mouse", ImGuiKey_F1, [](State& s) { s.help_open = !s.help_open; }, nullptr,
            [](const State& s) { return s.help_open; }},
    Command{"help.tour", "Help", "Tour", 0,
            [](State& s) {
              if (!s.has_rows()) s.open_sample();
              s.tour = 0;
            },
            nullptr},
    Command{"help.about", "Help", "About plait", 0, [](State& s) { s.about_open = true; }, nullptr},
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

}  // namespace

std::span<const Command> command_table() { return kCommands; }

const Command* find_command(std::string_view id) {
  const auto at = std::ranges::find(kCommands, id, &Command::id);
  return at == kCommands.end() ? nullptr : &*at;
}

bool is_possible(const Command& command, const State& state) {
  return command.possible == nullptr || command.possible(state);
}

void run_command(const Command& command, State& state) {
  if (is_possible(command, state)) state.attempt([&] { command.run(state); });
}

std::string shortcut_text(const Command& command) {
  if (command.shortcut == 0) return "";
  std::string text;
  if ((command.shortcut & kCtrl) != 0) text += "Ctrl+";
  if ((command.shortcut & kShift) != 0) text += "Shift+";
  if ((command.shortcut & kAlt) != 0) text += "Alt+";
  const auto key = static_cast<ImGuiKey>(command.shortcut & ~ImGuiMod_Mask_);
  switch (key) {
    case ImGuiKey_LeftBracket: return text + "[";
    case ImGuiKey_RightBracket: return text + "]";
    case ImGuiKey_Equal: return text + "=";
    case ImGuiKey_Minus: return text + "-";
    case ImGuiKey_LeftArrow: return text + "Left";
    case ImGuiKey_RightArrow: return text + "Right";
    default: return text + ImGui::GetKeyName(key);
  }
}

std::vector<const Command*> matching_commands(std::string_view text) {
  const std::string wanted = lower(text);
  std::vector<const Command*> out;
  for (const Command& command : kCommands) {
    const std::string name = lower(fmt::format("{} {}", command.menu, command.label));
    bool all = true;
    for (std::size_t begin = 0; begin < wanted.size();) {
      const std::size_t end = std::min(wanted.find(' ', begin), wanted.size());
      all = all && name.find(wanted.substr(begin, end - begin)) != std::string::npos;
      begin = end + 1;
    }
    if (all) out.push_back(&command);
  }
  return out;
}

}  // namespace plait::gui
