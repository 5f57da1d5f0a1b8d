#include "src/app/validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

#include "costmodel/calibrate.h"
#include "costmodel/cost_report.h"
#include "costmodel/megatron.h"
#include "costmodel/parallel_time.h"
#include "costmodel/roofline.h"
#include "search/objective.h"
#include "src/app/presets.h"
#include "src/spec/embedded_file.h"
#include "src/spec/grouped.h"
#include "src/spec/model_json.h"

namespace plait::embedded {
std::span<const spec::EmbeddedFile> validation_files();
std::span<const spec::EmbeddedFile> validation_time_files();
std::span<const spec::EmbeddedFile> measured_model_files();
}  // namespace plait::embedded

namespace plait::app {
namespace {

using costmodel::ErrorSummary;
using costmodel::HardwareProfile;
using costmodel::Measurement;

std::int64_t count(const spec::ModelSpec& model, const std::string& quantity, spec::Dim context) {
  if (quantity == "megatron_training_flops") return costmodel::megatron_training_flops(model, context, 1).value();
  const auto report = costmodel::cost_report(model, {.context = context}, costmodel::find_hardware("h100"));
  if (quantity == "parameters") return report.parameters.total;
  if (quantity == "kv_cache_bytes") return report.kv_cache_bytes;
  if (quantity == "state_bytes") return report.state_bytes;
  if (quantity == "cache_bytes") return report.kv_cache_bytes + report.state_bytes;
  throw std::logic_error("validation case with the quantity " + quantity);
}

std::string percent(const std::vector<double>& errors) {
  const ErrorSummary s = costmodel::summarize(errors);
  return fmt::format("{:.1f} / {:.1f} / {:.1f}", 100 * s.mean, 100 * s.median, 100 * s.p90);
}

/// What a data sheet alone says: the slower of arithmetic at the peak and traffic at the full bandwidth.
double naive_seconds(const Measurement& row, const HardwareProfile& hardware) {
  return std::max(row.op.flops / hardware.peak(spec::DType::bf16), row.op.bytes / hardware.bandwidth_bytes_per_s.value);
}

std::string exact_table() {
  std::string out = "| model | quantity | published | counted | difference | source |\n|---|---|---|---|---|---|\n";
  for (const ExactCase& c : exact_cases()) {
    out += fmt::format("| {} | {} | {} | {} | {} | {} |\n", c.name, c.quantity, spec::grouped(c.published),
                       spec::grouped(c.counted), c.counted - c.published, c.source);
  }
  return out;
}

struct Group {
  std::string hardware;
  costmodel::OpKind kind;
  std::string backend;
  auto operator<=>(const Group&) const = default;
};

/// The machine with the constants that plait uses for this backend; what has not been measured takes the machine's own.
HardwareProfile profile_of(const Group& group) {
  const HardwareProfile hardware = costmodel::find_hardware(group.hardware);
  const bool known = std::ranges::any_of(hardware.other_backends,
                                         [&](const costmodel::Backend& b) { return b.name == group.backend; });
  return known && group.kind == costmodel::OpKind::linear_prefill ? costmodel::with_backend(hardware, group.backend)
                                                                  : hardware;
}

std::string times_table() {
  std::map<Group, std::vector<Measurement>> groups;
  std::vector<Measurement> all = costmodel::published_measurements();
  for (Measurement& row : all) groups[{row.hardware, row.op.kind, row.backend}].push_back(row);
  std::string out =
      "| hardware | class | kernels | rows | naive roofline | plait | within its interval | refitted, one row left out "
      "| "
      "constants from |\n|---|---|---|---|---|---|---|---|---|\n";
  for (const auto& [group, rows] : groups) {
    const HardwareProfile hardware = profile_of(group);
    std::vector<double> ours;
    std::vector<double> naive;
    int inside = 0;
    for (const Measurement& row : rows) {
      if (costmodel::stays_in_cache(row, hardware)) continue;
      costmodel::Timeline timeline;
      timeline.add(row.op, hardware, spec::DType::bf16);
      const costmodel::Estimate& time = timeline.time();
      inside += time.low <= row.seconds && row.seconds <= time.high;
      ours.push_back(std::abs(time.value / row.seconds - 1));
      naive.push_back(std::abs(naive_seconds(row, hardware) / row.seconds - 1));
    }
    if (ours.empty()) continue;
    const auto fits = costmodel::calibrate(rows, costmodel::find_hardware(group.hardware));
    const auto& left_out = fits.front().left_out;
    const bool foreign = group.kind == costmodel::OpKind::linear_prefill && hardware.backend != group.backend;
    const bool recurrence = group.kind == costmodel::OpKind::linear_prefill && hardware.chunk_times;
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} of {} | {} | {} |\n", group.hardware,
                       costmodel::op_kind_name(group.kind), group.backend, ours.size(), percent(naive), percent(ours),
                       inside, ours.size(),
                       left_out ? fmt::format("{:.1f} / {:.1f}", 100 * left_out->mean, 100 * left_out->median) : "-",
                       foreign      ? fmt::format("{}: `--backend {}` is refused here", hardware.backend, group.backend)
                       : recurrence ? hardware.chunk_times->source
                                    : hardware.op_class(group.kind).source);
  }
  return out;
}

