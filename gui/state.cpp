#include "gui/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#include "gui/study_form.h"
#include "src/app/model_source.h"
#include "src/app/output.h"
#include "src/spec/embedded_file.h"
#include "src/spec/grouped.h"
#include "src/spec/json_reader.h"
#include "src/spec/model_json.h"

namespace plait::embedded {
std::span<const spec::EmbeddedFile> gui_sample();
}

namespace plait::gui {
namespace {

namespace fs = std::filesystem;
using spec::Json;

constexpr std::size_t kMostPins = 8;
constexpr std::size_t kMostRecent = 8;
constexpr std::string_view kSessionFormat = "plait-session/1";

/// As text for a file; nothing about it depends on the machine.
Json view_json(const View& view) {
  return {{"x", view.x},
          {"y", view.y},
          {"x_log", view.x_log},
          {"y_log", view.y_log},
          {"invert_x", view.invert_x},
          {"invert_y", view.invert_y},
          {"staircase", view.staircase},
          {"error_bars", view.error_bars},
          {"names", view.names},
          {"infeasible", view.infeasible},
          {"filter", view.filter},
          {"sweep_metric", view.sweep_metric},
          {"breakdown", view.breakdown},
          {"importance", view.importance},
          {"curve_loss", view.curve_loss},
          {"graph", view.graph}};
}

View view_from(spec::ObjectReader& reader) {
  View view;
  view.x = reader.string("x", view.x);
  view.y = reader.string("y", view.y);
  view.x_log = reader.boolean("x_log", view.x_log);
  view.y_log = reader.boolean("y_log", view.y_log);
  view.invert_x = reader.boolean("invert_x", view.invert_x);
  view.invert_y = reader.boolean("invert_y", view.invert_y);
  view.staircase = reader.boolean("staircase", view.staircase);
  view.error_bars = reader.boolean("error_bars", view.error_bars);
  view.names = reader.boolean("names", view.names);
  view.infeasible = reader.boolean("infeasible", view.infeasible);
  view.filter = reader.string("filter", view.filter);
  view.sweep_metric = reader.string("sweep_metric", view.sweep_metric);
  view.breakdown = reader.string("breakdown", view.breakdown);
  view.importance = reader.string("importance", view.importance);
  view.curve_loss = reader.boolean("curve_loss", view.curve_loss);
  view.graph = reader.boolean("graph", view.graph);
  reader.finish();
  return view;
}

bool has_metric(const app::TrialTable& table, const std::string& name) { return table.find(name) != nullptr; }

/// Trials from which views are made on a thread of their own: below, that takes less than a frame.
constexpr std::size_t kOnAThreadFrom = 30'000;

/// Whether the value is there, or is to be made now.
template <class T>
bool is_ready(const std::future<T>& future) {
  return future.valid() && future.wait_for(std::chrono::seconds(0)) != std::future_status::timeout;
}

/// Metrics that the table has in place of those that it has not.
void complete(ViewRequest& request, const app::StudyResults& results, const app::TrialTable& table) {
  const auto& objectives = results.spec.objectives;
  if (!has_metric(table, request.x)) request.x = objectives[1].metric;
  if (!has_metric(table, request.y)) request.y = objectives[0].metric;
}

/// What was measured on the sample study: see gui/README.md.
app::Measured sample_measurements() {
  const auto files = embedded::gui_sample();
  app::Measured measured;
  for (std::string_view lines = files[1].content; !lines.empty();) {
    const std::size_t end = lines.find('\n');
    measured.trials.push_back(
        search::trial_from_json(spec::parse_json(lines.substr(0, end), std::string(files[1].name))));
    lines.remove_prefix(end + 1);
  }
  const std::string name(files[2].name);
  measured.curves = app::curves_from_json(spec::parse_json(files[2].content, name), name);
  return measured;
}

/// A second study in the units of the axes that it lies over.
Cloud cloud_over(const app::StudyResults& results, const app::TrialTable& table, const CloudAxis& x,
                 const CloudAxis& y) {
  Cloud cloud = make_cloud(table, results.spec.objectives, x.metric, y.metric, {.x_log = x.log, .y_log = y.log});
  if (cloud.x.log != x.log || cloud.y.log != y.log) return {};
  const auto shift = [](std::vector<double>& values, const CloudAxis& from, const CloudAxis& to) {
    const double factor = from.shown.factor / to.shown.factor;
    for (double& value : values) value = to.log ? value + std::log10(factor) : value * factor;
  };
  shift(cloud.xs, cloud.x, x);
  shift(cloud.ys, cloud.y, y);
  return cloud;
}

}  // namespace

const std::vector<spec::Dim>& sweep_contexts() {
  static const std::vector<spec::Dim> contexts = [] {
    std::vector<spec::Dim> out;
    for (spec::Dim context = 1024; context <= 2 * 1024 * 1024; context *= 2) out.push_back(context);
    return out;
  }();
  return contexts;
}

std::string settings_json(const Settings& settings) {
  spec::OrderedJson out;
  out["format"] = "plait-settings/1";
  out["theme"] = settings.theme == report::Theme::dark ? "dark" : "light";
  out["scale"] = settings.scale;
  out["recent"] = settings.recent;
  out["hidden"] = settings.hidden;
  out["tour_seen"] = settings.tour_seen;
  return out.dump(2) + "\n";
}

Settings settings_from_json(const std::string& text) {
  Settings settings;
  try {
    const Json json = spec::parse_json(text, "settings");
    spec::Problems problems;
    spec::ObjectReader reader(json, "settings", problems);
    settings.theme = reader.string("theme", "light") == "dark" ? report::Theme::dark : report::Theme::light;
    settings.scale = reader.number("scale", 0.5, 4, 1);
    settings.recent = reader.strings("recent");
    for (std::string& title : reader.strings("hidden")) settings.hidden.insert(std::move(title));
    settings.tour_seen = reader.boolean("tour_seen", false);
    return problems.empty() || problems.list()[0].path.ends_with("format") ? settings : Settings{};
  } catch (const spec::SpecError&) {
    return {};
  }
}

State::State(std::function<void()> changed) : session(changed), overlay_session(changed) {
  form = std::make_unique<StudyForm>();
}

State::~State() = default;

// --- Words ---

void State::say(std::string text) { messages.push_back({std::move(text), false, now_s_}); }
void State::complain(std::string text) {
  if (!messages.empty() && messages.back().bad && messages.back().text == text) return;
  messages.push_back({std::move(text), true, now_s_});
}

void State::attempt(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& error) {
    complain(error.what());
  }
}

