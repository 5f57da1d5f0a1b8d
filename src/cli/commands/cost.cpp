#include <fmt/format.h>

#include <memory>

#include "src/cli/commands.h"
#include "src/cli/cost_text.h"

namespace plait::cli {
namespace {

constexpr spec::Dim kMaxContext = spec::Dim{1} << 40;

struct Options {
  std::string what;
  std::string model;
  std::string hardware = "h100";
  std::string backend;
  bool no_graphs = false;
  bool unfused = false;
  bool operators = false;
  std::string context;
  std::string batch = "1";
  std::vector<std::string> compare;
  std::string sweep;
  std::string svg;
  std::string png;
  std::string y = "decode_step_s";
  costmodel::Parallelism parallelism;
  costmodel::Training training;
  std::string recompute = "selective";
  costmodel::Speculation speculation{.draft_tokens = 0};
  bool json = false;
};

spec::Dim size_option(const std::string& option, const std::string& text) {
  const std::optional<spec::Dim> size = spec::parse_size(text);
  if (!size || *size < 1 || *size > kMaxContext) {
    throw UsageError(
        fmt::format("{}: \"{}\" is not a size from 1 to 2^40; write an integer, or 32k or 2M", option, text));
  }
  return *size;
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

/// Writes the chart into the files asked for.
template <class Chart>
void draw(const Options& options, Chart chart) {
  constexpr double kHeight = 560;
  if (!options.svg.empty()) write_file(options.svg, report::to_svg(chart(), {.height = kHeight}));
  if (options.png.empty()) return;
  const std::vector<std::uint8_t> png = report::to_png(chart(), {.height = kHeight});
  write_file(options.png, {reinterpret_cast<const char*>(png.data()), png.size()});
}

void run_sweep(const Options& options, const std::vector<app::NamedModel>& models, CostSetting setting,
               Context& context) {
  if (!options.context.empty()) throw UsageError("--context and --sweep exclude each other");
  const std::vector<spec::Dim> contexts = sweep_contexts(options.sweep);
  spec::OrderedJson json = spec::OrderedJson::array();
  std::string text;
  std::vector<std::vector<CostedModel>> sweeps;
  for (const app::NamedModel& named : models) {
    std::vector<CostedModel>& sweep = sweeps.emplace_back();
    for (const spec::Dim tokens : contexts) {
      setting.workload.context = tokens;
      sweep.push_back(cost_of(named, setting));
      json.push_back(cost_json(sweep.back(), setting));
    }
    text += fmt::format("{}{} on {}, batch {}\n\n", text.empty() ? "" : "\n", named.notation, setting.hardware.label,
                        setting.workload.batch) +
            sweep_text(sweep, contexts);
  }
  draw(options, [&] { return sweep_chart(sweeps, contexts, options.y, setting); });
  context.console.print(options.json ? json.dump(2) + "\n" : text);
}

void run(const Options& options, Context& context) {
  std::vector<app::NamedModel> models = {app::read_model(options.what, options.model)};
  for (const std::string& other : options.compare) models.push_back(app::read_model(other, options.model));
  for (const app::NamedModel& named : models) {
    for (const std::string& note : named.notes) context.console.warn(fmt::format("note: {}", note));
  }
  costmodel::HardwareProfile hardware = app::read_hardware(options.hardware);
  if (!options.backend.empty()) hardware = costmodel::with_backend(std::move(hardware), options.backend);
  if (options.unfused) hardware = costmodel::without_fusion(std::move(hardware));
  if (options.no_graphs) hardware = costmodel::without_graphs(std::move(hardware));
  CostSetting setting{.hardware = std::move(hardware),
                      .workload = {.batch = size_option("--batch", options.batch)},
                      .parallelism = options.parallelism,
                      .training = options.training};
  if (options.speculation.draft_tokens != 0) setting.speculation = options.speculation;
  for (const auto& [value, name] : enum_names(costmodel::Recompute{})) {
    if (name == options.recompute) setting.training.recompute = value;
  }
  if (!options.sweep.empty()) {
    run_sweep(options, models, setting, context);
    return;
  }
  setting.workload.context = options.context.empty() ? 32768 : size_option("--context", options.context);
  std::vector<CostedModel> costed;
  for (const app::NamedModel& named : models) costed.push_back(cost_of(named, setting));
  draw(options, [&] { return roofline_chart(costed[0], setting); });
  if (options.json) {
    spec::OrderedJson out = cost_json(costed[0], setting);
    if (costed.size() == 2) out["compared_with"] = cost_json(costed[1], setting);
    if (costed.size() > 2) {
      out["compared_with"] = spec::OrderedJson::array();
      for (std::size_t i = 1; i < costed.size(); ++i) out["compared_with"].push_back(cost_json(costed[i], setting));
    }
    context.console.print(out.dump(2) + "\n");
    return;
  }
  std::string text = costed.size() > 1 ? comparison_text(costed, setting) : cost_text(costed[0], setting);
  if (options.operators && costed.size() == 1) text += operator_text(costed[0], setting);
  context.console.print(fmt::format(
      "{} on {}, context {}, batch {}\n\n{}\nCounts are exact. Times and energies are estimates, in brackets "
      "their interval; of one device where not said otherwise.\n",
      costed[0].named.model.name, setting.hardware.label, spec::format_size(setting.workload.context),
      setting.workload.batch, text));
}

}  // namespace

void add_cost(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("cost", "what a layout costs: parameters, memory, FLOPs, time, energy");
  command->add_option("WHAT", options->what, "model file, foreign config, preset, or layout notation (with --model)")
      ->required();
  command->add_option("--model", options->model, "model or study file that gives a notation its dimensions");
  command->add_option("--hardware", options->hardware, "a built-in profile (plait hardware) or a file")
      ->capture_default_str();
  command->add_option("--backend", options->backend,
                      "library of the chunked recurrences, as measured on the hardware (flashinfer, fla)");
  command->add_flag("--no-graphs", options->no_graphs, "every kernel is launched by the host, without CUDA graphs");
  command->add_flag("--unfused", options->unfused,
                    "projections and passes are kernels of their own, as training libraries run them, not servers");
  command->add_flag("--operators", options->operators, "every operator of every kind of layer too");
  command->add_option("--context", options->context, "tokens, for example 32k (the default)");
  command->add_option("--batch", options->batch, "sequences")->capture_default_str();
  command->add_option("--compare", options->compare, "another layout beside the first; may be repeated")->take_all();
  command->add_option("--sweep", options->sweep, "context=FROM..TO, doubling");
  command->add_option("--svg", options->svg, "draw the layers under the roofs, or a sweep's curves, into this file");
  command->add_option("--png", options->png, "the same as a picture");
  command->add_option("--y", options->y, "what a sweep's curves show")
      ->check(CLI::IsMember(sweep_quantities()))
      ->capture_default_str();
  command->add_option("--draft", options->speculation.draft_tokens,
                      "speculative decoding: tokens that the model's recurrent layers draft per step; 0 is off");
  command->add_option("--acceptance", options->speculation.acceptance, "chance that a drafted token is accepted")
      ->capture_default_str();
  auto& p = options->parallelism;
  const std::string parallel = "Several devices";
  command->add_option("--tp", p.tensor, "tensor-parallel ranks")->group(parallel);
  command->add_option("--pp", p.pipeline, "pipeline stages")->group(parallel);
  command->add_option("--interleave", options->training.interleave, "training: runs of layers per pipeline stage")
      ->group(parallel);
  command->add_option("--dp", p.data, "data-parallel replicas")->group(parallel);
  command->add_option("--ep", p.expert, "ranks that experts are dealt over")->group(parallel);
  command->add_option("--cp", p.context, "ranks that a sequence is dealt over")->group(parallel);
  command->add_option("--micro-batch", options->training.micro_batch, "training: sequences per pass")->group(parallel);
  command->add_option("--recompute", options->recompute, "training: activations that are computed again")
      ->check(CLI::IsMember({"none", "selective", "full"}))
      ->capture_default_str()
      ->group(parallel);
  command
      ->add_option("--zero", options->training.zero_stage,
                   "training: split over the replicas: 1 optimizer state, 2 gradients too, 3 weights too")
      ->capture_default_str()
      ->group(parallel);
  command->add_flag("--json", options->json, "print one JSON value");
  command->footer(
      "Examples:\n"
      "  plait cost model/config.json --context 128k --batch 8\n"
      "  plait cost '(GGG*)x6' --model examples/model-1b.json --compare '*x24' --svg roofline.svg\n"
      "  plait cost '(GG*)x8' --model examples/model-1b.json --compare '*x24' --sweep context=1k..2M --svg sweep.svg\n"
      "  plait cost qwen3_5_27b --tp 8 --pp 4 --dp 2 --batch 16 --context 8k");
  command->callback([options, &context] { run(*options, context); });
}

}  // namespace plait::cli