/// The machine of a data sheet: nothing is lost to launches, and every operator reaches the peak or the bandwidth.
HardwareProfile ideal(HardwareProfile hardware) {
  for (costmodel::OpClass& c : hardware.op_classes) {
    c.compute_efficiency = c.bandwidth_efficiency = 1;
    c.latency_s = 0;
  }
  hardware.chunk_times.reset();
  hardware.other_backends.clear();
  return hardware;
}

spec::ModelSpec model_of(const spec::Json& row) {
  const spec::Json& what = row.at("model");
  if (what.is_string()) return find_preset(what.get<std::string>()).value().model;
  spec::Problems problems;
  const spec::ModelSpec model = spec::model_from_json(what, row.at("name"), problems);
  problems.throw_if_any();
  return model;
}

/// The members of a case that differ from the defaults.
template <class T>
T read_members(const spec::Json& row, const char* key,
               std::initializer_list<std::pair<const char*, spec::Dim T::*>> of) {
  T value;
  if (!row.contains(key)) return value;
  for (const auto& [name, member] : of) value.*member = row.at(key).value(name, value.*member);
  return value;
}

struct Setting {
  spec::ModelSpec model;
  spec::Workload workload;
  costmodel::Parallelism parallelism;
  costmodel::Training training;
};

costmodel::Estimate time_of(const Setting& s, const std::string& phase, const HardwareProfile& hardware) {
  if (phase == "training") {
    return costmodel::training_time(s.model, s.workload, s.parallelism, s.training, hardware)
        .value()
        .tokens_per_s_per_device;
  }
  const costmodel::ServingTime time = costmodel::serving_time(s.model, s.workload, s.parallelism, hardware).value();
  if (phase == "prefill") return time.prefill;
  if (phase == "decode") return time.decode_step;
  throw std::logic_error("validation case with the phase " + phase);
}

/// Forward and backward without what a framework adds, and without the optimizer.
costmodel::Estimate kernels_time(const Setting& s, const HardwareProfile& hardware) {
  const auto time = costmodel::training_time(s.model, s.workload, s.parallelism, s.training, hardware).value();
  const auto of = [&](double costmodel::Estimate::*end) {
    return (time.step.*end - time.update.*end) / costmodel::kTrainingOverhead;
  };
  using E = costmodel::Estimate;
  return {of(&E::value), of(&E::low), of(&E::high)};
}

std::string setting_text(const Setting& s) {
  const costmodel::Parallelism& p = s.parallelism;
  std::string text = fmt::format("{}, {} x {}", search::name_of(s.model.dtype), s.workload.batch, s.workload.context);
  for (const auto& [letter, ranks] :
       {std::pair{"tp", p.tensor}, {"pp", p.pipeline}, {"dp", p.data}, {"ep", p.expert}}) {
    if (ranks > 1) text += fmt::format(", {} {}", letter, ranks);
  }
  return text;
}

