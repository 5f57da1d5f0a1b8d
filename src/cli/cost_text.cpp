#include "src/cli/cost_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "costmodel/layer_ops.h"
#include "costmodel/megatron.h"
#include "costmodel/published_counts.h"
#include "src/cli/console.h"
#include "src/report/number_format.h"
#include "src/spec/model_json.h"

namespace plait::cli {
namespace {

using costmodel::CostReport;
using costmodel::Estimate;
using costmodel::LayerCost;
using report::format_value;

/// Training FLOPs of the whole batch as Megatron-LM reports them.
std::optional<std::int64_t> megatron_flops(const CostedModel& costed, const spec::Workload& workload) {
  return costmodel::megatron_training_flops(costed.named.model, workload.context, workload.batch);
}

/// The token mixers alone, as arXiv 2507.06457 counts them.
std::int64_t recurrent_flops(const CostedModel& costed, const spec::Workload& workload) {
  costmodel::Count sum;
  for (const spec::LayerSpec& layer : costed.named.model.layout.layers) {
    sum += costmodel::recurrent_mixer_flops(layer.mixer, costed.named.model.d_model, workload.context);
  }
  return (sum * workload.batch).exact("recurrent_mixer_flops");
}

template <class T>
spec::OrderedJson json_or_null(const std::optional<T>& value) {
  return value ? spec::OrderedJson(*value) : spec::OrderedJson(nullptr);
}

spec::OrderedJson estimate_json(const Estimate& estimate) {
  return {{"value", estimate.value}, {"low", estimate.low}, {"high", estimate.high}};
}

spec::OrderedJson device_json(const CostedModel& costed, const CostSetting& setting) {
  const auto& training = costed.training;
  const auto& serving = costed.serving;
  spec::OrderedJson parallelism;
  spec::write_fields(setting.parallelism, parallelism);
  spec::OrderedJson out = {{"devices", setting.parallelism.devices()},
                           {"parallelism", parallelism},
                           {"training",
                            {{"stage", training.stage},
                             {"micro_batch", setting.training.micro_batch},
                             {"recompute", search::name_of(setting.training.recompute)},
                             {"zero_stage", setting.training.zero_stage},
                             {"interleave", setting.training.interleave},
                             {"weights_bytes", training.weights},
                             {"gradients_bytes", training.gradients},
                             {"optimizer_bytes", training.optimizer},
                             {"activations_bytes", training.activations},
                             {"logits_bytes", training.logits},
                             {"total_bytes", training.total()}}},
                           {"serving",
                            {{"stage", serving.stage},
                             {"weights_bytes", serving.weights},
                             {"kv_cache_bytes", serving.kv_cache},
                             {"state_bytes", serving.state},
                             {"total_bytes", serving.total()},
                             {"largest_batch", costed.largest_batch}}}};
  if (const auto& time = costed.training_time) {
    out["training"]["step_s"] = estimate_json(time->step);
    out["training"]["communication_s"] = estimate_json(time->communication);
    out["training"]["bubble_share"] = time->bubble_share;
    out["training"]["tokens_per_s_per_device"] = estimate_json(time->tokens_per_s_per_device);
  }
  if (const auto& time = costed.serving_time) {
    out["serving"]["prefill_s"] = estimate_json(time->prefill);
    out["serving"]["decode_step_s"] = estimate_json(time->decode_step);
    out["serving"]["prefill_communication_s"] = estimate_json(time->prefill_communication);
    out["serving"]["decode_communication_s"] = estimate_json(time->decode_communication);
  }
  return out;
}

spec::OrderedJson speculative_json(const costmodel::SpeculativeCost& cost, const costmodel::Speculation& speculation) {
  return {{"draft", "recurrent layers"},
          {"draft_tokens", speculation.draft_tokens},
          {"acceptance", speculation.acceptance},
          {"tokens_per_round", cost.tokens_per_round},
          {"draft_step_s", estimate_json(cost.draft_step)},
          {"verify_step_s", estimate_json(cost.verify_step)},
          {"round_s", estimate_json(cost.round)},
          {"seconds_per_token", cost.seconds_per_token},
          {"speedup", cost.speedup},
          {"extra_state_bytes", cost.extra_state_bytes}};
}

std::string estimate_text(const Estimate& estimate, std::string_view unit) {
  return fmt::format("{} ({} to {})", format_value(estimate.value, unit), format_value(estimate.low, unit),
                     format_value(estimate.high, unit));
}

std::string bytes_text(std::int64_t bytes) { return format_value(static_cast<double>(bytes), "bytes"); }
std::string flops_text(std::int64_t flops) { return format_value(static_cast<double>(flops), "flops"); }

Estimate per(const Estimate& estimate, double count) {
  return {estimate.value / count, estimate.low / count, estimate.high / count};
}

std::string rate_text(const Estimate& rate) {
  return fmt::format("{} ({} to {})", report::format_number(rate.value), report::format_number(rate.low),
                     report::format_number(rate.high));
}

std::string fit_text(double bytes, const costmodel::HardwareProfile& hardware) {
  return bytes <= hardware.memory_bytes.value ? "" : ", does not fit";
}

using Rows = std::vector<std::pair<std::string, std::string>>;

/// The totals as (name, value). Every model has the same rows.
Rows totals(const CostedModel& costed, const CostSetting& setting) {
  const CostReport& report = costed.report;
  const auto megatron = megatron_flops(costed, setting.workload);
  const auto batch = static_cast<double>(setting.workload.batch);
  const double step = report.decode_step.value;
  Rows rows = {
      {"layout", costed.named.notation},
      {"parameters", fmt::format("{}", report.parameters.total)},
      {"  active", fmt::format("{}", report.parameters.active)},
      {"  embedding", fmt::format("{}", report.parameters.embedding)},
      {"weights", bytes_text(report.weights_bytes)},
      {"KV cache", bytes_text(report.kv_cache_bytes)},
      {"states", bytes_text(report.state_bytes)},
      {"forward", flops_text(report.forward_flops)},
      {"training", flops_text(report.training_flops)},
      {"  as Megatron-LM counts", megatron ? flops_text(*megatron) : "no formula for this layout"},
      {"decode", flops_text(report.decode_flops_per_token) + " per token"},
      {"traffic of a prefill", bytes_text(report.prefill_hbm_bytes)},
      {"traffic of a decode step", bytes_text(report.decode_hbm_bytes)},
      {"prefill (TTFT)", estimate_text(report.prefill, "s")},
      {"decode step (TPOT)", estimate_text(report.decode_step, "s")},
      {"tokens per second", rate_text({batch / step, batch / report.decode_step.high, batch / report.decode_step.low})},
  };
  if (setting.hardware.power_w.value > 0) {
    rows.emplace_back("energy of a prefill", estimate_text(report.prefill_energy, "J"));
    rows.emplace_back("energy per decoded token", estimate_text(per(report.decode_energy, batch), "J"));
  }
  if (setting.speculation) {
    rows.emplace_back("with drafts by its recurrent layers",
                      costed.speculative ? fmt::format("{} per token, {} x the speed, {} of states more",
                                                       format_value(costed.speculative->seconds_per_token, "s"),
                                                       report::format_number(costed.speculative->speedup),
                                                       bytes_text(costed.speculative->extra_state_bytes))
                                         : "not possible: needs recurrent layers beside attention");
  }
  return rows;
}

std::string waiting_text(const Estimate& part, const Estimate& whole) {
  return fmt::format("{:.0f} % (0 to {:.0f} %)", 100 * part.value / whole.value,
                     100 * std::min(1.0, part.high / whole.high));
}

/// What one device holds, and how long it takes.
Rows device_rows(const CostedModel& costed, const CostSetting& setting) {
  const auto& t = costed.training;
  const auto& s = costed.serving;
  const bool several = setting.parallelism.devices() > 1;
  Rows rows = {
      {"training memory", bytes_text(t.total()) + fit_text(static_cast<double>(t.total()), setting.hardware)},
      {"  weights, gradients, optimizer",
       fmt::format("{}, {}, {}", bytes_text(t.weights), bytes_text(t.gradients), bytes_text(t.optimizer))},
      {"  activations, logits", fmt::format("{}, {}", bytes_text(t.activations), bytes_text(t.logits))},
  };
  if (const auto& time = costed.training_time) {
    rows.emplace_back("training step", estimate_text(time->step, "s"));
    rows.emplace_back("  tokens per second and device", rate_text(time->tokens_per_s_per_device));
    if (several) {
      rows.emplace_back("  waiting for collectives", waiting_text(time->communication, time->step));
      rows.emplace_back("  waiting for other stages", fmt::format("{:.0f} %", 100 * time->bubble_share));
    }
  } else {
    rows.emplace_back("times", fmt::format("not known: the profile {} has no links", setting.hardware.name));
  }
  rows.emplace_back("serving memory",
                    bytes_text(s.total()) + fit_text(static_cast<double>(s.total()), setting.hardware));
  rows.emplace_back("largest batch that fits",
                    costed.largest_batch == 0 ? "none" : fmt::format("{}", costed.largest_batch));
  if (const auto& time = costed.serving_time; time && several) {
    const auto batch = static_cast<double>(setting.workload.batch);
    rows.emplace_back("prefill (TTFT)", estimate_text(time->prefill, "s"));
    rows.emplace_back("  waiting for collectives", waiting_text(time->prefill_communication, time->prefill));
    rows.emplace_back("decode step (TPOT)", estimate_text(time->decode_step, "s"));
    rows.emplace_back("  waiting for collectives", waiting_text(time->decode_communication, time->decode_step));
    rows.emplace_back("tokens per second", rate_text({batch / time->decode_step.value, batch / time->decode_step.high,
                                                      batch / time->decode_step.low}));
  }
  return rows;
}

std::string device_title(const CostSetting& setting) {
  const auto& p = setting.parallelism;
  return fmt::format(
      "Per device of {} (tensor {}, pipeline {}, data {}, expert {}, context {}), {} recomputation, micro-batch {}",
      p.devices(), p.tensor, p.pipeline, p.data, p.expert, p.context, search::name_of(setting.training.recompute),
      setting.training.micro_batch);
}

std::string format_rows(const Rows& rows) {
  std::vector<std::vector<std::string>> table;
  for (const auto& [name, value] : rows) table.push_back({name, value});
  return format_table(table);
}

std::string range_text(std::size_t first, std::size_t last) {
  return first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
}

/// One row per run of layers with equal cost.
std::string layer_table(const CostedModel& costed) {
  const auto& layers = costed.named.model.layout.layers;
  std::vector<std::vector<std::string>> rows = {{"layer", "mixer", "parameters", "KV cache", "state", "forward",
                                                 "prefill", "bound by", "decode step", "bound by"}};
  for (std::size_t first = 0; first < layers.size();) {
    std::size_t last = first;
    while (last + 1 < layers.size() && layers[last + 1] == layers[first]) ++last;
    const LayerCost& cost = costed.report.layers[first];
    rows.push_back({range_text(first, last), std::string(spec::mixer_info(layers[first].mixer).name),
                    fmt::format("{}", cost.parameters), bytes_text(cost.kv_cache_bytes), bytes_text(cost.state_bytes),
                    flops_text(cost.forward_flops), format_value(cost.prefill.value, "s"),
                    std::string(search::name_of(cost.prefill_bound)), format_value(cost.decode_step.value, "s"),
                    std::string(search::name_of(cost.decode_bound))});
    first = last + 1;
  }
  return fmt::format("Each layer\n{}", format_table(rows, {2, 3, 4, 5, 6, 8}));
}

/// Indices of the first layer of each kind.
std::vector<std::size_t> distinct_layers(const spec::Layout& layout) {
  std::vector<std::size_t> distinct;
  for (std::size_t i = 0; i < layout.size(); ++i) {
    const bool seen =
        std::ranges::any_of(distinct, [&](std::size_t j) { return layout.layers[j] == layout.layers[i]; });
    if (!seen) distinct.push_back(i);
  }
  return distinct;
}

/// A layer that another may become.
struct Kind {
  std::optional<std::size_t> index;  ///< first layer of its kind; none: not in the layout
  std::string_view mixer;
  LayerCost cost;
};

/// The kinds of layers of the layout; beside a single one the other sort of mixer at its default dimensions.
std::vector<Kind> kinds_of(const CostedModel& costed, const CostSetting& setting) {
  const spec::ModelSpec& model = costed.named.model;
  std::vector<Kind> kinds;
  for (const std::size_t i : distinct_layers(model.layout)) {
    kinds.push_back({i, spec::mixer_info(model.layout.layers[i].mixer).name, costed.report.layers[i]});
  }
  if (kinds.size() > 1) return kinds;
  spec::LayerSpec other = model.layout.layers.front();
  if (spec::state_kind(other.mixer) == spec::StateKind::constant) {
    other.mixer = spec::default_mixer(spec::SingleMixer(spec::FullAttention{}).index(), model.d_model);
  } else {
    other.mixer = spec::default_mixer(spec::SingleMixer(spec::GatedDeltaNet{}).index(), model.d_model);
  }
  kinds.push_back({std::nullopt, spec::mixer_info(other.mixer).name,
                   costmodel::layer_cost(other, model, setting.workload, setting.hardware)});
  return kinds;
}

/// Calls `visit(from, to)` for every layer of the layout and every other kind it may become.
template <class Visit>
void for_each_replacement(const std::vector<Kind>& kinds, Visit visit) {
  for (const Kind& from : kinds) {
    for (const Kind& to : kinds) {
      if (from.index && &from != &to) visit(from, to);
    }
  }
}

std::string change_text(double change, std::string_view unit) {
  return fmt::format("{}{}", change < 0 ? "-" : "+", format_value(std::abs(change), unit));
}

/// Costs are sums over layers, so one replacement changes each by a fixed amount.
std::string replacement_table(const CostedModel& costed, const CostSetting& setting) {
  constexpr std::size_t kMostKinds = 4;
  const std::vector<Kind> kinds = kinds_of(costed, setting);
  if (kinds.size() > kMostKinds) return "";
  std::vector<std::vector<std::string>> rows = {
      {"one layer like", "becomes like", "parameters", "KV cache", "state", "forward", "prefill", "decode step"}};
  const auto named = [](const Kind& kind) {
    return kind.index ? fmt::format("{} ({})", *kind.index, kind.mixer) : fmt::format("a default {}", kind.mixer);
  };
  for_each_replacement(kinds, [&](const Kind& from, const Kind& to) {
    const LayerCost& a = from.cost;
    const LayerCost& b = to.cost;
    const auto change = [&](auto member, std::string_view unit) {
      return change_text(static_cast<double>(b.*member - a.*member), unit);
    };
    rows.push_back({named(from), named(to), change(&LayerCost::parameters, "parameters"),
                    change(&LayerCost::kv_cache_bytes, "bytes"), change(&LayerCost::state_bytes, "bytes"),
                    change(&LayerCost::forward_flops, "flops"), change_text(b.prefill.value - a.prefill.value, "s"),
                    change_text(b.decode_step.value - a.decode_step.value, "s")});
  });
  return fmt::format("\nIf one layer changed\n{}", format_table(rows, {2, 3, 4, 5, 6, 7}));
}

spec::OrderedJson replacements_json(const CostedModel& costed, const CostSetting& setting) {
  spec::OrderedJson out = spec::OrderedJson::array();
  for_each_replacement(kinds_of(costed, setting), [&](const Kind& from, const Kind& to) {
    const LayerCost& a = from.cost;
    const LayerCost& b = to.cost;
    out.push_back({{"layer", *from.index},
                   {"becomes_layer", json_or_null(to.index)},
                   {"becomes_mixer", to.mixer},
                   {"parameters", b.parameters - a.parameters},
                   {"kv_cache_bytes", b.kv_cache_bytes - a.kv_cache_bytes},
                   {"state_bytes", b.state_bytes - a.state_bytes},
                   {"forward_flops", b.forward_flops - a.forward_flops},
                   {"prefill_s", b.prefill.value - a.prefill.value},
                   {"decode_step_s", b.decode_step.value - a.decode_step.value}});
  });
  return out;
}

/// Calls `visit(layer, phase, op, timeline)` for the operators of every kind of layer; `timeline` ran that one alone.
template <class Visit>
void for_each_operator(const CostedModel& costed, const CostSetting& setting, Visit visit) {
  using costmodel::Phase;
  const spec::ModelSpec& model = costed.named.model;
  for (const std::size_t i : distinct_layers(model.layout)) {
    for (const auto& [phase, name] : {std::pair{Phase::prefill, "prefill"}, std::pair{Phase::decode, "decode"}}) {
      for (const costmodel::Op& op : costmodel::layer_ops(model.layout.layers[i], model, setting.workload, phase, {})) {
        costmodel::Timeline timeline;
        timeline.add(op, setting.hardware, costmodel::arithmetic_type(op, model));
        visit(i, std::string_view(name), op, timeline);
      }
    }
  }
}

spec::OrderedJson operators_json(const CostedModel& costed, const CostSetting& setting) {
  spec::OrderedJson out = spec::OrderedJson::array();
  for_each_operator(costed, setting,
                    [&](std::size_t layer, std::string_view phase, const costmodel::Op& op, const auto& timeline) {
                      out.push_back({{"layer", layer},
                                     {"phase", phase},
                                     {"class", costmodel::op_kind_name(op.kind)},
                                     {"flops", op.flops},
                                     {"bytes", op.bytes},
                                     {"launches", op.kernels(setting.hardware.unfused)},
                                     {"seconds", estimate_json(timeline.time())},
                                     {"bound", search::name_of(timeline.bound())}});
                    });
  return out;
}

struct SweepQuantity {
  std::string_view name;
  std::string_view label;
  std::string_view unit;
  double (*of)(const CostReport&);
};
constexpr SweepQuantity kSweepQuantities[] = {
    {"decode_step_s", "decode step", "s", [](const CostReport& c) { return c.decode_step.value; }},
    {"prefill_s", "prefill", "s", [](const CostReport& c) { return c.prefill.value; }},
    {"cache_bytes", "KV cache and states", "bytes",
     [](const CostReport& c) { return static_cast<double>(c.kv_cache_bytes + c.state_bytes); }},
    {"decode_energy_j", "energy of a decode step", "J", [](const CostReport& c) { return c.decode_energy.value; }},
};

}  // namespace

CostedModel cost_of(const app::NamedModel& named, const CostSetting& setting) {
  const auto& [hardware, workload, parallelism, training, speculation] = setting;
  spec::Problems problems;
  costmodel::validate(parallelism, named.model, "parallelism", problems);
  if (problems.empty()) costmodel::validate(training, parallelism, named.model, workload, "training", problems);
  if (speculation) costmodel::validate(*speculation, "speculation", problems);
  problems.throw_if_any();
  CostedModel costed{named,
                     costmodel::cost_report(named.model, workload, hardware),
                     costmodel::training_memory(named.model, workload, parallelism, training),
                     costmodel::serving_memory(named.model, workload, parallelism),
                     costmodel::largest_batch(named.model, workload, parallelism, hardware),
                     costmodel::training_time(named.model, workload, parallelism, training, hardware),
                     costmodel::serving_time(named.model, workload, parallelism, hardware)};
  if (const auto draft = costmodel::recurrent_draft(named.model); draft && speculation) {
    costed.speculative = costmodel::speculative_cost(named.model, *draft, workload, *speculation, hardware);
  }
  return costed;
}

spec::OrderedJson cost_json(const CostedModel& costed, const CostSetting& setting) {
  const CostReport& report = costed.report;
  const auto& layers = costed.named.model.layout.layers;
  const spec::Workload& workload = setting.workload;
  spec::OrderedJson out;
  out["model"] = costed.named.model.name;
  out["layout"] = costed.named.notation;
  out["hardware"] = setting.hardware.name;
  out["workload"] = {{"context", workload.context}, {"batch", workload.batch}};
  out["parameters"] = {{"total", report.parameters.total},
                       {"active", report.parameters.active},
                       {"embedding", report.parameters.embedding}};
  out["memory"] = {{"weights_bytes", report.weights_bytes},
                   {"kv_cache_bytes", report.kv_cache_bytes},
                   {"state_bytes", report.state_bytes}};
  out["flops"] = {{"forward", report.forward_flops},
                  {"training", report.training_flops},
                  {"training_megatron_compatible", json_or_null(megatron_flops(costed, workload))},
                  {"mixers_recurrent", recurrent_flops(costed, workload)},
                  {"decode_per_token", report.decode_flops_per_token}};
  out["traffic"] = {{"prefill_bytes", report.prefill_hbm_bytes}, {"decode_step_bytes", report.decode_hbm_bytes}};
  out["time"] = {{"prefill_s", estimate_json(report.prefill)}, {"decode_step_s", estimate_json(report.decode_step)}};
  if (setting.hardware.power_w.value > 0) {
    out["energy"] = {{"prefill_j", estimate_json(report.prefill_energy)},
                     {"decode_step_j", estimate_json(report.decode_energy)}};
  }
  if (costed.speculative) out["speculative"] = speculative_json(*costed.speculative, *setting.speculation);
  out["per_device"] = device_json(costed, setting);
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
                             {"prefill_bytes", layer.prefill_hbm_bytes},
                             {"decode_step_bytes", layer.decode_hbm_bytes},
                             {"prefill_s", estimate_json(layer.prefill)},
                             {"decode_step_s", estimate_json(layer.decode_step)},
                             {"prefill_bound", search::name_of(layer.prefill_bound)},
                             {"decode_bound", search::name_of(layer.decode_bound)}});
  }
  out["operators"] = operators_json(costed, setting);
  out["if_one_layer_changed"] = replacements_json(costed, setting);
  return out;
}

