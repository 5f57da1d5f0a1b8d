#include <benchmark/benchmark.h>
#include <imgui.h>
#include <implot.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <thread>

#include "gui/cloud.h"
#include "gui/frame.h"
#include "gui/panels/panels.h"
#include "gui/state.h"
#include "gui/theme.h"
#include "tests/bench/instances.h"

/// What a frame of the app costs on the CPU: vertices are counted beside the time, so that a change shows on any
/// machine.
namespace {

using namespace plait;

/// n trials around a front, without the layouts behind them.
std::shared_ptr<app::TrialTable> many_trials(std::size_t n) {
  auto table = std::make_shared<app::TrialTable>();
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (const char* name : {"recall", "kv_cache_bytes"}) {
    app::TrialTable::Column column;
    column.metric = {name, "1", name[0] == 'r' ? search::Direction::maximize : search::Direction::minimize, ""};
    column.deviation.resize(n);
    column.source.resize(n);
    table->columns.push_back(std::move(column));
  }
  for (std::size_t i = 0; i < n; ++i) {
    const double cost = uniform(random);
    table->columns[0].value.push_back(std::sqrt(cost) * (0.5 + 0.5 * uniform(random)));
    table->columns[1].value.push_back(1 + cost);
  }
  table->feasible.assign(n, 1);
  table->on_front.assign(n, 0);
  table->trials = n;
  return table;
}

struct Context {
  Context() {
    ImGui::CreateContext();
    ImPlot::CreateContext();
    ImGuiIO& io = ImGui::GetIO();
    io.IniFilename = nullptr;
    io.BackendFlags |= ImGuiBackendFlags_RendererHasTextures;
    io.ConfigFlags |= ImGuiConfigFlags_DockingEnable;
    io.DisplaySize = {1440, 900};
    gui::load_fonts();
    gui::apply_theme(report::Theme::light, 1);
  }
  ~Context() {
    for (ImTextureData* texture : ImGui::GetPlatformIO().Textures)
      texture->SetTexID(ImTextureID_Invalid), texture->SetStatus(ImTextureStatus_Destroyed);
    ImPlot::DestroyContext();
    ImGui::DestroyContext();
  }
};

/// A study of n trials, as a session would have given it to the app.
void show_many(gui::State& state, std::size_t n) {
  auto results = std::make_shared<app::StudyResults>();
  results->spec = bench::quickstart();
  const auto table = many_trials(n);
  for (const app::TrialTable::Column& column : table->columns) results->metrics.push_back(column.metric);
  results->trials.resize(table->trials);
  state.snapshot.table = table;
  state.snapshot.results = results;
  state.view.x = "kv_cache_bytes";
  state.view.y = "recall";
  state.view.x_log = false;
}

void render() {
  ImGui::Render();
  for (ImTextureData* texture : ImGui::GetPlatformIO().Textures)
    texture->SetTexID(1), texture->SetStatus(ImTextureStatus_OK);
}

/// The frontier panel. `moves`: in every frame the view is another, so that nothing of the frame before can be used.
void frontier_frame(benchmark::State& bench, bool moves) {
  const Context context;
  gui::State state;
  show_many(state, static_cast<std::size_t>(bench.range(0)));
  float width = 860;
  const auto frame = [&] {
    ImGui::GetIO().DeltaTime = 1.0F / 60;
    ImGui::NewFrame();
    ImGui::SetNextWindowPos({0, 0});
    ImGui::SetNextWindowSize({width, 540});
    if (moves) width = width > 900 ? 860 : width + 4;  // a cell of the density
    ImGui::Begin("Frontier");
    gui::draw_frontier(state);
    ImGui::End();
    render();
  };
  for (int i = 0; i < 3; ++i) frame();
  for (auto _ : bench) frame();
  bench.counters["vertices"] = ImGui::GetDrawData()->TotalVtxCount;
}
void gui_frontier_frame(benchmark::State& bench) { frontier_frame(bench, false); }
void gui_frontier_frame_moving(benchmark::State& bench) { frontier_frame(bench, true); }
BENCHMARK(gui_frontier_frame)->Arg(1000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(gui_frontier_frame_moving)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

void app_frame(gui::State& state) {
  ImGui::GetIO().DeltaTime = 1.0F / 60;
  ImGui::NewFrame();
  gui::draw_frame(state);
  render();
}

/// The whole app in its own arrangement. `longest_ms`: of the frames from new axes to when they are shown.
void gui_app_frame(benchmark::State& bench) {
  using Clock = std::chrono::steady_clock;
  const Context context;
  gui::State state;
  show_many(state, static_cast<std::size_t>(bench.range(0)));
  for (int i = 0; i < 6; ++i) app_frame(state);
  for (auto _ : bench) app_frame(state);
  double longest_s = 0;
  state.view.x_log = true;
  for (int frames = 0; !state.cloud().x.log && frames < 100'000; ++frames) {
    const Clock::time_point begin = Clock::now();
    app_frame(state);
    state.collect();
    longest_s = std::max(longest_s, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  bench.counters["longest_ms"] = 1e3 * longest_s;
  bench.counters["vertices"] = ImGui::GetDrawData()->TotalVtxCount;
}
BENCHMARK(gui_app_frame)->Arg(1000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

/// Of this process, now.
double resident_mib() {
  std::size_t pages = 0;
  std::ifstream statm("/proc/self/statm");
  statm >> pages >> pages;
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

/// A journal is opened, and then its search appends to it. `longest_ms`: of all frames meanwhile; `shown_s` and
/// `appended_s`: until the trials are on the screen; `MiB`: more than before when they are.
void gui_follow(benchmark::State& bench) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  const auto count = static_cast<std::size_t>(bench.range(0));
  std::string folder = std::filesystem::temp_directory_path() / "plait-bench-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return bench.SkipWithError("no folder");
  {
    // A thousand layouts again and again: reading them costs the same.
    std::vector<search::Trial> block = bench::scored_trials(1000);
    search::Journal journal =
        search::Journal::create(std::filesystem::path(folder) / "journal.jsonl", bench::quickstart().source);
    std::size_t written = 0;
    const auto append = [&](std::size_t more) {
      for (const std::size_t end = written + more; written < end;) {
        for (search::Trial& trial : block) trial.id = std::to_string(written++);
        journal.append(block);
      }
    };
    append(count);
    const Context context;
    gui::State state;
    double longest_s = 0;
    const auto until_shown = [&](std::size_t rows) {
      const Clock::time_point begin = Clock::now();
      while (state.table() == nullptr || state.table()->trials < rows) {
        const Clock::time_point frame = Clock::now();
        state.update(seconds_since(begin));
        app_frame(state);
        longest_s = std::max(longest_s, seconds_since(frame));
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
      return seconds_since(begin);
    };
    for (auto _ : bench) {
      app_frame(state);  // the first one loads fonts
      const double before = resident_mib();
      state.open(folder);
      bench.counters["shown_s"] = until_shown(count);
      bench.counters["MiB"] = resident_mib() - before;
      append(block.size());
      bench.counters["appended_s"] = until_shown(written);
      bench.counters["longest_ms"] = 1e3 * longest_s;
    }
  }
  std::filesystem::remove_all(folder);
}
BENCHMARK(gui_follow)->Arg(1000)->Arg(100'000)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(gui_follow)->Arg(1'000'000)->Iterations(1)->Repetitions(1)->UseRealTime()->Unit(benchmark::kMillisecond);

/// From nothing to the first frame: Dear ImGui, fonts, state, all panels.
void gui_first_frame(benchmark::State& bench) {
  for (auto _ : bench) {
    const Context context;
    gui::State state;
    app_frame(state);
  }
}
BENCHMARK(gui_first_frame)->Unit(benchmark::kMillisecond);

/// Nearest point under the mouse.
void gui_pick(benchmark::State& bench) {
  const auto table = many_trials(static_cast<std::size_t>(bench.range(0)));
  const gui::Cloud cloud = gui::make_cloud(*table, {}, "kv_cache_bytes", "recall", {});
  const gui::PickIndex index(cloud);
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (auto _ : bench) {
    benchmark::DoNotOptimize(index.nearest(cloud, 1 + uniform(random), uniform(random), 800, 400, 14));
  }
}
BENCHMARK(gui_pick)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMicrosecond);

/// Coordinates, classes, staircase and index after the axes were changed.
void gui_cloud(benchmark::State& bench) {
  const auto table = many_trials(static_cast<std::size_t>(bench.range(0)));
  for (auto _ : bench) {
    const gui::Cloud cloud = gui::make_cloud(*table, {}, "kv_cache_bytes", "recall", {.x_log = true});
    benchmark::DoNotOptimize(gui::PickIndex(cloud));
  }
}
BENCHMARK(gui_cloud)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

/// A layer becomes another: all scores and the costs of every layer.
void gui_layer_edit(benchmark::State& bench) {
  const app::WhatIf desk(bench::quickstart());
  spec::Layout layout = spec::parse_layout("(GGG*)x6", desk.study().palette);
  const auto& candidates = desk.study().space.candidates;
  std::size_t k = 0;
  for (auto _ : bench) {
    layout.layers[k % layout.size()] = candidates[k % candidates.size()].layer;
    ++k;
    benchmark::DoNotOptimize(desk.answer(layout));
  }
}
BENCHMARK(gui_layer_edit)->Unit(benchmark::kMicrosecond);

void gui_improve(benchmark::State& bench) {
  const app::WhatIf desk(bench::quickstart());
  const spec::Layout layout = spec::parse_layout("(GGG*)x6", desk.study().palette);
  for (auto _ : bench) {
    benchmark::DoNotOptimize(
        desk.best_neighbour(layout, {.metric = "recall", .budgets = {{"kv_cache_bytes", {}, 30e9}}}));
  }
}
BENCHMARK(gui_improve)->Unit(benchmark::kMillisecond);

}  // namespace
