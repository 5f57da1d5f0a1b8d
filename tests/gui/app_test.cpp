#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "gui/commands.h"
#include "gui/panels/panels.h"
#include "gui/study_form.h"
#include "gui/widgets/widgets.h"
#include "tests/gui/headless.h"
#include "tests/search/temp_dir.h"
#include "tests/support/fake_backend.h"

namespace plait::gui {
namespace {

using search::TempDir;

class AppTest : public ::testing::Test {
 protected:
  AppTest() { app.state.proxy_backend = &backend; }
  void open() { ASSERT_TRUE(app.open_sample()); }
  std::string notation() { return app.state.answer()->notation; }
  void show(const char* panel) {
    app.state.focus_panel = panel;
    app.frame(4);
  }
  void start(const StudyForm& form) {
    app.state.form = std::make_unique<StudyForm>(form);
    run_command(*find_command("study.start"), app.state);
  }
  void start_random_search(std::size_t budget) {
    StudyForm form;
    form.strategy = "random";
    form.budget = budget;
    start(form);
  }
  std::string last_message() const { return app.state.messages.empty() ? "" : app.state.messages.back().text; }

  plait::testing::FakeBackend backend;  // outlives the app, whose thread trains on it
  Headless app;
};

TEST(CommandTableTest, IdsAndShortcutsAreUniqueAndEveryPanelHasACommand) {
  std::set<std::string_view> ids;
  std::set<ImGuiKeyChord> shortcuts;
  for (const Command& command : command_table()) {
    EXPECT_TRUE(ids.insert(command.id).second) << command.id;
    EXPECT_EQ(find_command(command.id), &command);
    EXPECT_TRUE(command.shortcut == 0 || shortcuts.insert(command.shortcut).second) << command.id;
  }
  for (const Panel& panel : panel_table()) {
    EXPECT_TRUE(std::ranges::any_of(command_table(), [&](const Command& command) {
      return std::string_view(command.menu) == "Panels" && std::string_view(command.label) == panel.title;
    })) << panel.title;
  }
}

TEST(CommandTableTest, ThePaletteFindsCommandsByTheirWords) {
  const auto found = matching_commands("theme DARK");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0]->id, "view.dark");
  EXPECT_TRUE(matching_commands("no such thing").empty());
  EXPECT_EQ(matching_commands("").size(), command_table().size());
}

TEST_F(AppTest, DrawsWithoutAStudyAndSaysHowToOpenOne) {
  app.frame(5);
  for (const Panel& panel : panel_table()) show(panel.title);
  for (const Command& command : command_table()) {
    if (command.id == "file.sample" || command.id == "file.quit" || command.id == "help.tour" ||
        command.id == "study.start") {
      continue;
    }
    run_command(command, app.state);
    app.frame(2);
    app.state.question.reset();
    app.frame(2);
  }
  EXPECT_FALSE(app.state.has_rows());
}

TEST_F(AppTest, EveryCommandRunsFromItsShortcutAndFromTheMenu) {
  open();
  app.state.pin();
  const std::size_t unmoved = app.state.document.layout.size();
  for (const Command& command : command_table()) {
    if (command.id == "file.quit" || command.id == "file.close") continue;
    SCOPED_TRACE(std::string(command.id));
    if (command.shortcut != 0) app.press(command.shortcut);
    app.state.question.reset();
    app.press(ImGuiKey_Escape);
    app.frame(2);
    app.close_popups();
    app.frame(3);
    ASSERT_TRUE(app.click("##MainMenuBar", command.menu));
    ASSERT_TRUE(app.click(std::string(command.menu) + "###Menu", command.label));
    app.state.question.reset();
    app.frame(3);
    app.close_popups();
    app.frame(3);
  }
  EXPECT_GT(unmoved, 0u);
}

