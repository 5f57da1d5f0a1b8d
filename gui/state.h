#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <future>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gui/layout_edit.h"
#include "gui/trial_exports.h"
#include "gui/trial_filter.h"
#include "gui/view_files.h"
#include "gui/views.h"
#include "src/app/importance.h"
#include "src/app/session.h"
#include "src/app/what_if.h"
#include "src/report/palette.h"

/// Everything the app knows, and what can be done to it. Nothing here draws; panels read it and call the functions
/// below, and so do the commands.
namespace plait::gui {

/// A layout set aside for comparing.
struct Pin {
  std::string name;
  spec::Layout layout;

  bool operator==(const Pin&) const = default;
};

/// What undo goes back to.
struct Document {
  spec::Layout layout;     ///< in the editor
  std::string origin;      ///< of the layout: "trial 9", "Transformer", "pasted"
  spec::Layout reference;  ///< changes are shown against it
  std::vector<Pin> pins;

  bool operator==(const Document&) const = default;
};

/// How it looks; kept between sessions, the same for all studies.
struct Settings {
  report::Theme theme = report::Theme::light;
  double scale = 1;  ///< on top of the screen's
  std::vector<std::string> recent{};
  std::set<std::string> hidden{};  ///< titles of closed panels
  bool tour_seen = false;
};

/// How a study is looked at; kept in the session file beside it.
struct View {
  std::string x, y;  ///< metrics of the frontier
  bool x_log = true, y_log = false;
  bool invert_x = false, invert_y = false;
  bool staircase = true, error_bars = true, names = true, infeasible = true;
  std::string filter;
  std::string sweep_metric = "kv_cache_bytes";
  std::string breakdown = "decode_step_s";
  std::string importance;       ///< metric that is explained
  std::size_t curve_group = 0;  ///< of the learning curves
  bool curve_loss = false;      ///< instead of accuracy
  bool graph = false;           ///< the layout as a graph too
};

/// A question with a file or folder as its answer.
struct FileQuestion {
  std::string title;
  std::string button;
  bool folder = false;
  bool save = false;        ///< may name something that is not there yet
  std::string extension{};  ///< shown files end in it
  std::string name{};       ///< to start with
  std::function<void(const std::filesystem::path&)> answer;
};

/// Limits of the frontier's plot, {x low, x high, y low, y high}.
struct FrontierBox {
  std::array<double, 4> now{};
  std::array<double, 4> all{}, fitted{};  ///< of all points when they were last shown, and of the plot then
};

struct Message {
  std::string text;
  bool bad = false;
  double since_s = 0;
};

struct StudyForm;

class State {
 public:
  /// `changed` wakes the window; called on other threads.
  explicit State(std::function<void()> changed = {});
  State(const State&) = delete;
  ~State();

  // --- Studies ---

  /// A folder of a search, a study file (fills the form), a model file or a trainer's config (into the editor).
  void open(const std::filesystem::path& path);
  void open_sample();
  void start(const app::StudySpec& study, const std::filesystem::path& folder, bool resume,
             std::optional<app::ProxyChoice> proxies = {});
  /// The form's choice of proxy trainings, the smallest when it has none; continues the study that is open.
  void train();
  void open_overlay(const std::filesystem::path& folder);
  void close_overlay();

  /// Takes what the sessions have found since; once a frame. True when something changed.
  bool update(double now_s);
  /// Takes what its own threads have made since; part of `update`.
  bool collect();

  const app::StudyResults* results() const { return snapshot.results.get(); }
  const app::TrialTable* table() const { return snapshot.table.get(); }
  bool has_rows() const { return snapshot.table && snapshot.table->size() > 0; }
  bool busy() const;  ///< a thread works, or has made what is not shown yet: the screen changes by itself

  app::Session session;
  app::Session overlay_session;
  app::Snapshot snapshot;
  app::Snapshot overlay;
  std::shared_ptr<const app::WhatIf> what_if;  ///< of the study; nullptr without one

