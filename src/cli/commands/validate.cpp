#include <fmt/format.h>

#include <memory>

#include "costmodel/hardware.h"
#include "src/app/build_study.h"
#include "src/cli/commands.h"
#include "src/interchange/importer.h"
#include "src/spec/model_json.h"

namespace plait::cli {
namespace {

/// What kind of file it is, after checking it: by its "format", else by the keys only that kind has.
std::string check(const std::string& file) {
  const spec::Json value = spec::read_json_file(file);
  const bool object = value.is_object();
  if (object && (value.value("format", "") == app::kStudyFormat || value.contains("space"))) {
    app::build_study(app::read_study(file, {}));
    return "study";
  }
  if (object && (value.contains("peak_flops_per_s") || value.value("format", "") == "plait-hardware/1")) {
    spec::Problems problems;
    costmodel::hardware_from_json(value, "", problems);
    problems.throw_if_any();
    return "hardware profile";
  }
  interchange::import_model(value, "");
  return "model";
}

}  // namespace

void add_validate(CLI::App& app, Context& context) {
  const auto files = std::make_shared<std::vector<std::string>>();
  CLI::App* command = app.add_subcommand("validate", "check study, model and hardware files; print every problem");
  command->add_option("FILE", *files)->required();
  command->callback([files, &context] {
    for (const std::string& file : *files) {
      try {
        context.console.print(fmt::format("{}: {}, no problems\n", file, check(file)));
      } catch (const spec::SpecError& error) {
        for (const spec::Problem& problem : error.problems()) {
          const std::string place = problem.path == file ? "" : problem.path + ": ";
          context.console.warn(fmt::format("{}: {}{}", file, place, problem.message));
        }
        context.exit_code = 2;
      } catch (const search::NoLegalLayout& error) {
        context.console.warn(fmt::format("{}: {}", file, error.what()));
        context.exit_code = 2;
      }
    }
  });
}

}  // namespace plait::cli