TEST_F(AppTest, TheSampleShowsWhatWasMeasuredOnItsLayouts) {
  open();
  const app::StudyResults& results = *app.state.results();
  ASSERT_FALSE(results.measurements.empty());
  for (const search::Trial& measurement : results.measurements) {
    // A layout that moved means that gui/sample is to be made again: gui/README.md.
    const search::Trial& trial = app::find_trial(results, measurement.id.substr(1));
    EXPECT_EQ(trial.layout, measurement.layout) << measurement.id;
    EXPECT_EQ(search::score(trial, "proxy_recall")->value, search::score(measurement, "proxy_recall")->value);
  }
  EXPECT_NE(app.state.table()->find("proxy_recall"), nullptr);
  show("Learning");
  EXPECT_FALSE(app.says("Nothing of this study was trained yet"));
  EXPECT_EQ(app.state.learning_chart().lines.size(), results.curves.size());
}

TEST_F(AppTest, TheWholeRoundByMouseAndKeyboard) {
  open();
  // The recommended layout stands in the editor; the table's next row replaces it.
  EXPECT_EQ(app.state.document.origin, app.state.row_name(app.state.current));
  ASSERT_TRUE(app.click("Trials", "5"));
  EXPECT_EQ(app.state.current, 5u);
  EXPECT_EQ(notation(), "Gx23*");
  // A layer becomes another; costs answer; undo and redo.
  const double cache = app.state.answer()->scores.at("kv_cache_bytes").value;
  ASSERT_TRUE(app.click("Layout", "layer 3"));
  EXPECT_EQ(app.state.layer, 3u);
  ASSERT_TRUE(app.click("Layout", "*"));
  EXPECT_EQ(notation(), "GGG*Gx19*");
  EXPECT_EQ(app.state.answer()->scores.at("kv_cache_bytes").value, 2 * cache);
  app.press(ImGuiMod_Ctrl | ImGuiKey_Z);
  EXPECT_EQ(notation(), "Gx23*");
  app.press(ImGuiMod_Ctrl | ImGuiMod_Shift | ImGuiKey_Z);
  EXPECT_EQ(notation(), "GGG*Gx19*");
  // Two pins and their comparison.
  ASSERT_TRUE(app.click("Layout", "Pin"));
  app.press(ImGuiKey_RightBracket);
  app.press(ImGuiKey_P);
  ASSERT_EQ(app.state.document.pins.size(), 2u);
  show("Compare");
  ASSERT_TRUE(app.click("Compare", "Unpin"));
  EXPECT_EQ(app.state.document.pins.size(), 1u);
  // A filter in words.
  app.state.set_filter("recall>0.4");
  app.frame(2);
  EXPECT_LT(app.state.shown_count(), app.state.table()->size());
  EXPECT_EQ(app.find("Trials", "0"), nullptr);
  app.press(ImGuiKey_Escape);
  EXPECT_EQ(app.state.shown_count(), app.state.table()->size());
}

TEST_F(AppTest, DraggingALayerMovesIt) {
  open();
  std::string problem;
  ASSERT_TRUE(app.state.paste_notation("*Gx23", problem));
  app.frame(2);
  const auto centre = [&](const char* label) {
    const ItemRecorder::Item* item = app.find("Layout", label);
    return item == nullptr ? ImVec2() : (item->low + item->high) * 0.5F;
  };
  app.drag(centre("layer 0"), centre("layer 5"));
  EXPECT_EQ(notation(), "Gx5*Gx18");
}

TEST_F(AppTest, HoveringAndClickingAPointOfTheFrontier) {
  open();
  const Cloud& cloud = app.state.cloud();
  // Where the plot draws the second point of the staircase is found as a person would: by moving along until it
  // answers.
  const ImGuiWindow* window = ImGui::FindWindowByName("Frontier");
  ASSERT_NE(window, nullptr);
  const std::uint32_t wanted = cloud.rows[cloud.staircase[1]];
  bool found = false;
  for (float y = window->Pos.y + 60; y < window->Pos.y + window->Size.y - 60 && !found; y += 8) {
    for (float x = window->Pos.x + 60; x < window->Pos.x + 260 && !found; x += 8) {
      app.move({x, y});
      if (app.state.hovered != wanted) continue;
      found = true;
      app.click_at({x, y});
    }
  }
  ASSERT_TRUE(found);
  EXPECT_EQ(app.state.current, wanted);
  EXPECT_EQ(app.state.document.origin, app.state.row_name(wanted));
}