std::string cost_text(const CostedModel& costed, const CostSetting& setting) {
  return format_rows(totals(costed, setting)) + '\n' + device_title(setting) + '\n' +
         format_rows(device_rows(costed, setting)) + '\n' + layer_table(costed) + replacement_table(costed, setting);
}

std::string operator_text(const CostedModel& costed, const CostSetting& setting) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "mixer", "phase", "class", "work", "traffic", "launches", "time", "bound by"}};
  for_each_operator(
      costed, setting, [&](std::size_t layer, std::string_view phase, const costmodel::Op& op, const auto& timeline) {
        const auto& mixer = costed.named.model.layout.layers[layer].mixer;
        rows.push_back({fmt::format("{}", layer), std::string(spec::mixer_info(mixer).name), std::string(phase),
                        std::string(costmodel::op_kind_name(op.kind)), format_value(op.flops, "flops"),
                        format_value(op.bytes, "bytes"), fmt::format("{}", op.kernels(setting.hardware.unfused)),
                        format_value(timeline.time().value, "s"), std::string(search::name_of(timeline.bound()))});
      });
  return fmt::format("\nOperators of each kind of layer, in order\n{}", format_table(rows, {0, 4, 5, 6, 7}));
}

std::string comparison_text(const std::vector<CostedModel>& costed, const CostSetting& setting) {
  const auto side_by_side = [&](auto rows_of) {
    std::vector<std::vector<std::string>> table;
    for (const CostedModel& model : costed) {
      const Rows rows = rows_of(model, setting);
      table.resize(rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (table[i].empty()) table[i].push_back(rows[i].first);
        table[i].push_back(rows[i].second);
      }
    }
    return format_table(table);
  };
  return side_by_side(totals) + '\n' + device_title(setting) + '\n' + side_by_side(device_rows);
}

