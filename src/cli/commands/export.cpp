#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "src/app/model_source.h"
#include "src/app/output.h"
#include "src/cli/commands.h"
#include "src/interchange/exporter.h"
#include "src/interchange/importer.h"
#include "src/spec/model_json.h"

namespace plait::cli {
namespace {

namespace fs = std::filesystem;

struct ExportOptions {
  std::string what;
  std::string model;
  std::string trial;
  std::string target;
  std::string out;
  bool force = false;
  bool list = false;
  bool json = false;
};

app::ExportSource choose(const ExportOptions& options, Context& context) {
  app::ExportSource chosen;
  chosen.provenance.plait_version = PLAIT_VERSION;
  if (!fs::is_directory(options.what)) {
    if (!options.trial.empty()) {
      throw UsageError(fmt::format("--trial needs the folder of a search, and {} is none", options.what));
    }
    app::NamedModel named = app::read_model(options.what, options.model);
    for (const std::string& note : named.notes) context.console.warn(note);
    chosen.model = std::move(named.model);
    chosen.provenance.layout = named.notation;
    return chosen;
  }
  if (options.trial.empty()) {
    throw UsageError(fmt::format(
        "{} is the folder of a search: say which trial with --trial ID, or --trial recommended", options.what));
  }
  const app::StudyResults results = app::load_results(options.what);
  const search::Trial& trial = app::find_trial(results, options.trial);
  chosen = app::export_source(results, trial);
  chosen.provenance.plait_version = PLAIT_VERSION;
  return chosen;
}

std::string list_targets(const ExportOptions& options, Context& context) {
  std::optional<app::ExportSource> chosen;
  if (!options.what.empty()) chosen = choose(options, context);
  spec::OrderedJson json = spec::OrderedJson::array();
  std::string text;
  for (const interchange::Exporter& exporter : interchange::exporter_table()) {
    spec::OrderedJson row = {{"target", exporter.name}, {"summary", exporter.summary}};
    text += fmt::format("{:<8} {}\n", exporter.name, exporter.summary);
    if (chosen) {
      const interchange::Support support = exporter.supports(chosen->model);
      row["supported"] = support.ok;
      row["reasons"] = support.reasons;
      row["notes"] = support.notes;
      text += fmt::format("         {} {}\n", support.ok ? "can take" : "cannot take", chosen->provenance.layout);
      for (const std::string& reason : support.reasons) text += fmt::format("         - {}\n", reason);
      for (const std::string& note : support.notes) text += fmt::format("         note: {}\n", note);
    }
    json.push_back(std::move(row));
  }
  return options.json ? json.dump(2) + "\n" : text;
}

void run_export(const ExportOptions& options, Context& context) {
  if (options.list) {
    context.console.print(list_targets(options, context));
    return;
  }
  if (options.what.empty() || options.target.empty() || options.out.empty()) {
    throw UsageError("plait export needs what to export, --to TARGET and --out DIR (or --list)");
  }
  const interchange::Exporter* exporter = interchange::find_exporter(options.target);
  if (exporter == nullptr) {
    std::vector<std::string> names;
    for (const interchange::Exporter& row : interchange::exporter_table()) names.emplace_back(row.name);
    throw UsageError(fmt::format("--to: unknown target \"{}\"; one of {}", options.target, spec::quoted_list(names)));
  }
  const app::ExportSource chosen = choose(options, context);
  const interchange::ExportBundle bundle = exporter->write(chosen.model, chosen.provenance);
  if (!options.force) app::require_new(bundle, options.out, "exists; --force overwrites it");
  app::write_bundle(bundle, options.out);
  for (const std::string& note : exporter->supports(chosen.model).notes)
    context.console.warn(fmt::format("note: {}", note));
  std::string files;
  for (const interchange::File& file : bundle.files) files += fmt::format(" {}", file.name);
  context.console.print(
      fmt::format("wrote {} for {} into {}:{}\n", chosen.provenance.layout, exporter->name, options.out, files));
}

struct ImportOptions {
  std::string file;
  std::string out;
};

void run_import(const ImportOptions& options, Context& context) {
  const interchange::ImportResult result = interchange::import_model(spec::read_json_file(options.file), "");
  for (const std::string& note : result.notes) context.console.warn(fmt::format("note: {}", note));
  const std::string text = spec::to_json(result.model).dump(2) + "\n";
  if (options.out.empty()) {
    context.console.print(text);
  } else {
    write_file(options.out, text);
  }
}

}  // namespace

void add_export(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App* command = app.add_subcommand("export", "write a trainer's files for a layout");
  command->add_option("WHAT", options->what, "folder of a search, model file, foreign config, or layout notation");
  command->add_option("--model", options->model, "model file that gives a notation its dimensions");
  command->add_option(
      "--trial", options->trial,
      "trial of the search: an id, or \"recommended\" for the cheapest that is not clearly worse than the best");
  command->add_option("--to", options->target, "target (--list shows them)");
  command->add_option("--out", options->out, "folder to write into");
  command->add_flag("--force", options->force, "overwrite files");
  command->add_flag("--list", options->list, "list the targets, and with WHAT which can take it and why not");
  command->add_flag("--json", options->json, "with --list: print one JSON value");
  command->footer(
      "Examples:\n"
      "  plait export run --trial recommended --to fla --out model\n"
      "  plait export '(GG*)x8' --model examples/model-1b.json --to flame --out model\n"
      "  plait export --list run --trial 12                   which targets can take it, and why not");
  command->callback([options, &context] { run_export(*options, context); });
}

void add_import(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ImportOptions>();
  CLI::App* command = app.add_subcommand("import", "read another tool's config as a model file of plait");
  command->add_option("FILE", options->file, "for example a flash-linear-attention config.json")->required();
  command->add_option("--out", options->out, "write there instead of printing");
  command->callback([options, &context] { run_import(*options, context); });
}

}  // namespace plait::cli