TEST_F(AppTest, BracketsStepAlongTheFrontFromWhereverTheLayoutStands) {
  open();
  const Cloud& cloud = app.state.cloud();
  const auto x_of = [&](std::size_t row) { return app.state.table()->find(cloud.x.metric)->value[row]; };
  ASSERT_TRUE(app.click("Trials", "7"));  // (dx11*)x2: dominated in these two metrics by (Gx11*)x2 of the same cache
  const double x = x_of(7);
  app.press(ImGuiKey_RightBracket);
  EXPECT_GT(x_of(app.state.current), x);
  EXPECT_EQ(app.state.row_name(app.state.current), "trial 10");
  app.press(ImGuiKey_LeftBracket);
  EXPECT_EQ(app.state.row_name(app.state.current), "trial 8");
}

TEST_F(AppTest, ShiftAndDragSelectsABox) {
  open();
  const ImGuiWindow* window = ImGui::FindWindowByName("Frontier");
  ImGui::GetIO().AddKeyEvent(ImGuiMod_Shift, true);
  app.drag(window->Pos + ImVec2(80, 90), window->Pos + window->Size - ImVec2(30, 90));
  ImGui::GetIO().AddKeyEvent(ImGuiMod_Shift, false);
  app.frame(2);
  EXPECT_GT(app.state.selection().size(), 10u);
}

TEST_F(AppTest, ThePaletteRunsWhatIsTyped) {
  open();
  app.press(ImGuiMod_Ctrl | ImGuiKey_P);
  app.frame(2);
  app.type("dark");
  app.press(ImGuiKey_Enter);
  EXPECT_EQ(app.state.settings.theme, report::Theme::dark);
  // Escape leaves it, and it stays closed.
  app.press(ImGuiMod_Ctrl | ImGuiKey_P);
  ASSERT_TRUE(app.popup_open());
  app.press(ImGuiKey_Escape);
  app.frame(3);
  EXPECT_FALSE(app.popup_open());
}

TEST_F(AppTest, ShortcutsOfSingleLettersDoNotFireWhileTyping) {
  open();
  const std::size_t pins = app.state.document.pins.size();
  for (const ItemRecorder::Item* item : app.labelled()) {
    if (item->window == "Layout" && item->label == "Notation") {
      app.click_at((item->low + item->high) * 0.5F - ImVec2(40, 0));
      break;
    }
  }
  ASSERT_TRUE(ImGui::GetIO().WantTextInput);
  app.press(ImGuiKey_P);
  EXPECT_EQ(app.state.document.pins.size(), pins);
}

TEST_F(AppTest, TheFormStartsASearchAndShowsMistakesBesideTheirFields) {
  app.frame(3);
  show("Run");
  app.state.form->context = "thirty";
  EXPECT_TRUE(app.says("thirty"));
  EXPECT_TRUE(app.says("1 to put right"));
  run_command(*find_command("study.start"), app.state);
  EXPECT_TRUE(app.says("not complete"));
  app.state.form->context = "8k";
  EXPECT_FALSE(app.says("to put right"));
  run_command(*find_command("study.start"), app.state);
  ASSERT_TRUE(app.until([&] { return app.state.snapshot.phase == app::Phase::finished; }));
  EXPECT_EQ(app.state.results()->spec.workload().context, 8192);
  EXPECT_TRUE(app.says("study has finished"));
}

