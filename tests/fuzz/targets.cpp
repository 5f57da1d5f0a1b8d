#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "search/trial.h"
#include "src/spec/json_reader.h"
#include "tests/fuzz/target.h"

namespace plait::fuzz {
namespace {

namespace fs = std::filesystem;

/// All JSON files of one folder of the source tree, sorted.
std::vector<std::string> files(const char* folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(fs::path(PLAIT_SOURCE_DIR) / folder)) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  std::vector<std::string> texts;
  for (const fs::path& path : paths) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    texts.push_back(text.str());
  }
  require(!texts.empty(), "a folder of seeds has seeds");
  return texts;
}

std::vector<std::string> layout_seeds() {
  return {"*",        "GGG*",   "(GGG*)x6",  "M-M-*-ME",    "[*M]x4",   "(G(S*)x2)x3G",
          "**@0G*@0", "GG=0*+", "RLhHdGKXN", "S x 4 * x 2", "[GS*]-*E", "((G)x2*)x16"};
}

std::vector<std::string> example_seeds(bool study) {
  std::vector<std::string> seeds;
  for (std::string& text : files("examples")) {
    if (spec::Json::parse(text).contains("space") == study) seeds.push_back(std::move(text));
  }
  return seeds;
}

std::vector<std::string> model_seeds() {
  std::vector<std::string> seeds = example_seeds(false);
  seeds.push_back(R"({"d_model": 64, "vocab_size": 100, "channel_mixer": {"type": "moe", "experts": 4, "active": 2},
    "layers": [{"mixer": {"type": "full_attention", "heads": 4, "head_dim": 16}}, {"mixer": "mamba2", "channel_mixer": "none"},
    {"mixer": {"type": "full_attention", "heads": 4, "head_dim": 16}, "kv_from": 0},
    {"mixer": {"type": "parallel", "branches": ["mlstm", {"type": "sliding_window_attention", "window": 8}]}}]})");
  seeds.push_back(
      R"({"format": "plait-model/1", "d_model": 48, "norm": "layer", "tied_embeddings": true, "kv_dtype": "fp8",
    "dense": {"type": "mlp", "width": 96}, "mixers": {"S": {"type": "sliding_window_attention", "window": 16}, "K3": "gla"},
    "layout": "(SS*-)x2K3EhHdR"})");
  return seeds;
}

/// The examples, and small studies that the target also searches.
std::vector<std::string> study_seeds() {
  std::vector<std::string> seeds = example_seeds(true);
  spec::Json small = spec::Json::parse(R"({"model": {"d_model": 64, "vocab_size": 100}, "hardware": "laptop",
    "workload": {"context": "4k", "batch": 2}, "workloads": {"long": {"context": "1M"}}, "budget": 20, "batch": 8,
    "space": {"slots": 6, "candidates": ["G", "*", "S"], "rules": [{"at_most": 3, "of": ["*"]}, {"not_first": ["*"]}]},
    "objectives": ["recall", "kv_cache_bytes"], "constraints": [{"metric": "parameters", "max": 1e12}],
    "baselines": [{"name": "all full", "layout": "*x6"}]})");
  for (const char* strategy : {"exact_front", "hull_greedy", "enumerate", "nsga2", "random", "greedy"}) {
    small["strategy"] = strategy;
    seeds.push_back(small.dump());
  }
  small["space"] = spec::Json::parse(R"({"slots": [{"count": 2}, {"candidates": ["G"]}, {"count": 3}],
    "candidates": ["G", "H", "*"], "rules": [{"period": 3}, {"at_most_kinds": 1, "of": ["G", "H"]},
    {"max_gap": 4, "of": ["*"]}, {"at_least": 1, "of": ["*"]}, {"not_adjacent": ["*"]}, {"not_last": ["H"]}]})");
  small["objectives"] = {"prefill_s@long", {{"metric", "recall"}, {"direction", "minimize"}}};
  seeds.push_back(small.dump());
  small["space"] = spec::Json::parse(
      R"({"layouts": [{"name": "a", "layout": "GG*"}, {"layout": "MM*"}, {"name": "c", "layout": "(G)x3"}]})");
  seeds.push_back(small.dump());
  return seeds;
}

/// Lines without checksums; the target adds them.
std::vector<std::string> journal_seeds() {
  std::string text = R"({"event":"study","format":"plait-journal/1","study":)" + study_seeds().back() + "}\n";
  search::Trial trial{
      .id = "b0", .name = "base", .path = {}, .layout = "GG*", .outcome = search::Scores{}, .feasible = true};
  const auto add = [&] {
    nlohmann::ordered_json event{{"event", "trial"}};
    event.update(search::to_json(trial));
    text += event.dump() + "\n";
  };
  add();
  trial.id = "0";
  trial.path = {0, 0, 1};
  trial.outcome = search::Scores{{"recall", {0.5, 0.1, search::Source::prior}},
                                 {"kv_cache_bytes", {1e9, {}, search::Source::exact}}};
  add();
  trial.id = "1";
  trial.feasible = false;
  trial.outcome = search::Failure{search::Failure::Kind::diverged, "loss is nan"};
  add();
  return {text};
}

std::vector<std::string> fla_seeds() { return files("tests/golden/fla"); }
std::vector<std::string> hardware_seeds() { return files("costmodel/hardware"); }

}  // namespace

std::span<const Target> targets() {
  static constexpr std::array table{
      Target{"layout", layout, layout_seeds, 4000},    Target{"model", model, model_seeds, 1500},
      Target{"study", study, study_seeds, 1500},       Target{"fla_config", fla_config, fla_seeds, 1500},
      Target{"journal", journal, journal_seeds, 2000}, Target{"hardware", hardware, hardware_seeds, 3000}};
  return table;
}

}  // namespace plait::fuzz