std::string number(double value, const std::string& phase) {
  return phase == "training" ? spec::grouped(std::llround(value))
                             : fmt::format("{:.{}f} ms", value * 1e3, value < 0.01 ? 2 : 1);
}

std::string whole_models(const std::vector<TimedCase>& cases, std::string_view truth) {
  std::string rows = fmt::format(
      "| phase | model | machine | setting | {} | plait (interval) | error | data sheet | source |\n"
      "|---|---|---|---|---|---|---|---|---|\n",
      truth);
  std::vector<std::string> sources;
  std::map<std::string, std::pair<std::vector<double>, std::vector<double>>> errors;  // ours, the data sheet's
  std::map<std::string, int> inside;
  for (const TimedCase& c : cases) {
    auto source = std::ranges::find(sources, c.source);
    if (source == sources.end()) source = sources.insert(source, c.source);
    const double ours = c.estimated.value / c.published - 1;
    const std::string group = c.phase + (c.fitted ? ", fitted" : ", held out");
    errors[group].first.push_back(std::abs(ours));
    errors[group].second.push_back(std::abs(c.data_sheet / c.published - 1));
    inside[group] += c.estimated.low <= c.published && c.published <= c.estimated.high;
    rows += fmt::format("| {} | {} | {} | {} | {} | {} ({} to {}) | {:+.0f} % | {:+.0f} % | {} |\n", c.phase, c.name,
                        c.machine, c.setting, number(c.published, c.phase), number(c.estimated.value, c.phase),
                        number(c.estimated.low, c.phase), number(c.estimated.high, c.phase), 100 * ours,
                        100 * (c.data_sheet / c.published - 1), source - sources.begin() + 1);
  }
  std::string summary = "| phase | cases | data sheet | plait | within its interval |\n|---|---|---|---|---|\n";
  for (const auto& [group, of] : errors) {
    summary += fmt::format("| {} | {} | {} | {} | {} of {} |\n", group, of.first.size(), percent(of.second),
                           percent(of.first), inside[group], of.first.size());
  }
  std::string list;
  for (std::size_t i = 0; i < sources.size(); ++i) list += fmt::format("{}. {}\n", i + 1, sources[i]);
  return summary + "\n" + rows + "\n" + list;
}

}  // namespace

std::vector<TimedCase> timed_cases() {
  std::vector<TimedCase> cases;
  for (const spec::Json& row : spec::Json::parse(embedded::validation_time_files().front().content)) {
    using P = costmodel::Parallelism;
    using T = costmodel::Training;
    Setting s{.model = model_of(row),
              .workload = {.context = row.at("context"), .batch = row.at("batch")},
              .parallelism = read_members<P>(
                  row, "parallelism",
                  {{"tensor", &P::tensor}, {"pipeline", &P::pipeline}, {"data", &P::data}, {"expert", &P::expert}}),
              .training =
                  read_members<T>(row, "training", {{"micro_batch", &T::micro_batch}, {"interleave", &T::interleave}})};
    if (row.contains("training")) s.training.zero_stage = row.at("training").value("zero_stage", s.training.zero_stage);
    for (const auto& [type, name] : enum_names(spec::DType{})) {
      if (name == row.at("dtype").get<std::string>()) s.model.dtype = type;
    }
    HardwareProfile hardware = costmodel::find_hardware(row.at("hardware").get<std::string>());
    if (row.contains("backend"))
      hardware = costmodel::with_backend(std::move(hardware), row.at("backend").get<std::string>());
    TimedCase c{.name = row.at("name"),
                .phase = row.at("phase"),
                .machine = hardware.name,
                .setting = setting_text(s),
                .source = row.at("source"),
                .fitted = row.contains("fitted"),
                .estimated = {}};
    c.published = row.at(c.phase == "training" ? "tokens_per_s_per_device" : "seconds");
    c.estimated = time_of(s, c.phase, hardware);
    c.data_sheet = time_of(s, c.phase, ideal(hardware)).value;
    if (c.phase == "training") c.data_sheet *= costmodel::kTrainingOverhead;  // a data sheet has none
    cases.push_back(std::move(c));
  }
  return cases;
}