std::string sweep_text(const std::vector<CostedModel>& costed, const std::vector<spec::Dim>& contexts) {
  std::vector<std::vector<std::string>> rows = {
      {"context", "KV cache", "states", "decode", "prefill", "decode step", "largest batch"}};
  for (std::size_t i = 0; i < contexts.size(); ++i) {
    const CostReport& report = costed[i].report;
    rows.push_back({spec::format_size(contexts[i]), bytes_text(report.kv_cache_bytes), bytes_text(report.state_bytes),
                    flops_text(report.decode_flops_per_token), format_value(report.prefill.value, "s"),
                    format_value(report.decode_step.value, "s"), fmt::format("{}", costed[i].largest_batch)});
  }
  return format_table(rows, {0, 1, 2, 3, 4, 5, 6});
}

report::LineChart roofline_chart(const CostedModel& costed, const CostSetting& setting) {
  const spec::ModelSpec& model = costed.named.model;
  const spec::Layout& layout = model.layout;
  const double peak = setting.hardware.peak(model.dtype);
  const double bandwidth = setting.hardware.bandwidth_bytes_per_s.value;
  report::LineChart chart{
      .title = fmt::format("{}: layers under the roofs of {}", costed.named.notation, setting.hardware.label),
      .subtitle = fmt::format("{}, context {}, batch {}", model.name, spec::format_size(setting.workload.context),
                              setting.workload.batch),
      .x = {.label = "arithmetic intensity, FLOP per byte", .log = true},
      .y = {.label = "attained", .unit = "flops/s", .log = true},
      .lines = {}};
  double low = peak / bandwidth / 16;
  double high = peak / bandwidth * 16;
  std::vector<report::LineChart::Line> points;
  std::size_t group = 1;
  const auto add = [&](std::size_t i, std::string_view phase, double flops, std::int64_t bytes, double seconds,
                       costmodel::Bound bound) {
    if (flops <= 0 || bytes <= 0) return;
    const double intensity = flops / static_cast<double>(bytes);
    low = std::min(low, intensity / 2);
    high = std::max(high, intensity * 2);
    points.push_back({.label = fmt::format("layer {} {}, {} ({})", i, spec::mixer_info(layout.layers[i].mixer).label,
                                           phase, search::name_of(bound)),
                      .points = {{intensity, flops / seconds}},
                      .group = group++});
  };
  for (const std::size_t i : distinct_layers(layout)) {
    const LayerCost& cost = costed.report.layers[i];
    add(i, "prefill", static_cast<double>(cost.forward_flops), cost.prefill_hbm_bytes, cost.prefill.value,
        cost.prefill_bound);
    add(i, "decode", static_cast<double>(cost.decode_flops_per_token) * static_cast<double>(setting.workload.batch),
        cost.decode_hbm_bytes, cost.decode_step.value, cost.decode_bound);
  }
  chart.lines.push_back(
      {.label = fmt::format("{} GB/s and {}", report::format_number(bandwidth / 1e9), format_value(peak, "flops/s")),
       .points = {{low, low * bandwidth}, {peak / bandwidth, peak}, {high, peak}},
       .group = 0});
  chart.lines.insert(chart.lines.end(), points.begin(), points.end());
  chart.notes = {
      "Roofs: main-memory bandwidth and dense peak of the data sheet. Points: counted work over estimated time."};
  return chart;
}

