#include <fmt/format.h>

#include <memory>

#include "src/app/prior_report.h"
#include "src/cli/commands.h"
#include "src/spec/json_reader.h"

namespace plait::cli {
namespace {

std::string met_text(std::optional<bool> met) { return !met ? "" : *met ? "met" : "NOT MET"; }

std::string text_of(const quality::FitReport& report, bool cells) {
  std::vector<std::vector<std::string>> models = {
      {"model", "cells", "params", "in-sample RMSE", "leave-one-out RMSE", "Spearman"}};
  for (const auto& model : report.models) {
    models.push_back({model.name, fmt::format("{}", model.cells), fmt::format("{}", model.parameters),
                      fmt::format("{:.4f}", model.in_sample_rmse), fmt::format("{:.4f}", model.leave_one_out_rmse),
                      fmt::format("{:.2f}", model.spearman)});
  }
  std::vector<std::vector<std::string>> checks = {{"check", "quantity", "value", "target", ""}};
  for (const auto& check : report.checks) {
    checks.push_back(
        {check.model, check.quantity, fmt::format("{:.4f}", check.value), check.target, met_text(check.met)});
  }
  std::vector<std::vector<std::string>> coefficients = {{"model", "coefficient", "value", "deviation", ""}};
  for (const auto& coefficient : report.coefficients) {
    coefficients.push_back({coefficient.model, coefficient.name, fmt::format("{:+.4f}", coefficient.value),
                            fmt::format("{:.4f}", coefficient.deviation), coefficient.hand_set ? "set by hand" : ""});
  }
  std::string text = "Quality prior: linear models fitted to published results\n\n" +
                     format_table(models, {1, 2, 3, 4, 5}) + '\n' + format_table(checks, {2}) + '\n' +
                     format_table(coefficients, {2, 3});
  if (cells) {
    std::vector<std::vector<std::string>> rows = {{"model", "cell", "published", "fitted", "left out"}};
    for (const auto& cell : report.cells) {
      rows.push_back({cell.model, cell.name, fmt::format("{:.4f}", cell.published),
                      fmt::format("{:.4f}", cell.predicted), fmt::format("{:.4f}", cell.left_out)});
    }
    text += '\n' + format_table(rows, {2, 3, 4});
  }
  text += "\nSources:\n";
  for (const std::string& source : report.sources) text += fmt::format("  {}\n", source);
  return text;
}

spec::OrderedJson json_of(const quality::FitReport& report) {
  spec::OrderedJson out;
  for (const auto& model : report.models) {
    out["models"].push_back({{"model", model.name},
                             {"cells", model.cells},
                             {"parameters", model.parameters},
                             {"in_sample_rmse", model.in_sample_rmse},
                             {"leave_one_out_rmse", model.leave_one_out_rmse},
                             {"spearman", model.spearman},
                             {"target", model.target},
                             {"met", model.met ? spec::OrderedJson(*model.met) : spec::OrderedJson()}});
  }
  for (const auto& check : report.checks) {
    out["checks"].push_back({{"model", check.model},
                             {"quantity", check.quantity},
                             {"value", check.value},
                             {"target", check.target},
                             {"met", check.met}});
  }
  for (const auto& coefficient : report.coefficients) {
    out["coefficients"].push_back({{"model", coefficient.model},
                                   {"name", coefficient.name},
                                   {"value", coefficient.value},
                                   {"deviation", coefficient.deviation},
                                   {"hand_set", coefficient.hand_set}});
  }
  for (const auto& cell : report.cells) {
    out["cells"].push_back({{"model", cell.model},
                            {"cell", cell.name},
                            {"published", cell.published},
                            {"fitted", cell.predicted},
                            {"left_out", cell.left_out}});
  }
  out["sources"] = report.sources;
  return out;
}

}  // namespace

void add_prior(CLI::App& app, Context& context) {
  struct Options {
    bool cells = false;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("prior", "how the quality prior was fitted, and its errors");
  command->add_flag("--cells", options->cells, "every published cell beside its prediction");
  command->add_flag("--json", options->json, "print one JSON value");
  command->callback([options, &context] {
    const quality::FitReport report = app::prior_report();
    context.console.print(options->json ? json_of(report).dump(2) + "\n" : text_of(report, options->cells));
  });
}

}  // namespace plait::cli