void State::write(const fs::path& file, ViewWriter make) {
  const bool many = table() && table()->size() >= kOnAThreadFrom;
  writing_.push_back(std::async(many ? std::launch::async : std::launch::deferred, [file, make = std::move(make)] {
    app::write_file(file, make());
    return file;
  }));
  if (many) say("writing " + file.string());
  collect_written();
}

void State::collect_written() {
  for (auto& written : writing_) {
    if (is_ready(written)) attempt([&] { say("saved " + written.get().string()); });
  }
  std::erase_if(writing_, [](const auto& written) { return !written.valid(); });
}

// --- Studies ---

void State::remember(const fs::path& path) {
  const std::string text = fs::absolute(path).lexically_normal().string();
  std::erase(settings.recent, text);
  settings.recent.insert(settings.recent.begin(), text);
  if (settings.recent.size() > kMostRecent) settings.recent.resize(kMostRecent);
}

void State::open(const fs::path& path) {
  attempt([&] {
    if (fs::is_directory(path)) {
      session.open(path);
      remember(path);
      return;
    }
    if (path.filename() == "journal.jsonl") {
      open(path.parent_path().empty() ? fs::path(".") : path.parent_path());
      return;
    }
    const Json json = spec::read_json_file(path.string());
    if (json.is_object() && json.contains("space") && json.contains("objectives")) {
      form = std::make_unique<StudyForm>(app::read_study(path.string(), {}).source);
      remember(path);
      focus_panel = "Run";
      say(fmt::format("{} fills the form of a new study", path.string()));
      return;
    }
    const app::NamedModel named = app::read_model(path.string(), "");
    set_layout(named.model.layout, path.filename().string());
    remember(path);
    for (const std::string& note : named.notes) say(note);
    if (!what_if)
      complain("open or start a study too: its model, hardware and context are what layouts are costed with");
  });
}