  // --- What is seen ---

  /// Of the view's metrics, filter and brushes. With many trials a change shows some frames later, when a thread has
  /// made it; until then all of them stay as they were, together.
  const Views& views();
  const Cloud& cloud() { return *views().cloud; }
  const PickIndex& pick_index() { return *views().pick; }
  const Cloud* overlay_cloud();  ///< nullptr without one, or when it lacks a metric
  const std::vector<std::uint8_t>& shown() { return views().shown->rows; }  ///< per row: inside filter and brushes
  std::size_t shown_count() { return views().shown->count; }
  const std::vector<std::uint32_t>& order() { return *views().order; }  ///< rows inside filter and brushes, by `sort`
  /// The cloud in cells of the frontier's plot; made anew when anything changed.
  const Density& density_of_cloud(const std::array<double, 4>& box, std::size_t columns, std::size_t lines);
  /// Of the view's metric; as it was while a thread makes the new one.
  const app::Importance& importance();
  report::LineChart learning_chart() const;                       ///< of the view's group; results must be there
  const app::MeasuredCurve* curve_shown(std::size_t line) const;  ///< that a line of this chart is
  void set_axes(const std::string& x, const std::string& y);
  void set_filter(const std::string& text);
  const TrialFilter& filter() const { return filter_; }
  std::vector<Brush> brushes;  ///< of parallel coordinates
  TrialSort sort;              ///< of the table of trials

  Settings settings;
  View view;
  std::size_t until = SIZE_MAX;  ///< trials seen by the frontier: history
  std::pair<const app::TrialTable*, const app::TrialTable*>
      history_of{};  ///< whose volumes the history panel has shown
  bool fit = true;   ///< the frontier shows all its points in the next frame
  FrontierBox frontier_box;

  // --- Selection ---

  void select(std::size_t row, bool add);
  void select_all(const std::vector<std::size_t>& rows, bool add);
  void clear_selection();
  void open_row(std::size_t row);  ///< in the editor, whatever is selected
  /// The layout in the editor is that of this row, as it was found.
  bool is_open(std::size_t row) const;
  bool is_selected(std::size_t row) const { return row < selected_.size() && selected_[row] != 0; }
  const std::vector<std::size_t>& selection() const { return selection_; }  ///< rows, ascending
  std::size_t current = SIZE_MAX;                                           ///< row last selected
  std::size_t hovered = SIZE_MAX;  ///< row under the mouse in the frame before, in any view
  std::size_t hover = SIZE_MAX;    ///< row under the mouse in this one
  bool scroll_to_current = false;  ///< asked of the table of trials
  void step_on_front(int direction);
  std::string row_name(std::size_t row) const;  ///< "trial 9", "Transformer"

  // --- The editor ---

  Document document;
  std::size_t layer = 0;  ///< selected
  void edit(const std::function<void(Document&)>& change, const std::string& key = {});
  void set_layout(spec::Layout layout, const std::string& origin);  ///< and makes it the reference
  void load_row(std::size_t row);
  bool paste_notation(const std::string& text, std::string& problem);
  void set_mixer(const std::string& symbol);
  void improve();
  void best_within();
  void pin();
  void undo();
  void redo();
  bool can_undo() const { return undo_.can_undo(); }
  bool can_redo() const { return undo_.can_redo(); }
  const app::WhatIf::Answer* answer();            ///< of the layout in the editor; nullptr without study
  const app::WhatIf::Answer* reference_answer();  ///< of the document's reference
  const app::WhatIf::Answer* answer_for(const spec::Layout& layout);  ///< of any layout, kept
  const std::vector<costmodel::CostReport>& sweep(const spec::Layout& layout);
  std::string notation_text, notation_problem;  ///< being typed
  bool notation_active = false;
  std::string fill_usual = "G", fill_special = "*";
  int fill_period = 4;
  std::vector<search::Constraint> budgets;  ///< upper bounds of "best within"
  std::string goal;                         ///< metric of "improve" and "best within"

