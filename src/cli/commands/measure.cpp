#include "src/app/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "search/objective.h"
#include "src/app/model_source.h"
#include "src/cli/commands.h"
#include "src/report/number_format.h"

namespace plait::cli {
namespace {

struct Options {
  std::string device = "cpu";
  std::string hardware;
  std::string out = "operators.csv";
  bool quick = false;
  std::vector<std::string> ops;
};

void run(const Options& options, Context& context) {
  require_folder(options.out);
  const costmodel::HardwareProfile hardware = app::read_hardware(options.hardware);
  const proxy::Backend& backend = proxy::backend();
  std::vector<proxy::OperatorShape> shapes = app::measured_shapes(hardware, options.quick);
  if (!options.ops.empty()) {
    std::erase_if(shapes, [&](const proxy::OperatorShape& shape) {
      return std::ranges::find(options.ops, search::name_of(shape.op)) == options.ops.end();
    });
  }
  const auto start = std::chrono::steady_clock::now();
  bool by_host = false;
  const std::vector<app::MeasuredRow> rows =
      app::measure(backend, shapes, options.device, context.stop, [&](std::size_t done, const app::MeasuredRow& row) {
        const std::string result =
            row.failure.empty() ? report::format_value(row.time.seconds, "s") : "left out: " + row.failure;
        by_host |= !row.time.graphed;
        const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        context.console.progress(
            fmt::format("{} of {}: {}, {}", done, shapes.size(), app::shape_text(row.shape), result), elapsed);
      });
  context.console.end_progress();
  for (const app::MeasuredRow& row : rows) {
    if (!row.failure.empty()) {
      context.console.warn(fmt::format("left out: {}: {}", app::shape_text(row.shape), row.failure));
    }
  }
  if (options.device == "cuda" && by_host) {
    context.console.warn("note: some operators could not be recorded as CUDA graphs; their times include the host's");
  }
  write_file(options.out, app::measurement_csv(rows, hardware.name,
                                               fmt::format("plait measure --device {}, microseconds, bf16, {}",
                                                           options.device, backend.description())));
  context.console.print(fmt::format(
      "{} of {} operators measured, written to {}\n"
      "plait calibrate {} --hardware {} --out my.json fits a profile to them; plait cost --hardware my.json uses it.\n",
      rows.size(), shapes.size(), options.out, options.out, options.hardware));
  if (rows.size() < shapes.size()) context.exit_code = kInterrupted;
}

}  // namespace

void add_measure(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("measure", "time operators on this machine, as a table that plait calibrate reads");
  command->add_option("--device", options->device, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  command->add_option("--hardware", options->hardware, "the profile of this machine: a built-in name or a file")
      ->required();
  command->add_option("--out", options->out, "the table (CSV)")->capture_default_str();
  command->add_flag("--quick", options->quick, "fewer and smaller shapes");
  std::vector<std::string> names;
  for (const auto& [op, name] : enum_names(proxy::MeasuredOp{})) names.emplace_back(name);
  command->add_option("--op", options->ops, "this operator alone; may be repeated")->check(CLI::IsMember(names));
  command->footer(
      "Products, attention and norms run in LibTorch, recurrences in plait's kernels (backend plait). bf16, states "
      "fp32.\n"
      "Examples:\n"
      "  plait measure --device cuda --hardware h100 --out h100.csv\n"
      "  plait calibrate h100.csv --hardware h100 --out my_h100.json\n"
      "  plait cost qwen3_5_9b --hardware my_h100.json --backend plait\n"
      "Exit: 0 done, 1 the work failed, 2 the input is wrong, 130 interrupted (what was measured is written).");
  command->callback([options, &context] { run(*options, context); });
}

}  // namespace plait::cli