void State::open_sample() {
  attempt([&] {
    Json json = spec::parse_json(embedded::gui_sample().front().content, "quickstart.json");
    spec::Problems problems;
    app::StudySpec study = app::study_from_json(json, "", problems);
    problems.throw_if_any();
    form = std::make_unique<StudyForm>(std::move(json));
    session.run(study, sample_measurements());
  });
}

void State::start(const app::StudySpec& study, const fs::path& folder, bool resume,
                  std::optional<app::ProxyChoice> proxies) {
  attempt([&] {
    if (proxies) proxies->backend = proxy_backend;
    session.run(study, folder, resume, std::move(proxies));
    if (!folder.empty()) remember(folder);
  });
}

void State::train() {
  if (!results()) return;
  app::ProxyChoice choice = form->proxies().value_or(app::ProxyChoice{});
  choice.device = form->device;
  // What is stored nowhere is searched again first: the same study gives the same trials.
  start(results()->spec, shown_folder_, !shown_folder_.empty(), std::move(choice));
}

void State::open_overlay(const fs::path& folder) { overlay_session.open(folder); }

void State::close_overlay() { overlay_session.close(); }

bool State::busy() const {
  const auto works = [](const app::Snapshot& s) {
    return s.phase == app::Phase::running || s.phase == app::Phase::loading;
  };
  const auto under_way = [](const auto& future) { return future.valid() && !is_ready(future); };
  // What is refreshed is taken by the next update whatever is on the screen.
  return works(snapshot) || works(overlay) || refreshing_.valid() || under_way(preparing_) || under_way(laying_over_) ||
         under_way(weighing_);
}

bool State::collect() {
  std::erase_if(discarding_, is_ready<void>);
  collect_written();
  if (!is_ready(refreshing_)) return false;
  attempt([&] {
    Views fresh = refreshing_.get();
    if (fresh.table == snapshot.table) views_ = std::move(fresh);
  });
  return true;
}

bool State::update(double now_s) {
  now_s_ = now_s;
  std::erase_if(messages, [&](const Message& message) { return now_s - message.since_s > (message.bad ? 20 : 6); });
  const bool made = collect();
  app::Snapshot fresh = session.snapshot();
  const bool new_words = fresh.message != snapshot.message && !fresh.message.empty();
  if (new_words) complain(fresh.message);
  if (fresh.phase == app::Phase::finished && fresh.version != snapshot.version) {
    say(fmt::format("{} has finished: {} layouts evaluated, {} on the front", fresh.results->spec.name,
                    spec::grouped(fresh.results->trials.size()), fresh.results->front.size()));
  }
  bool changed = made || fresh.version != snapshot.version || fresh.phase != snapshot.phase || new_words ||
                 fresh.progress.done != snapshot.progress.done || fresh.share_read != snapshot.share_read;
  take(std::move(fresh));
  app::Snapshot other = overlay_session.snapshot();
  if (other.message != overlay.message && !other.message.empty()) complain(other.message);
  changed = changed || other.version != overlay.version;
  if (other.results != overlay.results) discard(overlay.results);
  overlay = std::move(other);
  return changed;
}

void State::take(app::Snapshot fresh) {
  if (fresh.phase == app::Phase::empty) {
    if (snapshot.results) ++closed_;
    discard(snapshot.results);
    views_ = {};
    what_if = nullptr;
    snapshot = std::move(fresh);
    clear_selection();
    return;
  }
  const std::shared_ptr<const app::StudyResults> newest = fresh.results;
  if (newest && newest != snapshot.results && !preparing_.valid()) prepare(fresh);
  // The study before stays on the screen until the new one has something to show, or for good when it failed.
  fresh.results = snapshot.results;
  fresh.table = snapshot.table;
  snapshot = std::move(fresh);
  if (is_ready(preparing_)) attempt([&] { adopt(preparing_.get()); });
}