std::vector<TimedCase> measured_cases() {
  const spec::Json file = spec::Json::parse(embedded::measured_model_files().front().content);
  const HardwareProfile machine = costmodel::without_fusion(
      costmodel::with_backend(costmodel::find_hardware(file.at("hardware").get<std::string>()), "fla"));
  const std::string source =
      fmt::format("flash-linear-attention {}, torch {}, Triton {} on an {}; {}", file.at("fla").get<std::string>(),
                  file.at("torch").get<std::string>(), file.at("triton").get<std::string>(),
                  file.at("gpu").get<std::string>(), file.at("source").get<std::string>());
  std::vector<TimedCase> cases;
  for (const spec::Json& row : file.at("cases")) {
    const std::string name = row.at("model");
    const std::string phase = row.at("phase");
    const Setting s{.model = model_of({{"name", name}, {"model", file.at("models").at(name)}}),
                    .workload = {.context = row.at("context"), .batch = row.at("batch")},
                    .parallelism = {},
                    .training = {.recompute = costmodel::Recompute::none}};
    const auto estimate = [&](const HardwareProfile& on) {
      return phase == "training" ? kernels_time(s, on) : time_of(s, phase, on);
    };
    const auto add = [&](std::string run, double seconds, const HardwareProfile& hardware, double overhead) {
      const costmodel::Estimate e = estimate(hardware);
      cases.push_back({.name = name,
                       .phase = std::move(run),
                       .machine = hardware.name,
                       .setting = setting_text(s),
                       .source = source,
                       .published = seconds,
                       .estimated = {overhead * e.value, overhead * e.low, overhead * e.high},
                       .data_sheet = estimate(ideal(hardware)).value});
    };
    const HardwareProfile eager = costmodel::without_graphs(machine);
    const double seconds = row.at("eager").at("seconds");
    const double host = row.at("eager").at("host_seconds");
    const bool host_decides = host > 0.95 * seconds;
    const char* launched = host_decides ? "the host decides" : "launched by Python";
    if (phase == "training") {
      add("forward and backward, kernels alone", row.at("kernel_seconds"), machine, 1);
      add(fmt::format("forward and backward, {}", launched), seconds, eager, costmodel::kTrainingOverhead);
    } else {
      add(phase + ", CUDA graph", row.at("graph").at("seconds"), machine, 1);
      add(fmt::format("{}, {}", phase, launched), seconds, eager, 1);
    }
  }
  std::ranges::stable_sort(cases, {}, &TimedCase::phase);
  return cases;
}

std::vector<ExactCase> exact_cases() {
  std::vector<ExactCase> cases;
  for (const spec::EmbeddedFile& file : embedded::validation_files()) {
    for (const spec::Json& row : spec::Json::parse(file.content)) {
      const spec::ModelSpec model = model_of(row);
      ExactCase c{.name = row.at("name"),
                  .quantity = row.at("quantity"),
                  .source = row.at("source"),
                  .published = row.at("published")};
      c.counted = count(model, c.quantity, row.at("context"));
      cases.push_back(std::move(c));
    }
  }
  return cases;
}

