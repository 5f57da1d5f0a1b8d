#include "costmodel/calibrate.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>

#include "src/app/model_source.h"
#include "src/app/validation.h"
#include "src/cli/commands.h"

namespace plait::cli {
namespace {

using costmodel::ErrorSummary;
using costmodel::Fit;

struct Options {
  std::string table;
  std::string hardware = "h100";
  std::string out;
  bool json = false;
};

std::string read_text(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::system_error(errno, std::generic_category(), file);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string percent(const std::optional<ErrorSummary>& errors) {
  return errors && errors->rows > 0 ? fmt::format("{:.1f} / {:.1f} %", 100 * errors->mean, 100 * errors->median)
                                    : "too few rows";
}

std::string constants_text(const Fit& fit) {
  if (!fit.after) return "unchanged";
  const costmodel::OpClass& c = fit.constants;
  if (fit.chunk_times) {
    const costmodel::ChunkTimes& t = *fit.chunk_times;
    return fmt::format("start {:g} us, wave {:g} us, chunk {:g} us, compute {:g}", t.start_s * 1e6, t.wave_s * 1e6,
                       t.chunk_s * 1e6, c.compute_efficiency);
  }
  return fmt::format("compute {:g}, bandwidth {:g}, latency {:g} us", c.compute_efficiency, c.bandwidth_efficiency,
                     c.latency_s * 1e6);
}

spec::OrderedJson json_of(const ErrorSummary& errors) {
  return {{"rows", errors.rows}, {"mean", errors.mean}, {"median", errors.median}, {"p90", errors.p90}};
}

spec::OrderedJson fits_json(const std::vector<Fit>& fits, const spec::OrderedJson& profile) {
  spec::OrderedJson rows = spec::OrderedJson::array();
  for (const Fit& fit : fits) {
    spec::OrderedJson row = {{"class", costmodel::op_kind_name(fit.kind)},
                             {"backend", fit.backend},
                             {"rows_in_cache", fit.in_cache},
                             {"before", json_of(fit.before)}};
    row["after"] = fit.after ? json_of(*fit.after) : spec::OrderedJson(nullptr);
    row["left_out"] = fit.left_out ? json_of(*fit.left_out) : spec::OrderedJson(nullptr);
    rows.push_back(std::move(row));
  }
  return {{"fits", rows}, {"profile", profile}};
}

std::string fits_text(const std::vector<Fit>& fits) {
  std::vector<std::vector<std::string>> rows = {
      {"class", "backend", "rows", "in cache", "profile's error", "fitted", "left one out", "constants"}};
  for (const Fit& fit : fits) {
    rows.push_back({std::string(costmodel::op_kind_name(fit.kind)), fit.backend, fmt::format("{}", fit.before.rows),
                    fmt::format("{}", fit.in_cache), percent(fit.before), percent(fit.after), percent(fit.left_out),
                    constants_text(fit)});
  }
  return format_table(rows, {2, 3, 4, 5, 6});
}

void run(const Options& options, Context& context) {
  const costmodel::HardwareProfile hardware = app::read_hardware(options.hardware);
  spec::Problems problems;
  std::vector<costmodel::Measurement> rows =
      costmodel::read_measurements(read_text(options.table), options.table, problems);
  problems.throw_if_any();
  std::erase_if(rows, [&](const costmodel::Measurement& row) { return row.hardware != hardware.name; });
  if (rows.empty()) {
    throw spec::SpecError(options.table, fmt::format("has no row whose hardware is \"{}\"", hardware.name));
  }
  const std::vector<Fit> fits = costmodel::calibrate(rows, hardware);
  spec::OrderedJson profile = app::hardware_json(options.hardware);
  costmodel::write_constants(fits, profile);
  if (!options.out.empty()) write_file(options.out, profile.dump(2) + "\n");
  if (options.json) {
    context.console.print(fits_json(fits, profile).dump(2) + "\n");
    return;
  }
  context.console.print(
      fmt::format("{} from {}\n\n{}\nErrors are mean / median of |estimate - measured| / measured. A decode step whose "
                  "state stays in "
                  "the cache\nis left out.{}\n",
                  hardware.label, options.table, fits_text(fits),
                  options.out.empty() ? " --out FILE.json writes the profile for --hardware FILE.json." : ""));
}

}  // namespace

void add_calibrate(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("calibrate", "fit a hardware profile's constants to a table of measured times");
  command->add_option("TABLE", options->table, "CSV: hardware, backend, op, us and the shape (see below)")->required();
  command->add_option("--hardware", options->hardware, "the profile to start from: a name or a file")
      ->capture_default_str();
  command->add_option("--out", options->out, "write the fitted profile into this file");
  command->add_flag("--json", options->json, "print one JSON value");
  command->footer(
      "Columns: hardware,backend,op,us and, by op, gemm: m,n,k; attention_prefill, attention_decode,\n"
      "gated_delta_net_prefill, gated_delta_net_decode: batch,tokens,heads,key_heads,head_dim; rms_norm: m,n;\n"
      "all_reduce: devices,elements. bf16, states fp32. plait measure writes such a table.\n"
      "Example:\n"
      "  plait calibrate costmodel/measurements/operators.csv --hardware h100 --out my_h100.json");
  command->callback([options, &context] { run(*options, context); });
}

void add_validation(CLI::App& app, Context& context) {
  CLI::App* command =
      app.add_subcommand("validation", "the cost model against published cases, as the page costmodel/VALIDATION.md");
  command->callback([&context] { context.console.print(app::validation_page()); });
}

}  // namespace plait::cli