  // --- Files and words ---

  void say(std::string text);
  void complain(std::string text);
  /// Runs `work`; what it throws becomes a message.
  void attempt(const std::function<void()>& work);
  /// Writes on a thread when there are many trials; says what came of it.
  void write(const std::filesystem::path& file, ViewWriter make);
  std::vector<Message> messages;
  std::optional<FileQuestion> question;  ///< being asked
  std::filesystem::path picker_folder;   ///< where the last one was answered
  std::string picker_name;
  std::filesystem::path session_file() const;  ///< beside the study's folder; empty without one
  void save_session();
  void remember(const std::filesystem::path& path);

  std::unique_ptr<StudyForm> form;                ///< of a new study
  const proxy::Backend* proxy_backend = nullptr;  ///< nullptr: the program's
  bool palette_open = false, about_open = false;  ///< asked for: opened in the next frame
  bool help_open = false, quit = false, reset_docks = false;
  std::string palette_text;
  int palette_at = 0;
  int tour = -1;  ///< step shown; -1: none
  std::string export_target = "fla";
  /// The selected trials on their way to this target, and what came of writing them; at most `kMostExports`.
  const std::vector<TrialExport>& selected_exports();
  void write_selected(const std::filesystem::path& folder);
  std::string focus_panel;               ///< title of a panel to bring to the front
  std::string front_panel = "Frontier";  ///< title of the view that had the focus last

 private:
  /// What a newer snapshot needs before it is shown, made together.
  struct Prepared {
    app::Snapshot snapshot;
    std::size_t closed = 0;
    Views views;
    bool new_study = false;
    std::shared_ptr<const app::WhatIf> what_if;  ///< of a new study
    std::string problem;                         ///< why it has none
  };

  void take(app::Snapshot fresh);
  void prepare(const app::Snapshot& fresh);
  void adopt(Prepared prepared);
  void keep_selection(std::size_t trials_before);
  void start_view(const app::StudySpec& study);
  ViewRequest request() const;
  void collect_written();
  void discard(std::shared_ptr<const app::StudyResults> results);
  void load_session();

  std::vector<std::uint8_t> selected_;  // by row
  std::vector<std::size_t> selection_;
  std::vector<TrialExport> exports_;  // of the selection for `exports_target_`; empty: not asked for since it changed
  std::string exports_target_;
  UndoStack<Document> undo_;
  TrialFilter filter_;
  Views views_;
  std::future<Prepared> preparing_;
  std::future<Views> refreshing_;
  std::future<Cloud> laying_over_;
  std::future<app::Importance> weighing_;
  app::Importance importance_;
  std::shared_ptr<const app::TrialTable> importance_of_, next_importance_of_;
  std::string importance_metric_, next_importance_metric_;
  std::vector<std::future<void>> discarding_;
  std::vector<std::future<std::filesystem::path>> writing_;
  std::size_t closed_ = 0;              // studies that were closed
  std::filesystem::path shown_folder_;  // of the results on the screen
  Cloud overlay_cloud_;
  std::string overlay_key_, next_overlay_key_;
  Density density_;
  std::shared_ptr<const Cloud> density_cloud_;
  std::shared_ptr<const ShownRows> density_shown_;
  std::array<double, 4> density_box_{};
  std::list<std::pair<spec::Layout, app::WhatIf::Answer>> answers_;  // newest first; pointers into it stay good
  std::list<std::pair<spec::Layout, std::vector<costmodel::CostReport>>> sweeps_;
  double now_s_ = 0;
};

/// Contexts of the sweep: 1K to 2M, doubling.
const std::vector<spec::Dim>& sweep_contexts();

/// Settings as JSON text and back; what cannot be read leaves the defaults.
std::string settings_json(const Settings& settings);
Settings settings_from_json(const std::string& text);

}  // namespace plait::gui
