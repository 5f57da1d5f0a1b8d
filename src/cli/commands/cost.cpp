#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "costmodel/cost_report.h"
#include "src/app/model_source.h"
#include "src/cli/commands.h"
#include "src/report/number_format.h"
#include "src/spec/model_json.h"

namespace plait::cli {
namespace {

using costmodel::CostReport;
using costmodel::LayerCost;
using costmodel::TimeEstimate;
using report::format_value;

constexpr spec::Dim kMaxContext = spec::Dim{1} << 40;

struct Options {
  std::string what;
  std::string model;
  std::string hardware = "h100";
  std::string context;
  std::string batch = "1";
  std::string compare;
  std::string sweep;
  bool json = false;
};

struct Costed {
  app::NamedModel named;
  CostReport report;
};

costmodel::HardwareProfile read_hardware(const std::string& what) {
  if (!what.ends_with(".json")) return costmodel::find_hardware(what);
  spec::Problems problems;
  costmodel::HardwareProfile profile = costmodel::hardware_from_json(spec::read_json_file(what), what, problems);
  problems.throw_if_any();
  return profile;
}

spec::Dim size_option(const std::string& option, const std::string& text) {
  const std::optional<spec::Dim> size = spec::parse_size(text);
  if (!size || *size < 1 || *size > kMaxContext) {
    throw UsageError(fmt::format("{}: \"{}\" is not a size; write an integer, or 32k or 2M", option, text));
  }
  return *size;
}

spec::OrderedJson time_json(const TimeEstimate& time) {
  return {{"value", time.value}, {"low", time.low}, {"high", time.high}};
}

spec::OrderedJson json_of(const Costed& costed, const costmodel::HardwareProfile& hardware,
                          const spec::Workload& workload) {
  const CostReport& report = costed.report;
  const auto& layers = costed.named.model.layout.layers;
  spec::OrderedJson out;
  out["model"] = costed.named.model.name;
  out["layout"] = costed.named.notation;
  out["hardware"] = hardware.name;
  out["workload"] = {{"context", workload.context}, {"batch", workload.batch}};
  out["parameters"] = {{"total", report.parameters.total},
                       {"active", report.parameters.active},
                       {"embedding", report.parameters.embedding}};
  out["memory"] = {{"weights_bytes", report.weights_bytes},
                   {"kv_cache_bytes", report.kv_cache_bytes},
                   {"state_bytes", report.state_bytes}};
  out["flops"] = {{"forward", report.forward_flops},
                  {"training", report.training_flops},
                  {"decode_per_token", report.decode_flops_per_token}};
  out["time"] = {{"prefill_s", time_json(report.prefill)}, {"decode_step_s", time_json(report.decode_step)}};
  out["layers"] = spec::OrderedJson::array();
  for (std::size_t i = 0; i < report.layers.size(); ++i) {
    const LayerCost& layer = report.layers[i];
    out["layers"].push_back({{"index", i},
                             {"mixer", spec::mixer_info(layers[i].mixer).name},
                             {"channel_mixer", spec::name_of(layers[i].channel_mixer)},
                             {"parameters", layer.parameters},
                             {"weights_bytes", layer.weights_bytes},
                             {"kv_cache_bytes", layer.kv_cache_bytes},
                             {"state_bytes", layer.state_bytes},
                             {"forward_flops", layer.forward_flops},
                             {"decode_flops_per_token", layer.decode_flops_per_token},
                             {"prefill_s", time_json(layer.prefill)},
                             {"decode_step_s", time_json(layer.decode_step)},
                             {"prefill_bound", search::name_of(layer.prefill_bound)},
                             {"decode_bound", search::name_of(layer.decode_bound)}});
  }
  return out;
}

std::string time_text(const TimeEstimate& time) {
  return fmt::format("{} ({} to {})", format_value(time.value, "s"), format_value(time.low, "s"),
                     format_value(time.high, "s"));
}

std::string bytes_text(std::int64_t bytes) { return format_value(static_cast<double>(bytes), "bytes"); }
std::string flops_text(std::int64_t flops) { return format_value(static_cast<double>(flops), "flops"); }

/// The totals as (name, value) rows, for one model or side by side.
std::vector<std::pair<std::string, std::string>> totals(const Costed& costed) {
  const CostReport& report = costed.report;
  std::vector<std::pair<std::string, std::string>> rows = {
      {"layout", costed.named.notation},
      {"parameters", fmt::format("{}", report.parameters.total)},
      {"  active", fmt::format("{}", report.parameters.active)},
      {"  embedding", fmt::format("{}", report.parameters.embedding)},
      {"weights", bytes_text(report.weights_bytes)},
      {"KV cache", bytes_text(report.kv_cache_bytes)},
      {"states", bytes_text(report.state_bytes)},
      {"forward", flops_text(report.forward_flops)},
      {"training", flops_text(report.training_flops)},
      {"decode", flops_text(report.decode_flops_per_token) + " per token"},
      {"prefill", time_text(report.prefill)},
      {"decode step", time_text(report.decode_step)},
  };
  if (report.parameters.active == report.parameters.total) rows.erase(rows.begin() + 2);
  return rows;
}

std::string compare_text(const Costed& a, const Costed& b) {
  const auto left = totals(a);
  const auto right = totals(b);
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, value] : left) {
    const auto other = std::ranges::find(right, name, [](const auto& row) { return row.first; });
    rows.push_back({name, value, other == right.end() ? "" : other->second});
  }
  return format_table(rows);
}

