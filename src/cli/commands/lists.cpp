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
         "\nSources and calibration: costmodel/hardware/*.json; your own: --hardware FILE.json\n";
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
  add_list(app, context, "hardware", "the built-in hardware profiles", hardware_rows, hardware_text);
}

void add_strategies(CLI::App& app, Context& context) {
  add_list(app, context, "strategies", "the search strategies", strategy_rows, strategy_text);
}

}  // namespace plait::cli