void State::prepare(const app::Snapshot& fresh) {
  const bool new_study = !snapshot.results || !what_if || fresh.folder != shown_folder_ ||
                         fresh.results->spec.source != what_if->study().source;
  const auto work = [fresh, new_study, closed = closed_, now = request(), before = views_] {
    Prepared prepared{
        .snapshot = fresh, .closed = closed, .views = {}, .new_study = new_study, .what_if = nullptr, .problem = {}};
    ViewRequest wanted = new_study ? ViewRequest{} : now;
    complete(wanted, *fresh.results, *fresh.table);
    if (fresh.table->size() > 0) prepared.views = make_views(fresh.results, fresh.table, wanted, before);
    if (new_study) {
      try {
        prepared.what_if = std::make_shared<const app::WhatIf>(fresh.results->spec);
      } catch (const std::exception& error) {
        prepared.problem = error.what();
      }
    }
    return prepared;
  };
  preparing_ = std::async(fresh.table->size() < kOnAThreadFrom ? std::launch::deferred : std::launch::async, work);
}

void State::adopt(Prepared prepared) {
  if (prepared.snapshot.folder != snapshot.folder || prepared.closed != closed_) return;  // it is another study by now
  const std::size_t trials_before = table() ? table()->trials : 0;
  discard(std::exchange(snapshot.results, prepared.snapshot.results));
  snapshot.table = prepared.snapshot.table;
  shown_folder_ = prepared.snapshot.folder;
  views_ = std::move(prepared.views);
  keep_selection(trials_before);
  if (prepared.new_study) {
    what_if = std::move(prepared.what_if);
    if (!prepared.problem.empty()) complain(prepared.problem);
    start_view(snapshot.results->spec);
  }
  // The first results of a search may have no front yet.
  if (!document.layout.layers.empty()) return;
  if (const search::Trial* best = app::recommended(*snapshot.results))
    select(app::row_of(*snapshot.results, best->id), false);
  undo_.clear();
}

/// Baselines follow the trials: their rows move when there are more of those.
void State::keep_selection(std::size_t trials_before) {
  const std::size_t trials = table()->trials, size = table()->size();
  const auto moved = [&](std::size_t row) {
    if (row == SIZE_MAX) return row;
    const std::size_t to = row < trials_before ? row : row - trials_before + trials;
    return to < size && (row >= trials_before || to < trials) ? to : SIZE_MAX;
  };
  for (std::size_t& row : selection_) row = moved(row);
  std::erase(selection_, SIZE_MAX);
  for (TrialExport& each : exports_) each.row = moved(each.row);
  std::erase_if(exports_, [](const TrialExport& each) { return each.row == SIZE_MAX; });
  current = moved(current);
  selected_.assign(size, 0);
  for (const std::size_t row : selection_) selected_[row] = 1;
}

void State::start_view(const app::StudySpec& study) {
  clear_selection();
  hovered = until = SIZE_MAX;
  answers_.clear();
  sweeps_.clear();
  brushes.clear();
  budgets.clear();
  fit = true;
  goal = study.objectives[0].metric;
  view.y = study.objectives[0].metric;
  view.x = study.objectives[1].metric;
  set_filter("");
  document = {};
  load_session();
  undo_.clear();
}

/// A million trials take their time to be freed.
void State::discard(std::shared_ptr<const app::StudyResults> results) {
  if (!results || results->trials.size() < kOnAThreadFrom) return;
  discarding_.push_back(std::async(std::launch::async, [gone = std::move(results)]() mutable { gone.reset(); }));
}

// --- What is seen ---

void State::set_axes(const std::string& x, const std::string& y) {
  if (view.x == x && view.y == y) return;
  view.x = x;
  view.y = y;
  fit = true;
}

void State::set_filter(const std::string& text) {
  view.filter = text;
  filter_ = parse_filter(text, results() == nullptr ? std::vector<search::Metric>{} : results()->metrics);
}

ViewRequest State::request() const {
  return {.x = view.x,
          .y = view.y,
          .x_log = view.x_log,
          .y_log = view.y_log,
          .until = until,
          .filter = view.filter,
          .brushes = brushes,
          .sort = sort};
}