/// One row per run of layers with equal cost.
std::string layer_table(const Costed& costed) {
  const auto& layers = costed.named.model.layout.layers;
  std::vector<std::vector<std::string>> rows = {
      {"layer", "mixer", "parameters", "KV cache", "state", "prefill", "bound by", "decode step", "bound by"}};
  for (std::size_t first = 0; first < layers.size();) {
    std::size_t last = first;
    while (last + 1 < layers.size() && layers[last + 1] == layers[first]) ++last;
    const LayerCost& cost = costed.report.layers[first];
    rows.push_back({first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last),
                    std::string(spec::mixer_info(layers[first].mixer).name), fmt::format("{}", cost.parameters),
                    bytes_text(cost.kv_cache_bytes), bytes_text(cost.state_bytes),
                    format_value(cost.prefill.value, "s"), std::string(search::name_of(cost.prefill_bound)),
                    format_value(cost.decode_step.value, "s"), std::string(search::name_of(cost.decode_bound))});
    first = last + 1;
  }
  return format_table(rows, {2, 3, 4, 5, 7});
}

std::vector<spec::Dim> sweep_contexts(const std::string& sweep) {
  constexpr std::string_view kPrefix = "context=";
  const std::size_t dots = sweep.find("..");
  if (!sweep.starts_with(kPrefix) || dots == std::string::npos) {
    throw UsageError(fmt::format("--sweep: \"{}\" is not context=FROM..TO, for example context=1k..2M", sweep));
  }
  const spec::Dim from = size_option("--sweep", sweep.substr(kPrefix.size(), dots - kPrefix.size()));
  const spec::Dim to = size_option("--sweep", sweep.substr(dots + 2));
  if (from > to) throw UsageError(fmt::format("--sweep: {} is above {}", from, to));
  std::vector<spec::Dim> contexts;
  for (spec::Dim context = from; context < to; context *= 2) contexts.push_back(context);
  contexts.push_back(to);
  return contexts;
}