std::string validation_page() {
  return fmt::format(
      "# The cost model beside published numbers\n\n"
      "Written by `plait validation`; the tests compare this file with what it writes now.\n\n"
      "## Counts\n"
      "Exact, so every difference must be 0. Quantities of one sequence; `kv_cache_bytes` is one token's.\n\n{}\n"
      "Not reproduced: the cache of Jet-Nemotron-2B at 64k, 154 MiB as printed against 157.25 with fp32 states and "
      "143.75 "
      "with bf16.\n\n"
      "## Times of operators\n"
      "Rows: `costmodel/measurements/operators.csv`, an excerpt of operator tables. Errors are mean / median / p90 of "
      "|estimate - measured| / measured in percent. The naive roofline is max(FLOPs / peak, bytes / bandwidth) of the "
      "data "
      "sheet. An interval reaches one mean error to each side, so that about six rows in ten lie within it.\nDecode "
      "steps whose "
      "state stays in the last-level cache are left out.\n\n{}\n"
      "Which rows were held out: constants \"fitted on aiconfigurator\" come from whole tables that contain these "
      "rows, so "
      "their errors are in-sample, with two or three constants per class; \"plait calibrate\" constants come from "
      "exactly "
      "these rows, and the column beside them leaves each row out in turn. Constants carried over from another "
      "machine, "
      "as their source says, were not fitted to the rows here: those are held out.\n\n"
      "## Times of whole models\n"
      "Published times whose page states machine, type, batch, lengths and parallelism. One constant was fitted to the "
      "dense models' training rates (what a framework takes beyond its operators); all else is held out. That SGLang's "
      "rows are estimated with the kernels of fla was decided after a first look at them. Errors are "
      "mean / median / p90 of |estimate - published| / published in percent; \"data sheet\" is the same sum with every "
      "operator at the machine's peak or bandwidth and nothing lost to launches.\n\n"
      "Servers are slower than their operators: a first token also waits for tokenizer, scheduler and the host's "
      "launches (20 to 50 ms here), a step for scheduling and sampling, and products of narrow types and of small "
      "experts reach a smaller share of the peak than the large bf16 products that the constants come from. Prefill "
      "and "
      "decode estimates are for the model alone, and their intervals for operators, not for servers.\n\n"
      "After a first look at these cases three rules without a constant were added: activations keep 16 bits beside "
      "narrow weights, a token crosses the network once per node whatever experts it visits there, and sorting tokens "
      "by "
      "expert is traffic.\n\n{}\n"
      "## Whole models of flash-linear-attention\n"
      "Measured on one H100 by `tests/bench/fla_hybrids.py`; table: `costmodel/measurements/fla_hybrids.json`. "
      "Estimates "
      "are those of `plait cost --backend fla --unfused`, launched by Python with `--no-graphs`. No constant was "
      "fitted "
      "to these rows.\n\n"
      "What was known when: a first look gave medians of 28.8 % in decoding, 9.4 % in prefill (CUDA graphs) and 8.4 % "
      "for the kernels of forward and backward. After it, counts were changed and no constant chosen by these rows: "
      "`--unfused` launches every projection and pass by itself, as the library's modules do; SwiGLU writes its "
      "product "
      "and not two vectors; output gates, decays and the write into the cache are passes of their own. The framework's "
      "factor was then fitted again to the dense models above (1.22 to 1.25). So decoding is held out from fitting, "
      "but "
      "not from the choice of what to count.\n\n"
      "* \"Kernels alone\": the device's busy time in one pass forward and backward, beside the estimate without the "
      "framework's factor. The estimate adds up gradients in fp32, which these runs do not (2 to 3 %); the optimizer's "
      "step is in neither.\n"
      "* \"The host decides\": the call returned when the device was nearly done, so Python on that machine sets the "
      "time, about 0.12 ms for each kernel of a decode step. `--no-graphs` knows the 8 us of a launch and not Python.\n"
      "* What remains above 10 % is the chunked recurrence of Gated DeltaNet with 256 channels per head and of GLA. "
      "The constants of fla are those of the copy in SGLang 0.5.14, measured with 128 channels: 554 us for 8,192 "
      "tokens "
      "and 16 heads, where these runs' kernels take 402 us (gdn-7-1); the step from 128 to 256 channels is taken as "
      "twice the time, and GLA as no faster than the delta rule.\n"
      "* Rounds with longer contexts, larger batches, HGRN2, RetNet and the recurrences alone did not fit into the "
      "time on the machine.\n\n{}",
      exact_table(), times_table(), whole_models(timed_cases(), "published"),
      whole_models(measured_cases(), "measured"));
}

}  // namespace plait::app