std::vector<std::string> sweep_quantities() {
  std::vector<std::string> names;
  for (const SweepQuantity& quantity : kSweepQuantities) names.emplace_back(quantity.name);
  return names;
}

report::LineChart sweep_chart(const std::vector<std::vector<CostedModel>>& sweeps,
                              const std::vector<spec::Dim>& contexts, const std::string& quantity,
                              const CostSetting& setting) {
  const auto* chosen = std::ranges::find(kSweepQuantities, quantity, &SweepQuantity::name);
  report::LineChart chart{.title = fmt::format("{} against context", chosen->label),
                          .subtitle = fmt::format("{} on {}, batch {}", sweeps.front().front().named.model.name,
                                                  setting.hardware.label, setting.workload.batch),
                          .x = {.label = "context", .unit = "tokens", .log = true},
                          .y = {.label = std::string(chosen->label), .unit = std::string(chosen->unit), .log = true},
                          .lines = {}};
  for (std::size_t i = 0; i < sweeps.size(); ++i) {
    report::LineChart::Line line{.label = sweeps[i].front().named.notation, .points = {}, .group = i};
    for (std::size_t k = 0; k < contexts.size(); ++k) {
      line.points.push_back({static_cast<double>(contexts[k]), chosen->of(sweeps[i][k].report)});
    }
    chart.lines.push_back(std::move(line));
  }
  return chart;
}

}  // namespace plait::cli
