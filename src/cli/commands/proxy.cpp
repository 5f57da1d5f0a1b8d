#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>

#include "src/app/proxy_comparison.h"
#include "src/cli/commands.h"
#include "src/report/line_chart.h"

namespace plait::cli {
namespace {

struct Options {
  std::vector<std::string> what;
  std::string model;
  std::string task = "mqar";
  std::string tier = "tiny";
  std::string device = "cpu";
  std::string text;
  std::int64_t steps = 0;
  std::int64_t batch = 0;
  std::size_t seeds = 0;
  std::vector<double> learning_rates;
  std::string out, svg, png;
  bool dark = false;
  bool json = false;
};

proxy::Tier tier_named(const std::string& wanted) {
  for (const auto& [tier, name] : enum_names(proxy::Tier{})) {
    if (name == wanted) return tier;
  }
  throw UsageError(fmt::format("--tier {}: one of tiny, small, full", wanted));
}

/// Eight heights for the accuracies of a run.
std::string spark(const proxy::MemberRun& run) {
  static constexpr std::array<std::string_view, 8> kHeights = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr std::size_t kWidth = 16;
  std::string out;
  const std::size_t size = run.curve.size(), shown = std::min(size, kWidth);
  for (std::size_t i = 0; i < shown; ++i) {
    const double accuracy = run.curve[(i + 1) * size / shown - 1].accuracy;
    out += kHeights[static_cast<std::size_t>(std::clamp(accuracy * 8, 0.0, 7.0))];
  }
  return out;
}

std::string comparison_text(const app::Comparison& comparison) {
  const std::int64_t candidates = comparison.candidates();
  std::string text = fmt::format(
      "{}, {} tier on {}: {} models in one population (learning rates x seeds: {} x {}), {} steps of {} sequences, "
      "{:.0f} s\n\n",
      comparison.plan.task, search::name_of(comparison.plan.tier), comparison.plan.device, comparison.members,
      comparison.learning_rates.size(), comparison.seeds, comparison.plan.steps, comparison.plan.batch,
      comparison.elapsed_s);

  std::vector<std::vector<std::string>> rows = {
      {"layout", "trained as", "information", "90 % interval", "lr", "escape", "locked in", "curve"}};
  std::vector<std::vector<std::string>> loads;
  for (std::size_t i = 0; i < comparison.layouts.size(); ++i) {
    const app::ComparedLayout& layout = comparison.layouts[i];
    const proxy::CandidateScore& score = layout.outcome.score;
    if (!layout.outcome.unsupported.empty() || score.seeds == 0) {
      const std::string& why = layout.outcome.unsupported.empty() ? score.failure : layout.outcome.unsupported;
      rows.push_back({layout.layout, layout.proxy, "failed: " + why});
      continue;
    }
    rows.push_back({layout.layout, layout.proxy, fmt::format("{:.3f}", score.information),
                    fmt::format("{:.3f} to {:.3f}", score.low, score.high),
                    fmt::format("{}", layout.outcome.learning_rate),
                    score.escape_step ? fmt::format("{:.0f}", *score.escape_step) : "never",
                    fmt::format("{:.0f} of {}", score.locked_in * static_cast<double>(score.seeds), score.seeds),
                    spark(layout.outcome.runs.front())});
    if (loads.empty()) {
      loads.push_back({"accuracy at load"});
      for (const proxy::TestScore& test : layout.outcome.runs.front().tests) {
        loads[0].push_back(fmt::format("{}/{}", test.pairs, test.length));
      }
      loads.push_back({"chance (1/K)"});
      for (const proxy::TestScore& test : layout.outcome.runs.front().tests) {
        loads[1].push_back(test.candidates > 0 ? fmt::format("{:.3f}", 1.0 / static_cast<double>(test.candidates))
                                               : "");
      }
    }
    if (layout.shares != i) continue;
    std::vector<std::string>& row = loads.emplace_back(std::vector<std::string>{layout.layout});
    for (std::size_t k = 0; k + 1 < loads[0].size(); ++k) {
      double sum = 0, count = 0;
      for (const proxy::MemberRun& run : layout.outcome.runs) {
        if (k >= run.tests.size()) continue;
        sum += run.tests[k].accuracy;
        ++count;
      }
      row.push_back(count > 0 ? fmt::format("{:.3f}", sum / count) : "-");
    }
  }
  text += format_table(rows, {2, 4, 5});
  if (!loads.empty()) {
    std::vector<std::size_t> right;
    for (std::size_t c = 1; c < loads[0].size(); ++c) right.push_back(c);
    text += '\n' + format_table(loads, right);
    text +=
        "\nInformation: 0 is what answering any value of the context gets, 1 is certainty; mean over loads with two "
        "values\n"
        "and more. Intervals that overlap are no difference: more --seeds narrow them.\n";
  }
  if (candidates > 1) {
    text += fmt::format("Escape: first step with an accuracy above {:.3f}, twice chance; before it nothing is bound.\n",
                        2.0 / static_cast<double>(candidates));
  }
  return text;
}

void run(const Options& options, Context& context) {
  if (!options.text.empty() && options.task != "bytes")
    throw UsageError(fmt::format("--text is read by the task bytes; this is the task {}", options.task));
  for (const std::string& file : {options.svg, options.png}) require_folder(file);
  const proxy::Backend& backend = proxy::backend();
  app::ComparisonOptions comparing{.task = options.task,
                                   .tier = tier_named(options.tier),
                                   .device = options.device,
                                   .text = options.text,
                                   .steps = {},
                                   .batch = {},
                                   .seeds = {},
                                   .learning_rates = options.learning_rates,
                                   .checkpoints = options.out};
  if (options.steps > 0) comparing.steps = options.steps;
  if (options.batch > 0) comparing.batch = options.batch;
  if (options.seeds > 0) comparing.seeds = options.seeds;
  std::vector<app::NamedModel> models;
  for (const std::string& what : options.what) {
    models.push_back(app::read_model(what, options.model));
    for (const std::string& note : models.back().notes) context.console.warn(note);
  }
  if (!options.out.empty()) std::filesystem::create_directories(options.out);
  const app::Comparison comparison =
      app::compare_on_proxy(backend, models, comparing, context.stop,
                            [&](const evaluate::ProxyProgress& progress) { context.console.progress(progress); });
  context.console.end_progress();
  for (const std::string& note : comparison.notes) context.console.warn(note);
  if (!comparison.finished) {
    context.console.warn(options.out.empty() ? "interrupted; with --out DIR the same line would go on from here"
                                             : "interrupted; the same line goes on from here");
    context.exit_code = kInterrupted;
    return;
  }
  const report::FigureOptions drawing{.height = 520,
                                      .theme = options.dark ? report::Theme::dark : report::Theme::light};
  const report::LineChart chart = app::learning_curves(comparison);
  std::vector<std::string> written;
  const auto write_svg = [&](const std::string& file) {
    write_file(file, report::to_svg(chart, drawing));
    written.push_back(file);
  };
  if (!options.svg.empty()) write_svg(options.svg);
  if (!options.png.empty()) {
    const std::vector<std::uint8_t> png = report::to_png(chart, drawing);
    write_file(options.png, {reinterpret_cast<const char*>(png.data()), png.size()});
    written.push_back(options.png);
  }
  if (!options.out.empty()) {
    const std::filesystem::path folder = options.out;
    write_file((folder / "proxy.json").string(), app::comparison_json(comparison));
    written.push_back((folder / "proxy.json").string());
    write_svg((folder / "curves.svg").string());
  }
  for (const std::string& file : written) context.console.warn(fmt::format("wrote {}", file));
  context.console.print(options.json ? app::comparison_json(comparison) : comparison_text(comparison));
}

}  // namespace

void add_proxy(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("proxy", "train layouts as small models on a recall task and compare them");
  command->add_option("WHAT", options->what, "layout notations, model files, foreign configs or presets")->required();
  command->add_option("--model", options->model, "model file with the dimensions for notations");
  command->add_option("--task", options->task, "what they learn (plait tasks)");
  command->add_option("--tier", options->tier, "tiny (CPU, minutes), small (CPU, patience) or full (GPU)")
      ->check(CLI::IsMember({"tiny", "small", "full"}));
  command->add_option("--device", options->device, "cpu or cuda")->check(CLI::IsMember({"cpu", "cuda"}));
  command->add_option("--steps", options->steps, "optimiser steps, instead of the tier's")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{10'000'000}));
  command->add_option("--batch", options->batch, "sequences of one model in one step, instead of the tier's")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}));
  command->add_option("--seeds", options->seeds, "models per layout and learning rate, instead of the tier's")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1000}));
  command->add_option("--learning-rate", options->learning_rates, "one or more, of which each layout's best counts")
      ->check(CLI::Range(1e-7, 1.0));
  command->add_option("--text", options->text, "file or folder for the task bytes");
  command->add_option("--out", options->out,
                      "folder for proxy.json, curves.svg and the state: a stopped run goes on from it");
  command->add_option("--svg", options->svg, "write the learning curves as SVG");
  command->add_option("--png", options->png, "write the learning curves as PNG");
  command->add_flag("--dark", options->dark, "SVG and PNG on a dark ground");
  command->add_flag("--json", options->json, "print one JSON value");
  command->footer(
      "A layout becomes a model of a few layers and small states: how many attention layers there are and at which "
      "depth,\n"
      "the mixers, gates and convolutions stay (the column \"trained as\"). All layouts, learning rates and seeds "
      "train side\n"
      "by side in one population.\n"
      "Examples:\n"
      "  plait proxy '(GGG*)x6' Gx24 '*(GGG)x7GG' --model examples/model-1b.json   attention nowhere, first, spread\n"
      "  plait proxy qwen3_5_9b nemotron_h_8b --task haystack --seeds 5            presets, another task\n"
      "  plait proxy G*GG GG*G --model examples/model-1b.json --out run --png curves.png\n"
      "Exit: 0 done, 1 the work failed, 2 the input is wrong, 130 interrupted (state saved with --out).");
  command->callback([options, &context] { run(*options, context); });
}

void add_tasks(CLI::App& app, Context& context) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("tasks", "the tasks that proxies are trained on");
  command->add_flag("--json", *json, "print one JSON value");
  command->callback([json, &context] {
    spec::OrderedJson out = spec::OrderedJson::array();
    std::vector<std::vector<std::string>> rows = {{"name", "", "source"}};
    for (const proxy::TaskInfo& task : proxy::task_table()) {
      out.push_back({{"name", task.name}, {"summary", task.summary}, {"source", task.source}});
      rows.push_back({std::string(task.name), std::string(task.summary), std::string(task.source)});
    }
    context.console.print(*json ? out.dump(2) + "\n"
                                : format_table(rows) + "\nplait proxy LAYOUT... --task NAME trains on one.\n");
  });
}

}  // namespace plait::cli
