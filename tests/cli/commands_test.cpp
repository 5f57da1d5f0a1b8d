#include <gmock/gmock.h>

#include <cstdint>
#include <map>

#include "tests/cli/program.h"

namespace plait::testing {
namespace {

using ::testing::HasSubstr;

TEST(HelpTest, EveryCommandExplainsItself) {
  const Result help = run_plait("--help");
  EXPECT_EQ(help.exit_code, 0);
  for (const char* command : {"search", "show", "cost", "measure", "calibrate", "validation", "export", "import",
                              "validate", "mixers", "hardware", "strategies", "prior", "doctor", "proxy", "tasks",
                              "reproduce", "export-weights", "import-weights"}) {
    EXPECT_THAT(help.out, HasSubstr(command));
    const Result result = run_plait(std::string(command) + " --help");
    EXPECT_EQ(result.exit_code, 0) << command;
    EXPECT_THAT(result.out, HasSubstr("Options:")) << command;
  }
}

TEST(UsageTest, MistakesExitWithTwoAndSayWhat) {
  for (const auto& [arguments, words] : std::vector<std::pair<std::string, std::string>>{
           {"", "subcommand"},
           {"serch x", "serch"},
           {"search", "STUDY"},
           {"search examples/quickstart.json --seed x", "--seed"},
           {"search examples/quickstart.json --resume", "--out"},
           {"cost '(GGG*)x6'", "--model"},
           {"cost nowhere.json", "no such file"},
           {"cost '(GGQ*)x6' --model examples/model-1b.json", "layout:4: unknown mixer 'Q'"},
           {"cost examples/model-1b.json --hardware h101", "h101"},
           {"cost qwen3_5_27b --tp 4 --pp 3 --batch 8", "parallelism.pipeline: the number of layers (64)"},
           {"cost qwen3_5_27b --interleave 2 --batch 8", "training.interleave: is 2, but there is one pipeline stage"},
           {"hardware h101", "did you mean \"h100\"?"},
           {"measure --device cpu", "--hardware"},
           {"measure --hardware laptop --op gem", "--op"},
           {"cost examples/model-1b.json --context 3x", "--context: \"3x\" is not a size"},
           {"cost examples/model-1b.json --sweep context=2M..1k", "--sweep"},
           {"export examples/model-1b.json --to vllm --out /tmp/x", "unknown target \"vllm\"; one of"},
           {"export examples/model-1b.json", "--to TARGET"},
           {"search examples/quickstart.json --proxy huge", "--proxy"},
           {"proxy", "WHAT"},
           {"proxy GGGG --model examples/model-1b.json --seeds 0", "--seeds"},
           {"reproduce recall_memry", "did you mean \"recall_memory\"?"},
       }) {
    const Result result = run_plait(arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments;
    EXPECT_THAT(result.err + result.out, HasSubstr(words)) << arguments;
  }
}

TEST(CostTest, JsonHoldsTheContract) {
  const Result result = run_plait("cost '(GG*)x8' --model examples/model-1b.json --context 4k --batch 2 --json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const nlohmann::json json = result.json();
  EXPECT_EQ(json["layout"], "(GG*)x8");
  EXPECT_EQ(json["hardware"], "h100_sxm");
  EXPECT_EQ(json["workload"], nlohmann::json::parse(R"({"context": 4096, "batch": 2})"));
  // arXiv 2507.06457's 1.3B Gated DeltaNet with 8 full layers of 32 heads, built with fla 0.6.0.
  EXPECT_EQ(json["parameters"]["total"], 1432328448);
  EXPECT_EQ(json["parameters"]["embedding"], 2 * 32000 * 2048);
  // 8 layers x 2 x 2048 channels x 2 bytes x 4096 tokens x 2 sequences.
  EXPECT_EQ(json["memory"]["kv_cache_bytes"], std::int64_t{8} * 2 * 2048 * 2 * 4096 * 2);
  EXPECT_EQ(json["flops"]["training"], 3 * json["flops"]["forward"].get<std::int64_t>());
  for (const char* time : {"prefill_s", "decode_step_s"}) {
    const auto& estimate = json["time"][time];
    EXPECT_LT(0.0, estimate["low"]) << time;
    EXPECT_LT(estimate["low"], estimate["value"]) << time;
    EXPECT_LT(estimate["value"], estimate["high"]) << time;
  }
  ASSERT_EQ(json["layers"].size(), 24u);
  EXPECT_EQ(json["layers"][2]["mixer"], "full_attention");
  EXPECT_EQ(json["layers"][0]["channel_mixer"], "swiglu");
  std::int64_t kv = 0;
  for (const auto& layer : json["layers"]) kv += layer["kv_cache_bytes"].get<std::int64_t>();
  EXPECT_EQ(kv, json["memory"]["kv_cache_bytes"]);
}

TEST(CostTest, ComparesAndSweeps) {
  const Result compared = run_plait("cost 'Gx24' --model examples/model-1b.json --compare '*x24' --json");
  ASSERT_EQ(compared.exit_code, 0) << compared.err;
  EXPECT_EQ(compared.json()["memory"]["kv_cache_bytes"], 0);
  EXPECT_GT(compared.json()["compared_with"]["memory"]["kv_cache_bytes"], 0);
  const Result sweep = run_plait("cost '(GG*)x8' --model examples/model-1b.json --sweep context=1k..2M --json");
  ASSERT_EQ(sweep.exit_code, 0) << sweep.err;
  ASSERT_EQ(sweep.json().size(), 12u);
  EXPECT_EQ(sweep.json()[11]["workload"]["context"], 2 << 20);
}

TEST(CostTest, CountsAsMegatronDoesWhereMegatronHasAFormula) {
  const Result qwen = run_plait("cost qwen3_5_27b --context 8k --json");
  ASSERT_EQ(qwen.exit_code, 0) << qwen.err;
  EXPECT_EQ(qwen.json()["flops"]["training_megatron_compatible"], 1306471069384704);
  const Result retnet = run_plait("cost 'R*' --model examples/model-1b.json --json");
  EXPECT_TRUE(retnet.json()["flops"]["training_megatron_compatible"].is_null());
}

TEST(CostTest, SpreadsAModelOverDevices) {
  const Result one = run_plait("cost qwen3_5_27b --batch 16 --context 8k --json");
  const Result many =
      run_plait("cost qwen3_5_27b --batch 16 --context 8k --tp 4 --pp 4 --dp 2 --recompute none --json");
  ASSERT_EQ(many.exit_code, 0) << many.err;
  EXPECT_EQ(many.json()["parameters"], one.json()["parameters"]) << "counts of the model stay";
  EXPECT_EQ(many.json()["per_device"]["devices"], 32);
  for (const char* use : {"training", "serving"}) {
    EXPECT_LT(many.json()["per_device"][use]["total_bytes"], one.json()["per_device"][use]["total_bytes"]);
  }
  EXPECT_GT(many.json()["per_device"]["serving"]["largest_batch"], 0);
  const Result wrong = run_plait("cost qwen3_5_27b --tp 5 --dp 3");
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("parallelism.tensor: layer 0 (gated_delta_net): heads (16) is not divisible by"));
}

TEST(CostTest, DrawsRoofsAndSweeps) {
  const ScratchFolder scratch;
  const std::string svg = (scratch / "a.svg").string();
  for (const char* arguments : {"", " --sweep context=1k..64k --y cache_bytes"}) {
    const Result result =
        run_plait("cost 'GGG*' --model examples/model-1b.json --compare '****' --svg " + svg + arguments);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(read_file(svg), ::testing::StartsWith("<svg"));
  }
}

TEST(CostTest, DraftsWithTheRecurrentLayers) {
  const Result result = run_plait("cost qwen3_5_27b --context 128k --draft 2 --acceptance 0.68 --json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NEAR(result.json()["speculative"]["tokens_per_round"], 1 + 0.68 + 0.68 * 0.68, 1e-9);
  EXPECT_GT(result.json()["speculative"]["speedup"], 0.5);
  EXPECT_EQ(run_plait("cost qwen3_5_27b --draft 2 --acceptance 2").exit_code, 2);
  EXPECT_THAT(run_plait("cost '*x4' --model examples/model-1b.json --draft 2").out, HasSubstr("not possible"));
}

TEST(CostTest, TakesTheBackendAndTheHostIntoAccount) {
  const auto prefill = [](const char* options) {
    const Result result = run_plait(std::string("cost Gx24 --model examples/model-1b.json --json ") + options);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.json()["time"]["prefill_s"]["value"].get<double>();
  };
  EXPECT_GT(prefill("--backend fla"), prefill(""));
  EXPECT_EQ(prefill("--backend flashinfer"), prefill(""));
  EXPECT_GT(prefill("--unfused"), prefill(""));
  const Result wrong = run_plait("cost Gx24 --model examples/model-1b.json --backend flashqla");
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("has not been measured on h100_sxm"));
}

TEST(CostTest, GivesTrainingAndServingTimesOnSeveralDevices) {
  const auto json = run_plait("cost qwen3_5_27b --tp 4 --pp 4 --dp 2 --batch 16 --context 8k --json").json();
  const auto& training = json["per_device"]["training"];
  const double step = training["step_s"]["value"];
  EXPECT_NEAR(training["tokens_per_s_per_device"]["value"].get<double>() * step * 32, 16 * 8192, 1);
  EXPECT_GT(training["bubble_share"], 0.2);
  EXPECT_GT(training["step_s"]["high"], step);
  EXPECT_LT(json["per_device"]["serving"]["decode_step_s"]["value"], json["time"]["decode_step_s"]["value"]);
  EXPECT_GT(json["per_device"]["serving"]["decode_communication_s"]["value"], 0);

  const Result laptop = run_plait("cost qwen3_5_9b --hardware laptop --tp 2");
  EXPECT_EQ(laptop.exit_code, 0);
  EXPECT_THAT(laptop.out, HasSubstr("not known: the profile laptop_cpu has no links"));
}

TEST(CostTest, OperatorsOfALayerAddUpToItsTimes) {
  const auto json = run_plait("cost '(GGG*)x6' --model examples/model-1b.json --json").json();
  std::map<std::pair<std::size_t, std::string>, double> seconds;
  for (const auto& op : json["operators"]) {
    seconds[{op["layer"], op["phase"]}] += op["seconds"]["value"].get<double>();
  }
  EXPECT_EQ(seconds.size(), 4u);
  for (const auto& [of, sum] : seconds) {
    const auto& layer = json["layers"][of.first];
    EXPECT_EQ(sum, layer[of.second == "prefill" ? "prefill_s" : "decode_step_s"]["value"].get<double>());
  }
  EXPECT_THAT(run_plait("cost Gx4 --model examples/model-1b.json --operators").out, HasSubstr("state_decode"));
}

TEST(CostTest, SaysWhatOneLayerLessOfAKindChanges) {
  const auto json = run_plait("cost '(GGG*)x6' --model examples/model-1b.json --json").json();
  const auto fewer = run_plait("cost '(GGG*)x5GGGG' --model examples/model-1b.json --json").json();
  for (const auto& change : json["if_one_layer_changed"]) {
    if (change["becomes_mixer"] != "gated_delta_net") continue;
    EXPECT_EQ(change["parameters"].get<std::int64_t>(),
              fewer["parameters"]["total"].get<std::int64_t>() - json["parameters"]["total"].get<std::int64_t>());
    EXPECT_NEAR(
        change["decode_step_s"].get<double>(),
        fewer["time"]["decode_step_s"]["value"].get<double>() - json["time"]["decode_step_s"]["value"].get<double>(),
        1e-12);
  }
  EXPECT_EQ(json["if_one_layer_changed"].size(), 2u);
  EXPECT_EQ(run_plait("cost '*x24' --model examples/model-1b.json --json").json()["if_one_layer_changed"].size(), 1u);
}

TEST(HardwareTest, PrintsOneProfileAndChecksAFile) {
  const Result text = run_plait("hardware h100");
  EXPECT_THAT(text.out, HasSubstr("NVLink 4"));
  EXPECT_THAT(text.out, HasSubstr("node_collective"));
  const ScratchFolder scratch;
  const std::string file = (scratch / "mine.json").string();
  nlohmann::json mine = run_plait("hardware h100 --json").json();
  std::ofstream(file) << mine;
  EXPECT_EQ(run_plait("hardware " + file).exit_code, 0);
  mine["links"]["node_devices"]["value"] = 0;
  std::ofstream(file) << mine;
  const Result wrong = run_plait("hardware " + file);
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("links.node_devices.value"));
}

TEST(CalibrateTest, FitsAProfileThatCostReads) {
  const ScratchFolder scratch;
  const std::string out = (scratch / "mine.json").string();
  const Result fit = run_plait("calibrate costmodel/measurements/operators.csv --hardware h100 --out " + out);
  ASSERT_EQ(fit.exit_code, 0) << fit.err;
  EXPECT_THAT(fit.out, HasSubstr("left one out"));
  EXPECT_EQ(run_plait("validate " + out).exit_code, 0);
  EXPECT_EQ(run_plait("cost qwen3_5_9b --hardware " + out).exit_code, 0);
  const Result none = run_plait("calibrate costmodel/measurements/operators.csv --hardware a30");
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("has no row whose hardware is \"a30\""));
}

TEST(ValidationTest, ThePageIsWhatTheProgramWrites) {
  const Result page = run_plait("validation");
  ASSERT_EQ(page.exit_code, 0) << page.err;
  EXPECT_EQ(page.out, read_file(PLAIT_SOURCE_DIR "/costmodel/VALIDATION.md"))
      << "plait validation > costmodel/VALIDATION.md";
}

TEST(CostTest, TakesAPresetByName) {
  const Result result = run_plait("cost qwen3_5_9b --context 128k --json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.json()["parameters"]["total"], 8953803264);
  EXPECT_EQ(result.json()["memory"]["kv_cache_bytes"], 32768LL * 131072);  // 8 layers x 2 x 4 heads x 256 x 2 bytes
}

TEST(ListTest, EveryTableHasAnEntryPerLineAndJson) {
  for (const char* command : {"mixers", "hardware", "strategies", "presets"}) {
    const Result text = run_plait(command);
    const Result json = run_plait(std::string(command) + " --json");
    ASSERT_EQ(json.exit_code, 0) << json.err;
    ASSERT_GE(json.json().size(), 7u) << command;
    for (const auto& row : json.json()) EXPECT_THAT(text.out, HasSubstr(row["name"].get<std::string>()));
  }
}

TEST(PriorTest, PrintsTheFitAndMeetsItsTargets) {
  const Result result = run_plait("prior --json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const auto& check : result.json()["checks"]) EXPECT_TRUE(check["met"]) << check;
  EXPECT_THAT(run_plait("prior").out, HasSubstr("leave-one-out RMSE"));
}

TEST(ImportTest, AFlaConfigBecomesAModelFileThatCostsTheSame) {
  const ScratchFolder scratch;
  std::ofstream(scratch / "config.json")
      << R"({"model_type": "gated_deltanet", "hidden_size": 64, "num_hidden_layers": 4,
    "num_heads": 2, "head_dim": 32, "vocab_size": 256, "attn": {"layers": [3], "num_heads": 4}})";
  const Result imported =
      run_plait("import " + (scratch / "config.json").string() + " --out " + (scratch / "model.json").string());
  ASSERT_EQ(imported.exit_code, 0) << imported.err;
  const Result ours = run_plait("cost " + (scratch / "model.json").string() + " --json");
  const Result foreign = run_plait("cost " + (scratch / "config.json").string() + " --json");
  EXPECT_EQ(ours.json()["parameters"]["total"], 348684);  // built with fla
  EXPECT_EQ(foreign.json()["parameters"], ours.json()["parameters"]);
}

TEST(ExportTest, ListsTargetsWithReasons) {
  const Result result = run_plait("export --list '(GH*)x8' --model examples/model-1b.json --json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.json()[0]["target"], "fla");
  EXPECT_FALSE(result.json()[0]["supported"]);
  EXPECT_FALSE(result.json()[0]["reasons"].empty());
}

TEST(DoctorTest, SaysWhatIsOnAndOff) {
  const Result result = run_plait("doctor");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr("LibTorch"));
}

}  // namespace
}  // namespace plait::testing
