#include <fmt/format.h>

#include <memory>

#include "costmodel/hardware.h"
#include "search/strategy.h"
#include "src/app/model_source.h"
#include "src/app/presets.h"
#include "src/cli/commands.h"
#include "src/report/number_format.h"
#include "src/spec/model_json.h"

namespace plait::cli {
namespace {

/// A command that prints one table, or the same rows as JSON.
template <class Rows, class Text>
void add_list(CLI::App& app, Context& context, const std::string& name, const std::string& help, Rows rows, Text text) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand(name, help);
  command->add_flag("--json", *json, "print one JSON value");
  command->callback([=, &context] { context.console.print(*json ? rows().dump(2) + "\n" : text()); });
}

std::string_view state_text(spec::StateKind kind) {
  switch (kind) {
    case spec::StateKind::grows: return "grows with the context";
    case spec::StateKind::window: return "capped by a window";
    case spec::StateKind::constant: return "constant";
  }
  return "";
}

constexpr spec::Dim kShownWidth = 2048;

spec::OrderedJson mixer_rows() {
  spec::OrderedJson rows = spec::OrderedJson::array();
  const auto table = spec::mixer_table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    rows.push_back({{"name", table[i].name},
                    {"letter", std::string(1, table[i].letter)},
                    {"label", table[i].label},
                    {"state", state_text(table[i].state)},
                    {"source", table[i].source},
                    {"defaults_at_2048", spec::to_json(spec::default_mixer(i, kShownWidth))}});
  }
  return rows;
}

std::string mixer_text() {
  std::vector<std::vector<std::string>> rows = {{"", "name", "decoding state", "source"}};
  for (const spec::MixerInfo& info : spec::mixer_table()) {
    rows.push_back({std::string(1, info.letter), std::string(info.name), std::string(state_text(info.state)),
                    std::string(info.source)});
  }
  return format_table(rows) +
         "\nThe first column is the letter in layout notation: (GGG*)x6. Dimensions: plait mixers --json\n";
}

std::string peak_text(const costmodel::HardwareProfile& profile) {
  return report::format_value(profile.peak(spec::DType::bf16), "flops/s");
}

spec::OrderedJson hardware_rows() {
  spec::OrderedJson rows = spec::OrderedJson::array();
  for (const std::string& name : costmodel::hardware_names()) {
    const costmodel::HardwareProfile profile = costmodel::find_hardware(name);
    rows.push_back({{"name", profile.name},
                    {"label", profile.label},
                    {"kind", search::name_of(profile.kind)},
                    {"bf16_flops_per_s", profile.peak(spec::DType::bf16)},
                    {"bandwidth_bytes_per_s", profile.bandwidth_bytes_per_s.value},
                    {"memory_bytes", profile.memory_bytes.value},
                    {"calibration", profile.calibration}});
  }
  return rows;
}

std::string hardware_text() {
  std::vector<std::vector<std::string>> rows = {{"name", "", "bf16 dense", "bandwidth", "memory"}};
  for (const std::string& name : costmodel::hardware_names()) {
    const costmodel::HardwareProfile profile = costmodel::find_hardware(name);
    rows.push_back({profile.name, profile.label, peak_text(profile),
                    report::format_number(profile.bandwidth_bytes_per_s.value / 1e9) + " GB/s",
                    report::format_value(profile.memory_bytes.value, "bytes")});
  }
  return format_table(rows, {2, 3, 4}) +
         "\nplait hardware NAME prints one with its sources; your own: --hardware FILE.json\n";
}

