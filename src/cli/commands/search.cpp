#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>

#include "src/app/results.h"
#include "src/cli/commands.h"
#include "src/cli/frontier_text.h"
#include "src/report/number_format.h"

namespace plait::cli {
namespace {

struct Options {
  std::string study;
  std::string out;
  bool resume = false;
  std::string strategy;
  std::string proxy = "none";
  std::string device = "cpu";
  std::size_t workers = std::max(1U, std::thread::hardware_concurrency());
  std::int64_t seed = -1;
  bool json = false;
};

/// The measured layouts as a table, one row per proxy model; empty when there are none.
std::string measured_text(const app::StudyResults& results) {
  if (results.measurements.empty()) return "";
  // "tiny on cpu: mqar, 800 steps of 32, 2 seeds, learning rate 0.01": all but the rate is common to all.
  constexpr std::string_view kRate = ", learning rate ";
  const std::string& how = results.measurements.front().name;
  std::vector<std::vector<std::string>> rows = {{"trial", "proxy recall", "accuracy", "locked in", "lr", "layout"}};
  for (const search::Trial& measurement : results.measurements) {
    const std::size_t rate = measurement.name.rfind(kRate);
    const search::Trial& trial = app::find_trial(results, measurement.id.substr(1));
    const auto shown = [&](std::string_view metric) {
      const search::Value* value = score(measurement, metric);
      return value == nullptr ? std::string("-") : report::format_value(value->value, value->deviation, "1");
    };
    const std::string name = trial.name.empty() ? "" : "  " + trial.name;
    const auto* failure = std::get_if<search::Failure>(&measurement.outcome);
    rows.push_back({trial.id, failure == nullptr ? shown("proxy_recall") : std::string(search::name_of(failure->kind)),
                    shown("proxy_accuracy"), shown("proxy_locked_in"),
                    rate == std::string::npos ? "-" : measurement.name.substr(rate + kRate.size()),
                    trial.layout + name});
  }
  constexpr std::size_t kShown = 20;
  const std::size_t left = rows.size() > kShown + 1 ? rows.size() - kShown - 1 : 0;
  rows.resize(rows.size() - left);
  return fmt::format("\nMeasured on proxies ({}); layouts with one proxy model share its numbers:\n{}{}",
                     how.substr(0, how.rfind(kRate)), format_table(rows, {1, 2, 3, 4}),
                     left > 0 ? fmt::format("and {} more (--json, plait show)\n", left) : "");
}

void run(const Options& options, Context& context) {
  if (options.resume && options.out.empty())
    throw UsageError("--resume needs --out DIR, the folder of the run to continue");
  std::optional<app::ProxyRequest> proxies;
  for (const auto& [tier, name] : enum_names(proxy::Tier{})) {
    if (name != options.proxy) continue;
    // Before the search starts: who asked for trainings learns at once that there can be none.
    proxies = app::ProxyRequest{.backend = &proxy::backend(), .tier = tier, .device = options.device};
    proxies->observer = [&](const evaluate::ProxyProgress& progress) { context.console.progress(progress); };
  }
  app::StudyOverrides overrides;
  if (!options.strategy.empty()) overrides.strategy = options.strategy;
  if (options.seed >= 0) overrides.seed = static_cast<std::uint64_t>(options.seed);
  overrides.workers = options.workers;

  const auto built = app::build_study(app::read_study(options.study, overrides));
  const app::StudyResults results = app::run_study(
      *built, options.out, options.resume, context.stop,
      [&](const search::Progress& progress) { context.console.progress(progress); },
      [&](const std::string& text) { context.console.warn(text); }, proxies ? &*proxies : nullptr);
  context.console.end_progress();

  if (!results.finished) {
    context.console.warn(
        options.out.empty()
            ? fmt::format("interrupted after {} trials", results.trials.size())
            : fmt::format("interrupted after {} trials; continue with: plait search {} --out {} --resume{}",
                          results.trials.size(), options.study, options.out,
                          proxies ? " --proxy " + options.proxy : ""));
    context.exit_code = kInterrupted;
    return;
  }
  if (options.json) {
    context.console.print(app::results_json(results));
    return;
  }
  context.console.print(frontier_text(results, {}, {}, context.console));
  context.console.print(measured_text(results));
  if (const search::Trial* trial = app::recommended(results)) {
    context.console.print(
        fmt::format("\nRecommended: trial {}, {}: the cheapest that is not clearly worse than the best.\n", trial->id,
                    trial->layout));
  }
  if (!options.out.empty()) {
    context.console.print(
        fmt::format("\nStored in {0}. Next: plait show {0} --html {0}/frontier.html, or plait export {0} "
                    "--trial recommended --to fla --out MODEL\n",
                    options.out));
  }
}

}  // namespace

void add_search(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("search", "run a study: search layouts, print and store the frontier");
  command->add_option("STUDY", options->study, "study file (see examples/)")->required();
  command->add_option("--out", options->out, "folder for the journal and the results; without it nothing is stored");
  command->add_flag("--resume", options->resume, "continue the run in --out");
  command->add_option("--strategy", options->strategy, "instead of the study's (plait strategies)");
  command
      ->add_option("--proxy", options->proxy,
                   "train layouts of the front as small models: none, tiny (minutes on a CPU), small, full")
      ->check(CLI::IsMember({"none", "tiny", "small", "full"}));
  command->add_option("--device", options->device, "where proxies train")->check(CLI::IsMember({"cpu", "cuda"}));
  command->add_option("--workers", options->workers, "threads; results do not depend on it")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1024}));
  command->add_option("--seed", options->seed, "instead of the study's")->check(CLI::NonNegativeNumber);
  command->add_flag("--json", options->json, "print one JSON value");
  command->footer(
      "Examples:\n"
      "  plait search examples/quickstart.json                          look, store nothing\n"
      "  plait search examples/quickstart.json --out run                keep a journal in run/\n"
      "  plait search examples/quickstart.json --out run --resume       continue after a stop\n"
      "  plait search examples/quickstart.json --out run --proxy tiny   and train a few layouts of the front\n"
      "  plait search study.json --strategy nsga2 --seed 3 --json       for scripts\n"
      "Proxies: the recall of the front is a prior from published hybrids. --proxy trains its most different layouts, "
      "with\n"
      "the pure baselines, as models of a few thousand parameters on recall tasks, several learning rates and seeds "
      "each, and\n"
      "adds what was measured: proxy_recall (0: guessing, 1: certain). It needs LibTorch (plait doctor). A finished "
      "search\n"
      "takes them later too: the same line with --resume --proxy tiny.\n"
      "Exit: 0 done, 1 the work failed, 2 the input is wrong, 130 interrupted (state saved).");
  command->callback([options, &context] { run(*options, context); });
}

}  // namespace plait::cli