TEST_F(AppTest, TheFirstFrontOfASearchOpensItsRecommendedLayout) {
  // The first results that a search gives out are its baselines; they are seen here, since a frame takes less than the
  // time to the next.
  start_random_search(900'000);
  ASSERT_TRUE(app.until([&] { return app.state.has_rows() && app.state.table()->trials > 0; }));
  EXPECT_FALSE(app.state.document.layout.layers.empty());
  EXPECT_EQ(app.state.document.origin, app.state.row_name(app.state.current));
}

TEST_F(AppTest, TheFrontierFollowsASearchUntilItIsMoved) {
  start_random_search(900'000);
  const auto reaches = [&](std::size_t trials) {
    return app.until([&] { return app.state.has_rows() && app.state.table()->trials > trials; });
  };
  // The baselines come first; trials reach beyond them.
  ASSERT_TRUE(reaches(3000));
  app.frame(2);
  const auto shows_all = [&] {
    const Cloud& cloud = app.state.cloud();
    return app.state.frontier_box.now == std::array{cloud.x.low, cloud.x.high, cloud.y.low, cloud.y.high};
  };
  EXPECT_TRUE(shows_all());
  const ImGuiWindow* window = ImGui::FindWindowByName("Frontier");
  app.move(window->Pos + window->Size * 0.5F);
  ImGui::GetIO().AddMouseWheelEvent(0, 2);
  app.frame(3);
  const auto moved = app.state.frontier_box.now;
  EXPECT_FALSE(shows_all());
  ASSERT_TRUE(reaches(app.state.table()->trials + 3000));
  EXPECT_EQ(app.state.frontier_box.now, moved);
  app.press(ImGuiKey_F);
  EXPECT_TRUE(app.until(shows_all));
}

TEST_F(AppTest, PauseResumeAndStopOfASearch) {
  start_random_search(900'000);
  ASSERT_TRUE(app.until([&] { return app.state.snapshot.progress.done > 0 && app.state.has_rows(); }));
  app.press(ImGuiKey_Space);
  EXPECT_TRUE(app.until([&] { return app.state.snapshot.phase == app::Phase::paused; }));
  app.press(ImGuiKey_Space);
  EXPECT_TRUE(app.until([&] { return app.state.snapshot.phase == app::Phase::running; }));
  run_command(*find_command("study.stop"), app.state);
  EXPECT_TRUE(app.until([&] { return app.state.snapshot.phase == app::Phase::stopped; }));
  EXPECT_GT(app.state.table()->size(), 0u);
}

TEST_F(AppTest, SessionsAreKeptBesideTheStudyNotInIt) {
  const TempDir temp;
  StudyForm form;
  form.folder = (temp / "run").string();
  spec::Problems problems;
  app.state.start(*form.study(problems), form.folder, false);
  ASSERT_TRUE(app.until([&] { return app.state.snapshot.phase == app::Phase::finished; }));
  app.frame(2);
  app.state.pin();
  std::string problem;
  ASSERT_TRUE(app.state.paste_notation("(GGG*)x6", problem));
  app.state.view.x_log = false;
  app.state.set_filter("front");
  run_command(*find_command("file.save_session"), app.state);
  ASSERT_TRUE(std::filesystem::exists(temp / "run.plait-session.json"));
  EXPECT_FALSE(std::filesystem::exists(temp / "run" / "run.plait-session.json"));

  Headless other;
  other.state.open(temp / "run");
  ASSERT_TRUE(other.until([&] { return other.state.snapshot.phase == app::Phase::following; }));
  other.frame(2);
  EXPECT_EQ(other.state.document.layout, app.state.document.layout);
  EXPECT_EQ(other.state.document.pins, app.state.document.pins);
  EXPECT_EQ(other.state.view.filter, "front");
  EXPECT_FALSE(other.state.view.x_log);
}

TEST_F(AppTest, EveryViewIsWrittenAsSvgPngAndCsv) {
  open();
  app.state.train();
  ASSERT_TRUE(app.until([&] { return app.state.snapshot.phase == app::Phase::finished; }));
  app.state.pin();
  const TempDir temp;
  const std::pair<const char*, const char*> kFiles[] = {
      {"file.svg", "<svg"}, {"file.png", "\x89PNG"}, {"file.csv", ","}};
  std::size_t views = 0;
  for (const Panel& panel : panel_table()) {
    if (panel.save == nullptr) continue;
    ++views;
    show(panel.title);
    EXPECT_EQ(app.state.front_panel, panel.title);
    for (const auto& [id, start] : kFiles) {
      SCOPED_TRACE(std::string(panel.title) + " " + id);
      run_command(*find_command(id), app.state);
      ASSERT_TRUE(app.state.question) << last_message();
      EXPECT_NE(app.state.question->title.find(panel.title), std::string::npos);
      app.state.question->answer(temp / id);
      app.state.question.reset();
      EXPECT_NE(search::bytes_of(temp / id).substr(0, 400).find(start), std::string::npos) << last_message();
    }
  }
  EXPECT_GE(views, 9u);
  run_command(*find_command("file.trials"), app.state);
  app.state.question->answer(temp / "trials.csv");
  app.state.question.reset();
  EXPECT_TRUE(search::bytes_of(temp / "trials.csv").starts_with("id,"));
}

TEST_F(AppTest, FilesAreChosenInTheAppAndReplacedOnlyByThatWord) {
  open();
  const TempDir temp;
  std::filesystem::create_directory(temp / "views");
  app.state.picker_folder = temp / "";
  const std::filesystem::path file = temp / "views" / "front.csv";
  const auto name_it = [&] {
    run_command(*find_command("file.csv"), app.state);
    app.frame(3);
    ASSERT_TRUE(app.says("views/"));
    app.type("views/front.csv");
    app.press(ImGuiKey_Enter);
  };
  name_it();
  EXPECT_FALSE(app.state.question);
  EXPECT_GT(std::filesystem::file_size(file), 100u);
  search::write_bytes(file, "mine");
  name_it();
  ASSERT_TRUE(app.state.question);
  EXPECT_EQ(search::bytes_of(file), "mine");
  EXPECT_EQ(app.find("", "Save"), nullptr);
  ASSERT_TRUE(app.click("", "Replace"));
  EXPECT_FALSE(app.state.question);
  EXPECT_GT(std::filesystem::file_size(file), 100u);
}

TEST_F(AppTest, ProxiesAreTrainedFromTheFormAndWhatTheyLearntIsShown) {
  const TempDir temp;
  app.frame(3);
  app.state.form->tier = "tiny";
  app.state.form->folder = (temp / "run").string();
  run_command(*find_command("study.start"), app.state);
  bool seen_running = false;
  app.state.focus_panel = "Learning";
  ASSERT_TRUE(app.until([&] {
    seen_running = seen_running || !app.state.snapshot.training.empty();
    return app.state.snapshot.phase == app::Phase::finished;
  }));
  app.frame(4);
  EXPECT_TRUE(seen_running);
  ASSERT_NE(app.state.table()->find("proxy_recall"), nullptr);
  const auto& curves = app.state.results()->curves;
  ASSERT_FALSE(curves.empty());
  const report::LineChart chart = app.state.learning_chart();
  EXPECT_EQ(chart.lines.size(), curves.size());
  EXPECT_GT(chart.lines[0].points.size(), 3u);

  // They are there when the folder is opened again.
  Headless other;
  other.state.open(temp / "run");
  ASSERT_TRUE(other.until([&] { return other.state.has_rows(); }));
  EXPECT_EQ(other.state.results()->curves.size(), curves.size());
}

TEST_F(AppTest, ATrainingIsStoppedAndItsStudyStays) {
  backend.at_step = [](std::int64_t) { std::this_thread::sleep_for(std::chrono::milliseconds(1)); };
  open();
  const std::size_t trials = app.state.table()->size();
  app.state.train();
  ASSERT_TRUE(app.until([&] { return !app.state.snapshot.training.empty(); }));
  show("Run");
  EXPECT_TRUE(app.says("device memory: at most 3.00 MiB so far, of the whole program"));
  ASSERT_TRUE(app.click("Run", "Stop"));
  ASSERT_TRUE(app.until([&] { return app.state.snapshot.phase == app::Phase::stopped; }));
  EXPECT_EQ(app.state.table()->size(), trials);
}

TEST_F(AppTest, ThirtyThousandTrialsAreSeenThroughViewsMadeOnAThread) {
  start_random_search(32'000);
  ASSERT_TRUE(app.until([&] {
    return app.state.snapshot.phase == app::Phase::finished && app.state.table() != nullptr &&
           app.state.table()->trials == 32'000;
  }));
  show("Trials");
  EXPECT_EQ(app.state.views().table.get(), app.state.table());
  app.state.set_axes("decode_step_s", "recall");
  app.state.set_filter("recall>0.4");
  // Nothing stands still meanwhile, and all that is shown is of one table.
  EXPECT_NE(app.state.cloud().x.metric, "decode_step_s");
  EXPECT_TRUE(app.state.busy());
  EXPECT_EQ(app.state.shown().size(), app.state.table()->size());
  ASSERT_TRUE(app.until([&] { return app.state.cloud().x.metric == "decode_step_s"; }));
  EXPECT_LT(app.state.shown_count(), app.state.table()->size());
  EXPECT_EQ(app.state.order().size(), app.state.shown_count());
  show("Importance");
  EXPECT_TRUE(app.until([&] { return !app.state.importance().features.empty(); }));
  run_command(*find_command("file.close"), app.state);
  EXPECT_TRUE(app.until([&] { return !app.state.has_rows(); }));
}

TEST_F(AppTest, TheLayoutIsDrawnAsAGraphWhoseNodesSelectLayers) {
  open();
  app.press(ImGuiKey_G);
  app.frame(3);
  const ItemRecorder::Item* node = app.find("Layout", "node 3");
  ASSERT_NE(node, nullptr);
  app.click_at((node->low + node->high) * 0.5F);
  EXPECT_EQ(app.state.layer, 3u);
}

TEST_F(AppTest, ExportsAreWrittenAndCopied) {
  open();
  const TempDir temp;
  show("Export");
  ASSERT_TRUE(app.click("Export", "Write into a folder..."));
  ASSERT_TRUE(app.state.question);
  app.state.question->answer(temp / "model");
  app.state.question.reset();
  EXPECT_TRUE(std::filesystem::exists(temp / "model" / "config.json"));
  app.frame(3);
  ASSERT_TRUE(app.click("Export", "Copy"));
  EXPECT_NE(Headless::clipboard().find("model_type"), std::string::npos);
}

TEST_F(AppTest, SelectedTrialsAreWrittenAFolderEachAndWhatStandsInTheWayIsSaidOfEach) {
  // Trials of several linear mixers, which no target takes, and baselines of one.
  StudyForm form;
  form.name = "my/study";
  form.strategy = "random";
  form.budget = 20;
  form.most_kinds = 0;
  for (auto& [symbol, taken] : form.candidates) taken = taken || symbol == "d";
  start(form);
  ASSERT_TRUE(app.until([&] { return app.state.snapshot.phase == app::Phase::finished && app.state.has_rows(); }));
  app.frame(2);
  app.state.set_filter(app.state.results()->trials[0].layout);
  app.frame(2);
  ASSERT_TRUE(app.click("Trials", "0"));
  app.state.set_filter("baseline");
  app.frame(2);
  ImGui::GetIO().AddKeyEvent(ImGuiMod_Ctrl, true);
  ASSERT_TRUE(app.click("Trials", "Transformer"));
  ASSERT_TRUE(app.click("Trials", "Gated DeltaNet"));
  ImGui::GetIO().AddKeyEvent(ImGuiMod_Ctrl, false);
  ASSERT_EQ(app.state.selection().size(), 3u);

  // One of them is looked at, and the others stay selected.
  ImGui::GetIO().DisplaySize = {1920, 1600};
  show("Export");
  EXPECT_TRUE(app.says("a fla model has one linear mixer"));
  ASSERT_TRUE(app.click("Export", "my-study-b0"));
  EXPECT_EQ(notation(), "*x24");
  EXPECT_EQ(app.state.selection().size(), 3u);

  const TempDir temp;
  ASSERT_TRUE(app.click("Export", "Write all 3, a folder each..."));
  ASSERT_TRUE(app.state.question);
  app.state.question->answer(temp / "models");
  app.state.question.reset();
  EXPECT_EQ(last_message(),
            "wrote 2 of 3 layouts for fla into " + (temp / "models").string() + "; Export says why not the others");
  EXPECT_TRUE(app.says("| *x24 | written"));
  EXPECT_FALSE(std::filesystem::exists(temp / "models" / "my-study-0"));
  const std::filesystem::path config = temp / "models" / "my-study-b0" / "config.json";
  EXPECT_NE(search::bytes_of(config).find("\"transformer\""), std::string::npos);

  // Again into the same place: nothing is replaced, and the panel says of which.
  search::write_bytes(config, "mine");
  run_command(*find_command("file.export_selected"), app.state);
  app.state.question->answer(temp / "models");
  app.state.question.reset();
  EXPECT_TRUE(app.says(config.string() + ": is there already"));
  EXPECT_EQ(search::bytes_of(config), "mine");

  run_command(*find_command("file.close"), app.state);
  ASSERT_TRUE(app.until([&] { return !app.state.has_rows(); }));
  EXPECT_TRUE(app.state.selection().empty());
}

TEST_F(AppTest, ABaselineStaysSelectedWhileTrialsAreAdded) {
  const TempDir temp;
  StudyForm form;
  spec::Problems problems;
  app.state.start(*form.study(problems), temp / "run", false);
  ASSERT_TRUE(app.until([&] { return app.state.snapshot.phase == app::Phase::finished; }));
  const std::filesystem::path journal = temp / "run" / "journal.jsonl";
  const std::string whole = search::bytes_of(journal);
  search::write_bytes(journal, whole.substr(0, whole.find('\n', whole.size() / 2) + 1));
  app.state.open(temp / "run");
  ASSERT_TRUE(app.until([&] { return app.state.snapshot.phase == app::Phase::following; }));
  const std::size_t before = app.state.table()->trials;
  app.state.select_all({1, before}, false);
  app.state.open_row(before);
  ASSERT_EQ(app.state.row_name(app.state.current), "Transformer");
  search::write_bytes(journal, whole);
  ASSERT_TRUE(app.until([&] { return app.state.table()->trials > before; }));
  EXPECT_EQ(app.state.selection(), (std::vector<std::size_t>{1, app.state.table()->trials}));
  EXPECT_EQ(app.state.row_name(app.state.current), "Transformer");
  EXPECT_TRUE(app.state.is_open(app.state.current));
}

TEST_F(AppTest, ASecondStudyLiesOverTheFirst) {
  const TempDir temp;
  StudyForm form;
  spec::Problems problems;
  app.state.start(*form.study(problems), temp / "a", false);
  ASSERT_TRUE(app.until([&] { return app.state.snapshot.phase == app::Phase::finished; }));
  open();
  app.state.open_overlay(temp / "a");
  EXPECT_TRUE(app.until([&] { return app.state.overlay_cloud() != nullptr; }));
  app.frame(3);
  run_command(*find_command("file.close_overlay"), app.state);
  EXPECT_TRUE(app.until([&] { return app.state.overlay_cloud() == nullptr; }));
}

TEST_F(AppTest, TheTourLeadsThroughAndEnds) {
  open();
  run_command(*find_command("help.tour"), app.state);
  app.frame(4);
  for (int step = 0; step < 5; ++step) ASSERT_TRUE(app.click("Tour", "Next")) << step;
  ASSERT_TRUE(app.click("Tour", "Done"));
  EXPECT_EQ(app.state.tour, -1);
  EXPECT_TRUE(app.state.settings.tour_seen);
}

TEST_F(AppTest, ThemesAndSizesDrawEveryPanel) {
  open();
  app.state.pin();
  for (const report::Theme theme : {report::Theme::light, report::Theme::dark}) {
    for (const double scale : {1.0, 2.0}) {
      for (const ImVec2 size : {ImVec2(640, 400), ImVec2(1280, 800), ImVec2(3840, 2160)}) {
        ImGui::GetIO().DisplaySize = size;
        apply_theme(theme, scale);
        app.state.reset_docks = true;
        for (const Panel& panel : panel_table()) show(panel.title);
      }
    }
  }
}

TEST(SettingsTest, ComeBackAndBrokenOnesAreTheDefaults) {
  Settings settings;
  settings.theme = report::Theme::dark;
  settings.scale = 1.5;
  settings.recent = {"/a", "/b"};
  settings.hidden = {"History"};
  settings.tour_seen = true;
  const Settings back = settings_from_json(settings_json(settings));
  EXPECT_EQ(back.theme, settings.theme);
  EXPECT_EQ(back.scale, settings.scale);
  EXPECT_EQ(back.recent, settings.recent);
  EXPECT_EQ(back.hidden, settings.hidden);
  EXPECT_TRUE(back.tour_seen);
  EXPECT_EQ(settings_from_json("{").scale, 1);
  EXPECT_EQ(settings_from_json(R"({"scale": 900})").scale, 1);
}

}  // namespace
}  // namespace plait::gui