/// Everything that one profile says, each number with its source.
std::string profile_text(const costmodel::HardwareProfile& p) {
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](std::string name, std::string value, std::string_view source) {
    rows.push_back({std::move(name), std::move(value), std::string(source)});
  };
  const auto rate = [](double bytes_per_s) { return report::format_number(bytes_per_s / 1e9) + " GB/s"; };
  for (const auto& [type, name] : enum_names(spec::DType{})) {
    const auto i = static_cast<std::size_t>(type);
    if (const auto& peak = p.peak_flops_per_s[i]) {
      add(fmt::format("{} dense", name), report::format_value(peak->value, "flops/s"), peak->source);
    }
    if (const auto& peak = p.sparse_peak_flops_per_s[i]) {
      add(fmt::format("{} sparse", name), report::format_value(peak->value, "flops/s"), peak->source);
    }
  }
  add("bandwidth", rate(p.bandwidth_bytes_per_s.value), p.bandwidth_bytes_per_s.source);
  add("memory", report::format_value(p.memory_bytes.value, "bytes"), p.memory_bytes.source);
  if (p.l2_bytes.value > 0) add("last-level cache", report::format_value(p.l2_bytes.value, "bytes"), p.l2_bytes.source);
  add("compute units", report::format_number(p.compute_units.value), p.compute_units.source);
  if (p.power_w.value > 0) add("power limit", report::format_number(p.power_w.value) + " W", p.power_w.source);
  if (p.links) {
    add("link in a node", rate(p.links->node_bytes_per_s.value), p.links->node_bytes_per_s.source);
    add("devices of a node", report::format_number(p.links->node_devices.value), p.links->node_devices.source);
    add("network per device", rate(p.links->network_bytes_per_s.value), p.links->network_bytes_per_s.source);
  }
  std::vector<std::vector<std::string>> classes = {{"class", "compute", "bandwidth", "latency", "error", "source"}};
  const auto add_class = [&](std::string name, const costmodel::OpClass& c) {
    classes.push_back({std::move(name), fmt::format("{:g}", c.compute_efficiency),
                       fmt::format("{:g}", c.bandwidth_efficiency), report::format_value(c.latency_s, "s"),
                       fmt::format("{:.0f} %", 100 * c.relative_error), c.source});
  };
  for (std::size_t i = 0; i < costmodel::kOpKinds; ++i) {
    const auto kind = static_cast<costmodel::OpKind>(i);
    if (is_collective(kind) && !p.links) continue;
    add_class(std::string(op_kind_name(kind)), p.op_class(kind));
  }
  for (const costmodel::Backend& backend : p.other_backends) {
    add_class(fmt::format("linear_prefill, --backend {}", backend.name), backend.linear_prefill);
  }
  return fmt::format("{} ({})\n\n{}\n{}\n{}\n", p.label, p.name, format_table(rows, {1}),
                     format_table(classes, {1, 2, 3, 4}), p.calibration.empty() ? "Not calibrated." : p.calibration);
}

spec::OrderedJson strategy_rows() {
  spec::OrderedJson rows = spec::OrderedJson::array();
  for (const search::StrategyInfo& info : search::strategy_table()) {
    rows.push_back({{"name", info.name}, {"summary", info.summary}});
  }
  return rows;
}

std::string strategy_text() {
  std::vector<std::vector<std::string>> rows;
  for (const search::StrategyInfo& info : search::strategy_table()) {
    rows.push_back({std::string(info.name), std::string(info.summary)});
  }
  return format_table(rows);
}

spec::OrderedJson preset_rows() {
  spec::OrderedJson rows = spec::OrderedJson::array();
  for (const std::string& id : app::preset_ids()) {
    const app::Preset preset = app::find_preset(id).value();
    rows.push_back({{"name", id},
                    {"model", preset.model.name},
                    {"layout", app::notation_of(preset.model.layout)},
                    {"source", preset.source}});
  }
  return rows;
}

std::string preset_text() {
  std::vector<std::vector<std::string>> rows = {{"name", "model", "layers", "full", "layout"}};
  for (const std::string& id : app::preset_ids()) {
    const app::Preset preset = app::find_preset(id).value();
    const spec::Layout& layout = preset.model.layout;
    rows.push_back({id, preset.model.name, fmt::format("{}", layout.size()),
                    fmt::format("{}", spec::count_full(layout)), app::notation_of(layout)});
  }
  return format_table(rows, {2, 3}) +
         "\nA name stands for the model wherever one is asked for: plait cost qwen3_5_9b\n";
}

}  // namespace

void add_presets(CLI::App& app, Context& context) {
  add_list(app, context, "presets", "published hybrid models that commands take by name", preset_rows, preset_text);
}

void add_mixers(CLI::App& app, Context& context) {
  add_list(app, context, "mixers", "the token mixers: letter, state, source, default dimensions", mixer_rows,
           mixer_text);
}

void add_hardware(CLI::App& app, Context& context) {
  const auto what = std::make_shared<std::string>();
  const auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("hardware", "the built-in hardware profiles, or all of one");
  command->add_option("PROFILE", *what, "a built-in name, or a file of your own, which is checked");
  command->add_flag("--json", *json, "print one JSON value");
  command->footer(
      "A file of your own needs peaks, bandwidth, memory and compute units, each with a source; "
      "costmodel/hardware.schema.json\nis its schema. plait hardware h100_sxm --json prints one to begin with.");
  command->callback([what, json, &context] {
    if (what->empty()) {
      context.console.print(*json ? hardware_rows().dump(2) + "\n" : hardware_text());
      return;
    }
    const costmodel::HardwareProfile profile = app::read_hardware(*what);
    context.console.print(*json ? app::hardware_json(*what).dump(2) + "\n" : profile_text(profile));
  });
}

void add_strategies(CLI::App& app, Context& context) {
  add_list(app, context, "strategies", "the search strategies", strategy_rows, strategy_text);
}

}  // namespace plait::cli
