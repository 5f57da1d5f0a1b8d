#include <fmt/format.h>

#include <memory>

#include "src/app/output.h"
#include "src/cli/commands.h"
#include "src/cli/frontier_text.h"

namespace plait::cli {
namespace {

struct Options {
  std::string folder;
  std::string x;
  std::string y;
  std::string svg;
  std::string png;
  std::string html;
  std::string csv;
  bool dark = false;
  bool json = false;
};

void run(const Options& options, Context& context) {
  const app::StudyResults results = app::load_results(options.folder);
  const AxisPair axes = chosen_axes(results, options.x, options.y);
  const report::FigureOptions drawing{.theme = options.dark ? report::Theme::dark : report::Theme::light};
  if (!options.svg.empty())
    write_file(options.svg, report::to_svg(app::frontier_figure(results, axes.x, axes.y), drawing));
  if (!options.png.empty()) {
    const std::vector<std::uint8_t> png = report::to_png(app::frontier_figure(results, axes.x, axes.y), drawing);
    write_file(options.png, {reinterpret_cast<const char*>(png.data()), png.size()});
  }
  if (!options.html.empty()) {
    write_file(options.html,
               report::to_html(app::result_table(results),
                               {.title = results.spec.name,
                                .subtitle = app::setting(results.spec),
                                .x_metric = axes.x,
                                .y_metric = axes.y,
                                .export_command = fmt::format("plait export {} --trial {{trial}} --to fla --out MODEL",
                                                              options.folder)}));
  }
  if (!options.csv.empty()) write_file(options.csv, report::to_csv(app::result_table(results)));
  for (const std::string& file : {options.svg, options.png, options.html, options.csv}) {
    if (!file.empty()) context.console.warn(fmt::format("wrote {}", file));
  }
  context.console.print(options.json ? app::results_json(results)
                                     : frontier_text(results, options.x, options.y, context.console));
}

}  // namespace

void add_show(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("show", "print and draw the frontier of a finished or running search");
  command->add_option("DIR", options->folder, "folder of a search (its --out)")->required();
  command->add_option("--x", options->x, "metric on the x axis");
  command->add_option("--y", options->y, "metric on the y axis");
  command->add_option("--svg", options->svg, "write the figure as SVG");
  command->add_option("--png", options->png, "write the figure as PNG");
  command->add_option("--html", options->html, "write an interactive report, one self-contained file");
  command->add_option("--csv", options->csv, "write all trials as CSV");
  command->add_flag("--dark", options->dark, "SVG and PNG on a dark ground");
  command->add_flag("--json", options->json, "print one JSON value");
  command->footer(
      "Examples:\n"
      "  plait show run                                       the frontiers, in the terminal\n"
      "  plait show run --html run/frontier.html              hover a point: its layout and costs\n"
      "  plait show run --x prefill_s --y recall --svg f.svg  any two metrics of the study");
  command->callback([options, &context] { run(*options, context); });
}

}  // namespace plait::cli