const Views& State::views() {
  static const Views kNothing{.results = nullptr,
                              .table = nullptr,
                              .request = {},
                              .summary = std::make_shared<const TableSummary>(),
                              .cloud = std::make_shared<const Cloud>(),
                              .pick = std::make_shared<const PickIndex>(),
                              .shown = std::make_shared<const ShownRows>(),
                              .order = std::make_shared<const std::vector<std::uint32_t>>()};
  if (!has_rows()) return kNothing;
  ViewRequest wanted = request();
  complete(wanted, *results(), *table());
  view.x = wanted.x;
  view.y = wanted.y;
  const bool made = views_.table == snapshot.table && views_.request == wanted;
  if (!made && (views_.table != snapshot.table || table()->size() < kOnAThreadFrom)) {
    views_ = make_views(snapshot.results, snapshot.table, wanted, views_);
  } else if (!made && !refreshing_.valid()) {
    refreshing_ =
        std::async(std::launch::async, [results = snapshot.results, table = snapshot.table, wanted, before = views_] {
          return make_views(results, table, wanted, before);
        });
  }
  return views_;
}

const app::Importance& State::importance() {
  constexpr std::size_t kWeighedAtOnce = 2000;
  if (!has_rows()) return importance_;
  if (!has_metric(*table(), view.importance)) view.importance = results()->spec.objectives[0].metric;
  const auto take = [&] {
    importance_ = weighing_.get();
    importance_of_ = std::move(next_importance_of_);
    importance_metric_ = next_importance_metric_;
  };
  if (is_ready(weighing_)) take();
  const bool made = importance_of_ == snapshot.table && importance_metric_ == view.importance;
  if (!made && !weighing_.valid()) {
    next_importance_of_ = snapshot.table;
    next_importance_metric_ = view.importance;
    weighing_ = std::async(table()->size() < kWeighedAtOnce ? std::launch::deferred : std::launch::async,
                           [results = snapshot.results, table = snapshot.table, metric = view.importance] {
                             return app::importance_of(*results, *table, metric);
                           });
    if (is_ready(weighing_)) take();
  }
  return importance_;
}

report::LineChart State::learning_chart() const {
  const std::vector<app::MeasuredCurve>& curves = results()->curves;
  const std::vector<app::CurveGroup> groups = app::curve_groups(curves);
  if (view.curve_group >= groups.size()) return {};
  return app::curve_chart(
      curves, groups[view.curve_group], view.curve_loss ? app::CurveQuantity::loss : app::CurveQuantity::accuracy,
      [&](const app::MeasuredCurve& curve) {
        const search::Trial& trial = app::trial_at(*results(), app::row_of(*results(), curve.trials.front()));
        return trial.name.empty() ? trial.layout : trial.name;
      });
}

const app::MeasuredCurve* State::curve_shown(std::size_t line) const {
  const std::vector<app::MeasuredCurve>& curves = results()->curves;
  const std::vector<app::CurveGroup> groups = app::curve_groups(curves);
  for (const app::MeasuredCurve& measured : curves) {
    if (app::CurveGroup{measured.curve.rung, measured.curve.task} == groups[view.curve_group] && line-- == 0)
      return &measured;
  }
  return nullptr;
}

const Density& State::density_of_cloud(const std::array<double, 4>& box, std::size_t columns, std::size_t lines) {
  const Views& now = views();
  const bool same = density_cloud_ == now.cloud && density_shown_ == now.shown && density_box_ == box &&
                    density_.columns == columns && density_.lines == lines;
  if (!same) {
    density_cloud_ = now.cloud;
    density_shown_ = now.shown;
    density_box_ = box;
    density_ = density(*now.cloud, box[0], box[1], box[2], box[3], columns, lines,
                       now.shown->count == now.shown->rows.size() ? std::span<const std::uint8_t>{} : now.shown->rows);
  }
  return density_;
}

const Cloud* State::overlay_cloud() {
  if (!overlay.table || overlay.table->size() == 0 || !has_rows()) return nullptr;
  if (!has_metric(*overlay.table, view.x) || !has_metric(*overlay.table, view.y)) return nullptr;
  const Cloud& own = cloud();
  const std::string key = fmt::format("{} {} {} {} {} {} {}", overlay.version, own.x.metric, own.y.metric, own.x.log,
                                      own.y.log, own.x.shown.factor, own.y.shown.factor);
  if (is_ready(laying_over_)) {
    overlay_cloud_ = laying_over_.get();
    overlay_key_ = next_overlay_key_;
  }
  if (key != overlay_key_ && !laying_over_.valid()) {
    next_overlay_key_ = key;
    laying_over_ = std::async(overlay.table->size() < kOnAThreadFrom ? std::launch::deferred : std::launch::async,
                              [results = overlay.results, table = overlay.table, x = own.x, y = own.y] {
                                return cloud_over(*results, *table, x, y);
                              });
    if (is_ready(laying_over_)) {
      overlay_cloud_ = laying_over_.get();
      overlay_key_ = key;
    }
  }
  return key != overlay_key_ || overlay_cloud_.size() == 0 ? nullptr : &overlay_cloud_;
}

