#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "src/app/results.h"
#include "src/cli/commands.h"
#include "src/cli/frontier_text.h"

namespace plait::cli {
namespace {

constexpr int kInterrupted = 130;

struct Options {
  std::string study;
  std::string out;
  bool resume = false;
  std::string strategy;
  std::string proxy = "none";
  std::size_t workers = std::max(1U, std::thread::hardware_concurrency());
  std::int64_t seed = -1;
  bool json = false;
};

void run(const Options& options, Context& context) {
  if (options.resume && options.out.empty())
    throw UsageError("--resume needs --out DIR, the folder of the run to continue");
  if (options.proxy != "none") {
    throw UsageError(
        fmt::format("--proxy {}: this version cannot train proxies; leave it out, or give none", options.proxy));
  }
  app::StudyOverrides overrides;
  if (!options.strategy.empty()) overrides.strategy = options.strategy;
  if (options.seed >= 0) overrides.seed = static_cast<std::uint64_t>(options.seed);
  overrides.workers = options.workers;

  const auto built = app::build_study(app::read_study(options.study, overrides));
  const app::StudyResults results = app::run_study(
      *built, options.out, options.resume, context.stop,
      [&](const search::Progress& progress) { context.console.progress(progress); },
      [&](const std::string& text) { context.console.warn(text); });
  context.console.end_progress();

  if (!results.finished) {
    context.console.warn(
        options.out.empty()
            ? fmt::format("interrupted after {} trials", results.trials.size())
            : fmt::format("interrupted after {} trials; continue with: plait search {} --out {} --resume",
                          results.trials.size(), options.study, options.out));
    context.exit_code = kInterrupted;
    return;
  }
  if (options.json) {
    context.console.print(app::results_json(results));
    return;
  }
  context.console.print(frontier_text(results, {}, {}, context.console));
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
  command->add_option("--proxy", options->proxy, "proxy trainings: none, tiny, small or full; this version has none")
      ->check(CLI::IsMember({"none", "tiny", "small", "full"}));
  command->add_option("--workers", options->workers, "threads; results do not depend on it")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1024}));
  command->add_option("--seed", options->seed, "instead of the study's")->check(CLI::NonNegativeNumber);
  command->add_flag("--json", options->json, "print one JSON value");
  command->footer(
      "Examples:\n"
      "  plait search examples/quickstart.json                          look, store nothing\n"
      "  plait search examples/quickstart.json --out run                keep a journal in run/\n"
      "  plait search examples/quickstart.json --out run --resume       continue after a stop\n"
      "  plait search study.json --strategy nsga2 --seed 3 --json       for scripts\n"
      "Exit: 0 done, 1 the work failed, 2 the input is wrong, 130 interrupted (state saved).");
  command->callback([options, &context] { run(*options, context); });
}

}  // namespace plait::cli
