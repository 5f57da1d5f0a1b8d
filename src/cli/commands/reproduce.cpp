#include "src/app/reproduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "src/cli/commands.h"

namespace plait::cli {
namespace {

struct Options {
  std::string name;
  std::string tier = "tiny";
  std::string device = "cpu";
  std::size_t seeds = 0;
  std::int64_t steps = 0;
  std::vector<std::string> rows;
  std::string out;
  bool check = false;
  bool json = false;
};

void list(bool json, Context& context) {
  spec::OrderedJson out = spec::OrderedJson::array();
  std::vector<std::vector<std::string>> rows = {{"name", "", "tiny", "full"}};
  std::string sources;
  for (const app::Reproduction& reproduction : app::reproductions()) {
    spec::OrderedJson costs;
    for (const auto& [tier, name] : enum_names(proxy::Tier{}))
      costs[std::string(name)] = app::cost_text(reproduction.make(tier));
    rows.push_back({std::string(reproduction.name), std::string(reproduction.summary), costs["tiny"], costs["full"]});
    out.push_back({{"name", reproduction.name},
                   {"summary", reproduction.summary},
                   {"source", reproduction.source},
                   {"cost", costs}});
    sources += fmt::format("{}: {}\n", reproduction.name, reproduction.source);
  }
  context.console.print(json ? out.dump(2) + "\n"
                             : format_table(rows) + "\n" + sources +
                                   "\ntiny takes minutes on a CPU, small an hour, full a GPU: "
                                   "plait reproduce NAME --tier full --device cuda\n");
}

void run(const Options& options, Context& context) {
  if (options.name.empty()) {
    list(options.json, context);
    return;
  }
  const app::Reproduction& reproduction = app::find_reproduction(options.name);
  require_folder(options.out);
  const proxy::Backend& backend = proxy::backend();
  proxy::Tier tier = proxy::Tier::tiny;
  for (const auto& [value, name] : enum_names(proxy::Tier{})) {
    if (name == options.tier) tier = value;
  }
  app::Experiment experiment = reproduction.make(tier);
  if (!options.rows.empty()) experiment = app::only_rows(std::move(experiment), options.rows);
  experiment.plan.device = options.device;
  if (options.seeds > 0) experiment.seeds = options.seeds;
  if (options.steps > 0) {
    experiment.plan.steps = options.steps;
    experiment.plan.report_every = std::clamp<std::int64_t>(options.steps / 20, 1, experiment.plan.report_every);
  }
  const std::filesystem::path state = options.out.empty() ? "" : options.out + ".state";
  if (!state.empty()) std::filesystem::create_directories(state);
  experiment.plan.checkpoint = state;
  const app::Reproduced result =
      app::reproduce(backend, reproduction, tier, std::move(experiment), context.stop,
                     [&](const evaluate::ProxyProgress& progress) { context.console.progress(progress); });
  context.console.end_progress();
  if (!result.finished) {
    context.console.warn(options.out.empty() ? "interrupted; with --out FILE the same line would go on from here"
                                             : "interrupted; the same line goes on from here");
    context.exit_code = kInterrupted;
    return;
  }
  const std::string text = app::reproduced_markdown(result);
  if (!options.out.empty()) {
    std::error_code ignored;  // of a folder that holds something else too
    std::filesystem::remove(state, ignored);
    write_file(options.out, text);
    context.console.warn(fmt::format("wrote {}", options.out));
  }
  context.console.print(options.json ? app::reproduced_json(result) : text);
  if (options.check && !app::all_as_published(result)) {
    context.console.warn("a claim is not as published, or there is none");
    context.exit_code = 1;
  }
}

}  // namespace

void add_reproduce(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("reproduce", "train what was published, print both numbers side by side");
  command->add_option("NAME", options->name, "which one; without it they are listed with their cost");
  command->add_option("--tier", options->tier, "tiny, small or full (the published size, where there is one)")
      ->check(CLI::IsMember({"tiny", "small", "full"}));
  command->add_option("--device", options->device, "cpu or cuda")->check(CLI::IsMember({"cpu", "cuda"}));
  command->add_option("--seeds", options->seeds, "models per row, instead of the tier's")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1000}));
  command->add_option("--steps", options->steps, "optimiser steps, instead of the tier's")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{10'000'000}));
  command
      ->add_option("--row", options->rows,
                   "only the row of this name, or those with this in their name, and the claims about them; repeatable")
      ->allow_extra_args(false);
  command->add_flag("--check", options->check, "exit with 1 unless every claim is as published");
  command->add_option("--out", options->out,
                      "write the table to this file as Markdown; until then FILE.state holds the state: a stopped run "
                      "goes on from it");
  command->add_flag("--json", options->json, "print one JSON value");
  command->footer(
      "Every claim gets a verdict, \"as published\" or \"not as published\"; the notes say where ours differs.\n"
      "Exit: 0 done, whatever the verdicts (without --check), 1 the work failed, 2 the input is wrong, 130 interrupted "
      "(state saved with "
      "--out).\n"
      "Examples:\n"
      "  plait reproduce                                        what there is\n"
      "  plait reproduce attention_first                        minutes on a CPU\n"
      "  plait reproduce haystack --row DeltaNet --row RetNet   some of its rows\n"
      "  plait reproduce recall_memory --tier full --device cuda --out recall_memory.md");
  command->callback([options, &context] { run(*options, context); });
}

}  // namespace plait::cli