// --- Selection ---

void State::select(std::size_t row, bool add) { select_all({row}, add); }

void State::select_all(const std::vector<std::size_t>& rows, bool add) {
  if (!table()) return;
  const bool toggles = add && rows.size() == 1 && is_selected(rows[0]);
  exports_.clear();
  if (!add) {
    std::ranges::fill(selected_, std::uint8_t{0});
    selection_.clear();
  }
  for (const std::size_t row : rows) {
    if (row < selected_.size()) selected_[row] = toggles ? 0 : 1;
  }
  selection_.insert(selection_.end(), rows.begin(), rows.end());
  std::ranges::sort(selection_);
  const auto twice = std::ranges::unique(selection_);
  selection_.erase(twice.begin(), twice.end());
  std::erase_if(selection_, [&](std::size_t row) { return !is_selected(row); });
  if (rows.size() == 1 && rows[0] < selected_.size() && !toggles) open_row(rows[0]);
}

void State::open_row(std::size_t row) {
  current = row;
  scroll_to_current = true;
  load_row(row);
}

bool State::is_open(std::size_t row) const {
  return table() && row == current && row < table()->size() && document.layout == document.reference &&
         row_name(row) == document.origin;
}

void State::clear_selection() {
  selected_.assign(table() ? table()->size() : 0, 0);
  selection_.clear();
  exports_.clear();
  current = SIZE_MAX;
}

std::string State::row_name(std::size_t row) const {
  if (results() == nullptr || row >= table()->size()) return "";
  const search::Trial& trial = app::trial_at(*results(), row);
  return trial.name.empty() ? "trial " + trial.id : trial.name;
}

void State::step_on_front(int direction) {
  const Cloud& points = cloud();
  const std::size_t own = points.index_of(current);
  const double x = own == Cloud::kNone ? (direction > 0 ? -INFINITY : INFINITY) : points.xs[own];
  const auto beyond = [&](std::uint32_t i) { return direction > 0 ? points.xs[i] > x : points.xs[i] < x; };
  if (direction > 0) {
    const auto next = std::ranges::find_if(points.staircase, beyond);
    if (next != points.staircase.end()) select(points.rows[*next], false);
  } else {
    const auto before = std::find_if(points.staircase.rbegin(), points.staircase.rend(), beyond);
    if (before != points.staircase.rend()) select(points.rows[*before], false);
  }
}

// --- The editor ---

void State::edit(const std::function<void(Document&)>& change, const std::string& key) {
  Document next = document;
  change(next);
  if (next == document) return;
  undo_.before_edit(document, key);
  document = std::move(next);
  if (!document.layout.layers.empty()) layer = std::min(layer, document.layout.size() - 1);
}

void State::set_layout(spec::Layout layout, const std::string& origin) {
  edit([&](Document& next) {
    next.layout = layout;
    next.reference = std::move(layout);
    next.origin = origin;
  });
}

void State::load_row(std::size_t row) {
  attempt([&] {
    const search::Trial& trial = app::trial_at(*results(), row);
    set_layout(app::model_of(*results(), trial).layout, row_name(row));
  });
}

bool State::paste_notation(const std::string& text, std::string& problem) {
  try {
    const spec::Palette palette = what_if ? what_if->study().palette : spec::Palette::defaults(2048);
    spec::Layout layout = spec::parse_layout(text, palette);
    if (layout.layers.empty()) throw spec::SpecError("layout", "is empty");
    problem.clear();
    edit([&](Document& next) {
      next.layout = std::move(layout);
      if (next.reference.layers.empty()) next.reference = next.layout;
    });
    return true;
  } catch (const std::exception& error) {
    problem = error.what();
    return false;
  }
}