void print_sweep(const Options& options, const std::vector<app::NamedModel>& models,
                 const costmodel::HardwareProfile& hardware, spec::Dim batch, Context& context) {
  spec::OrderedJson json = spec::OrderedJson::array();
  std::string text;
  for (const app::NamedModel& named : models) {
    std::vector<std::vector<std::string>> rows = {
        {"context", "KV cache", "states", "decode", "prefill", "decode step"}};
    for (const spec::Dim tokens : sweep_contexts(options.sweep)) {
      const spec::Workload workload{.context = tokens, .batch = batch};
      const Costed costed{named, costmodel::cost_report(named.model, workload, hardware)};
      const CostReport& report = costed.report;
      rows.push_back({spec::format_size(tokens), bytes_text(report.kv_cache_bytes), bytes_text(report.state_bytes),
                      flops_text(report.decode_flops_per_token), format_value(report.prefill.value, "s"),
                      format_value(report.decode_step.value, "s")});
      json.push_back(json_of(costed, hardware, workload));
    }
    text += fmt::format("{}{} on {}, batch {}\n\n", text.empty() ? "" : "\n", named.notation, hardware.label, batch) +
            format_table(rows, {0, 1, 2, 3, 4, 5});
  }
  context.console.print(options.json ? json.dump(2) + "\n" : text);
}

void run(const Options& options, Context& context) {
  const costmodel::HardwareProfile hardware = read_hardware(options.hardware);
  std::vector<app::NamedModel> models = {app::read_model(options.what, options.model)};
  if (!options.compare.empty()) models.push_back(app::read_model(options.compare, options.model));
  for (const app::NamedModel& named : models) {
    for (const std::string& note : named.notes) context.console.warn(fmt::format("note: {}", note));
  }
  const spec::Dim batch = size_option("--batch", options.batch);
  if (!options.sweep.empty()) {
    if (!options.context.empty()) throw UsageError("--context and --sweep exclude each other");
    print_sweep(options, models, hardware, batch, context);
    return;
  }
  const spec::Workload workload{.context = options.context.empty() ? 32768 : size_option("--context", options.context),
                                .batch = batch};
  std::vector<Costed> costed;
  for (app::NamedModel& named : models) {
    CostReport report = costmodel::cost_report(named.model, workload, hardware);
    costed.push_back({std::move(named), std::move(report)});
  }
  if (options.json) {
    spec::OrderedJson out = json_of(costed[0], hardware, workload);
    if (costed.size() > 1) out["compared_with"] = json_of(costed[1], hardware, workload);
    context.console.print(out.dump(2) + "\n");
    return;
  }
  std::string text = fmt::format("{} on {}, context {}, batch {}\n\n", costed[0].named.model.name, hardware.label,
                                 spec::format_size(workload.context), workload.batch);
  if (costed.size() > 1) {
    text += compare_text(costed[0], costed[1]);
  } else {
    std::vector<std::vector<std::string>> rows;
    for (const auto& [name, value] : totals(costed[0])) rows.push_back({name, value});
    text += format_table(rows) + '\n' + layer_table(costed[0]);
  }
  text += "\nCounts are exact. Times are estimates for one device; in brackets their interval.\n";
  context.console.print(text);
}

}  // namespace

void add_cost(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("cost", "what a layout costs: parameters, memory, FLOPs, time");
  command->add_option("WHAT", options->what, "model file, foreign config, preset, or layout notation (with --model)")
      ->required();
  command->add_option("--model", options->model, "model or study file that gives a notation its dimensions");
  command->add_option("--hardware", options->hardware, "a built-in profile (plait hardware) or a file")
      ->capture_default_str();
  command->add_option("--context", options->context, "tokens, for example 32k (the default)");
  command->add_option("--batch", options->batch, "sequences")->capture_default_str();
  command->add_option("--compare", options->compare, "a second layout beside the first");
  command->add_option("--sweep", options->sweep, "context=FROM..TO, doubling");
  command->add_flag("--json", options->json, "print one JSON value");
  command->footer(
      "Examples:\n"
      "  plait cost model/config.json --context 128k --batch 8\n"
      "  plait cost '(GGG*)x6' --model examples/model-1b.json --compare '*x24'\n"
      "  plait cost '(GG*)x8' --model examples/model-1b.json --sweep context=1k..2M --hardware b200");
  command->callback([options, &context] { run(*options, context); });
}

}  // namespace plait::cli
