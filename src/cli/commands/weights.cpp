#include <fmt/format.h>

#include <memory>

#include "src/app/model_source.h"
#include "src/cli/commands.h"
#include "src/proxy/backend.h"
#include "src/report/number_format.h"
#include "src/spec/json_reader.h"

namespace plait::cli {
namespace {

struct Options {
  std::string what;
  std::string model;
  std::string weights;
  std::string out;
  std::uint64_t seed = 0;
  bool json = false;
};

void run(const Options& options, Context& context) {
  const proxy::Backend& backend = proxy::backend();
  const app::NamedModel named = app::read_model(options.what, options.model);
  for (const std::string& note : named.notes) context.console.warn(note);
  const proxy::Backend::Weights weights = backend.copy_weights(named.model, options.seed, options.weights, options.out);
  if (!options.out.empty()) context.console.warn(fmt::format("wrote {}", options.out));
  if (options.json) {
    const spec::OrderedJson out = {
        {"layout", named.notation}, {"tensors", weights.tensors}, {"parameters", weights.parameters}};
    context.console.print(out.dump(2) + "\n");
    return;
  }
  context.console.print(fmt::format("{}: {} tensors, {} parameters{}\n", named.notation, weights.tensors,
                                    report::format_value(static_cast<double>(weights.parameters), "parameters"),
                                    options.weights.empty() ? "" : ", all names and shapes as the model has them"));
}

void add_common(CLI::App& command, Options& options) {
  command.add_option("WHAT", options.what, "model file, foreign config, preset or layout notation")->required();
  command.add_option("--model", options.model, "model file with the dimensions for a notation");
  command.add_flag("--json", options.json, "print one JSON value");
}

}  // namespace

void add_export_weights(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("export-weights", "initial weights of a model, as flash-linear-attention names them");
  add_common(*command, *options);
  command->add_option("--out", options->out, "the file: model.safetensors")->required();
  command->add_option("--seed", options->seed, "of the initial values");
  command->footer(
      "A trainer that starts from these files starts every layout with equal weights where the layers are equal.\n"
      "Example:\n"
      "  plait export run --trial recommended --to fla --out model\n"
      "  plait export-weights model/config.json --seed 1 --out model/model.safetensors");
  command->callback([options, &context] { run(*options, context); });
}

void add_import_weights(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("import-weights", "check that weights of flash-linear-attention fit a model");
  add_common(*command, *options);
  command->add_option("WEIGHTS", options->weights, "safetensors: every name and shape must be the model's")->required();
  command->add_option("--out", options->out, "write them again, in fp32");
  command->footer(
      "Example:\n"
      "  plait import-weights model/config.json model/model.safetensors\n"
      "Exit: 0 they fit, 2 they do not: what is missing, unknown or of another shape is listed.");
  command->callback([options, &context] { run(*options, context); });
}

}  // namespace plait::cli