void State::set_mixer(const std::string& symbol) {
  if (!what_if || layer >= document.layout.size()) return;
  const auto mixer = what_if->study().palette.mixers.find(symbol);
  if (mixer == what_if->study().palette.mixers.end()) return;
  edit([&](Document& next) {
    spec::LayerSpec& changed = next.layout.layers[layer];
    changed.mixer = mixer->second;
    changed.kv_from.reset();
    changed.weights_from.reset();
  });
}

void State::improve() {
  if (!what_if || document.layout.layers.empty()) return;
  attempt([&] {
    // No objective may get worse, unless a budget says how far it may go.
    const app::WhatIf::Answer* now = answer();
    if (now == nullptr) return;
    std::vector<search::Constraint> bounds = budgets;
    for (const search::Objective& objective : what_if->study().objectives) {
      const auto value = now->scores.find(objective.metric);
      if (objective.metric == goal || value == now->scores.end()) continue;
      if (std::ranges::find(budgets, objective.metric, &search::Constraint::metric) != budgets.end()) continue;
      search::Constraint bound{objective.metric, {}, {}};
      (objective.direction == search::Direction::minimize ? bound.high : bound.low) = value->second.value;
      bounds.push_back(std::move(bound));
    }
    if (auto better = what_if->best_neighbour(document.layout, {.metric = goal, .budgets = bounds})) {
      edit([&](Document& next) { next.layout = std::move(*better); });
      say(fmt::format("one change further: better {} inside the budgets", goal));
    } else {
      say(fmt::format("no change of one layer, and no exchange of two, gives a better {} inside the budgets", goal));
    }
  });
}

void State::best_within() {
  if (!what_if) return;
  attempt([&] {
    if (auto best = what_if->best({.metric = goal, .budgets = budgets})) {
      edit([&](Document& next) {
        next.layout = std::move(*best);
        if (next.reference.layers.empty()) next.reference = next.layout;
      });
      say(fmt::format("the best {} of all {} layouts inside the budgets", goal,
                      results() ? spec::grouped(results()->layouts) : "legal"));
    } else {
      say("no layout is inside the budgets");
    }
  });
}

void State::pin() {
  if (document.layout.layers.empty()) return;
  const app::WhatIf::Answer* now = answer();
  const bool edited = !(document.layout == document.reference);
  const std::string name =
      edited || document.origin.empty() ? (now ? now->notation : spec::letters(document.layout)) : document.origin;
  if (std::ranges::find(document.pins, document.layout, &Pin::layout) != document.pins.end()) {
    say("this layout is pinned already");
    return;
  }
  if (document.pins.size() == kMostPins) {
    say(fmt::format("{} layouts are pinned; unpin one first", kMostPins));
    return;
  }
  edit([&](Document& next) { next.pins.push_back({name, next.layout}); });
}

void State::undo() {
  if (undo_.undo(document) && !document.layout.layers.empty()) layer = std::min(layer, document.layout.size() - 1);
}
void State::redo() {
  if (undo_.redo(document) && !document.layout.layers.empty()) layer = std::min(layer, document.layout.size() - 1);
}

const app::WhatIf::Answer* State::answer_for(const spec::Layout& layout) {
  if (!what_if || layout.layers.empty()) return nullptr;
  constexpr std::size_t kKept = 32;
  const auto known =
      std::ranges::find(answers_, layout, [](const auto& entry) -> const spec::Layout& { return entry.first; });
  if (known != answers_.end()) {
    answers_.splice(answers_.begin(), answers_, known);
  } else {
    answers_.emplace_front(layout, what_if->answer(layout));
    if (answers_.size() > kKept) answers_.pop_back();
  }
  return &answers_.front().second;
}

const app::WhatIf::Answer* State::answer() { return answer_for(document.layout); }
const app::WhatIf::Answer* State::reference_answer() { return answer_for(document.reference); }

const std::vector<costmodel::CostReport>& State::sweep(const spec::Layout& layout) {
  static const std::vector<costmodel::CostReport> kNothing;
  if (!what_if || layout.layers.empty()) return kNothing;
  constexpr std::size_t kKept = 24;
  const auto known =
      std::ranges::find(sweeps_, layout, [](const auto& entry) -> const spec::Layout& { return entry.first; });
  if (known != sweeps_.end()) return known->second;
  if (sweeps_.size() == kKept) sweeps_.pop_front();
  const app::WhatIf::Answer* costs = answer_for(layout);
  const bool valid = costs != nullptr && costs->costs;
  sweeps_.emplace_back(layout, valid ? what_if->sweep(layout, sweep_contexts()) : kNothing);
  return sweeps_.back().second;
}

// --- Trainers ---

const std::vector<TrialExport>& State::selected_exports() {
  if (selection_.size() <= kMostExports && (exports_.empty() || exports_target_ != export_target)) {
    exports_ = trial_exports(*results(), selection_, *interchange::find_exporter(export_target));
    exports_target_ = export_target;
  }
  return exports_;
}

void State::write_selected(const fs::path& folder) {
  selected_exports();
  const std::size_t written =
      write_trial_exports(*results(), *interchange::find_exporter(export_target), folder, exports_);
  const std::string text =
      fmt::format("wrote {} of {} layouts for {} into {}", written, exports_.size(), export_target, folder.string());
  if (written == exports_.size()) {
    say(text);
  } else {
    complain(text + "; Export says why not the others");
  }
}

// --- The session file ---

fs::path State::session_file() const {
  if (shown_folder_.empty()) return {};
  fs::path folder = fs::absolute(shown_folder_).lexically_normal();
  if (folder.filename().empty()) folder = folder.parent_path();
  return folder.parent_path() / (folder.filename().string() + ".plait-session.json");
}

void State::save_session() {
  const fs::path file = session_file();
  if (file.empty()) {
    complain("this study is stored nowhere, so there is no place beside it for a session");
    return;
  }
  attempt([&] {
    spec::OrderedJson out;
    out["format"] = kSessionFormat;
    out["view"] = view_json(view);
    spec::ModelSpec model = what_if ? what_if->study().model : spec::ModelSpec{};
    const auto layers = [&](const spec::Layout& layout) {
      model.layout = layout;
      return spec::Json(spec::to_json(model));
    };
    if (!document.layout.layers.empty()) {
      out["layout"] = {
          {"name", document.origin}, {"model", layers(document.layout)}, {"reference", layers(document.reference)}};
    }
    out["pins"] = spec::OrderedJson::array();
    for (const Pin& pin : document.pins) out["pins"].push_back({{"name", pin.name}, {"model", layers(pin.layout)}});
    app::replace_file(file, out.dump(2) + "\n");
    say("saved " + file.string());
  });
}

void State::load_session() {
  const fs::path file = session_file();
  std::error_code error;
  if (file.empty() || !fs::exists(file, error)) return;
  attempt([&] {
    const Json json = spec::read_json_file(file.string());
    spec::Problems problems;
    spec::ObjectReader reader(json, file.string(), problems);
    reader.one_of("format", {std::string(kSessionFormat)});
    if (const Json* stored = reader.require("view")) {
      spec::ObjectReader view_reader(*stored, reader.path("view"), problems);
      const View read = view_from(view_reader);
      if (problems.empty()) view = read;
    }
    Document read;
    const auto layout_at = [&](const Json& value, const std::string& path) {
      return spec::model_from_json(value, path, problems).layout;
    };
    if (const Json* stored = reader.get("layout")) {
      spec::ObjectReader layout(*stored, reader.path("layout"), problems);
      read.origin = layout.string("name");
      if (const Json* model = layout.require("model")) read.layout = layout_at(*model, layout.path("model"));
      if (const Json* model = layout.require("reference")) read.reference = layout_at(*model, layout.path("reference"));
      layout.finish();
    }
    if (const Json* stored = reader.get("pins"); stored && stored->is_array()) {
      for (std::size_t i = 0; i < stored->size() && i < kMostPins; ++i) {
        spec::ObjectReader entry((*stored)[i], spec::index_path(reader.path("pins"), i), problems);
        Pin pin{entry.string("name"), {}};
        if (const Json* model = entry.require("model")) pin.layout = layout_at(*model, entry.path("model"));
        entry.finish();
        read.pins.push_back(std::move(pin));
      }
    }
    reader.finish();
    problems.throw_if_any();
    document = std::move(read);
    set_filter(view.filter);
  });
}

}  // namespace plait::gui
