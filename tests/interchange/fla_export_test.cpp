#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "src/interchange/exporter.h"
#include "src/interchange/fla.h"
#include "src/interchange/importer.h"
#include "tests/interchange/fla_models.h"

namespace plait::interchange {
namespace {

using spec::Json;
using spec::LayerSpec;
using spec::ModelSpec;
using testing::ElementsAre;
using testing::HasSubstr;

const Exporter& fla_target() { return *find_exporter("fla"); }

Json config_of(const ModelSpec& model) { return Json::parse(*fla_target().write(model, {}).find("config.json")); }

ModelSpec model_named(std::string_view name) {
  for (const test::NamedModel& row : test::golden_models()) {
    if (row.name == name) return row.model;
  }
  throw std::logic_error("no such golden model");
}

std::vector<std::string> reasons(const ModelSpec& model) {
  const Support support = fla_target().supports(model);
  EXPECT_EQ(support.ok, support.reasons.empty());
  return support.reasons;
}

// Both directions

TEST(FlaRoundTrip, GoldenModelsComeBack) {
  for (const auto& [name, model] : test::golden_models()) {
    ASSERT_THAT(reasons(model), ElementsAre()) << name;
    ImportResult back = import_model(config_of(model), "");
    EXPECT_THAT(back.notes, ElementsAre()) << name;
    back.model.name = model.name;
    EXPECT_EQ(back.model, model) << name;
  }
}

TEST(FlaRoundTrip, EveryModelThatIsTakenComesBack) {
  EXPECT_TRUE(rc::check("import(export(m)) == m", [](std::uint64_t seed) {
    const ModelSpec model = test::random_model(seed);
    spec::Problems problems;
    spec::validate(model, "", problems);
    problems.throw_if_any();
    const Support support = fla_target().supports(model);
    for (const std::string& reason : support.reasons) RC_FAIL(reason);
    ImportResult back = import_model(config_of(model), "");
    RC_ASSERT(back.notes.empty());
    back.model.name = model.name;
    RC_ASSERT(back.model == model);
  }));
}

TEST(FlaExport, WritesConstructorArgumentsOnlyAndAllOfThem) {
  for (const auto& [name, model] : test::golden_models()) {
    const Json config = config_of(model);
    Json arguments = Json(*fla::class_defaults(config["model_type"].get<std::string>()));
    arguments["model_type"] = "";
    for (const auto& [key, value] : config.items()) EXPECT_TRUE(arguments.contains(key)) << name << " " << key;
    EXPECT_EQ(config.size(), arguments.size()) << name;
  }
}

// Set PLAIT_WRITE_GOLDEN to write the files anew; the difference is then reviewed with the change that made it.
TEST(FlaExport, EqualsTheGoldenFiles) {
  for (const auto& [name, model] : test::golden_models()) {
    const std::string file = PLAIT_SOURCE_DIR "/tests/golden/fla/" + name + ".json";
    const std::string content = *fla_target().write(model, {}).find("config.json");
    if (std::getenv("PLAIT_WRITE_GOLDEN")) std::ofstream(file) << content;
    std::ostringstream golden;
    golden << std::ifstream(file).rdbuf();
    EXPECT_EQ(content, golden.str()) << file;
  }
}

TEST(FlaExport, OneKindOfAttentionIsAnObjectTwoAreAList) {
  EXPECT_TRUE(config_of(model_named("gla_hybrid"))["attn"].is_object());
  EXPECT_TRUE(config_of(model_named("retnet_pure"))["attn"].is_null());
  EXPECT_EQ(config_of(model_named("gated_deltanet_list"))["attn"].size(), 2U);
  EXPECT_THAT(fla_target().supports(model_named("gated_deltanet_list")).notes, testing::Contains(HasSubstr("0.5.2")));
}

TEST(FlaExport, AttentionOfSeveralKindsListsEveryLayer) {
  const Json config = config_of(model_named("attention_mix"));
  EXPECT_EQ(config["model_type"], "gated_deltanet");
  EXPECT_EQ(config["attn"][0]["layers"], Json({0, 2}));
  EXPECT_EQ(config["attn"][1]["layers"], Json({1, 3}));
}

TEST(FlaExport, RatiosSurviveTheLibrarysTruncation) {
  // Python's int(49 * (1 / 49)) is 0 with the nearest double; the exporter must pick one that gives 1.
  ModelSpec model = model_named("gated_deltanet_list");
  for (spec::Dim key = 1; key <= 256; ++key) {
    for (spec::Dim value : {1, 7, 100, 255}) {
      for (LayerSpec& layer : model.layout.layers) layer.mixer = spec::GatedDeltaNet{1, 1, key, value};
      const double ratio = config_of(model)["expand_v"].get<double>();
      EXPECT_EQ(static_cast<spec::Dim>(static_cast<double>(key) * ratio), value) << key;
    }
  }
}

// What it refuses

ModelSpec with_layer(std::size_t index, const spec::Mixer& mixer, std::string_view base = "gla_hybrid") {
  ModelSpec model = model_named(base);
  model.layout.layers[index].mixer = mixer;
  return model;
}

TEST(FlaRefuses, TwoLinearMixersNamingTheirLayers) {
  EXPECT_THAT(reasons(with_layer(1, spec::KimiDeltaAttention{2, 2, 32, 32})),
              ElementsAre("layers 0, 2 (gla), layer 1 (kimi_delta_attention): a fla model has one linear mixer"));
  EXPECT_THAT(
      reasons(with_layer(2, spec::Gla{4, 4, 16, 32})),
      ElementsAre("layers 0-1 (gla), layer 2 (gla): a fla model has one linear mixer, with the same dimensions in all "
                  "its layers"));
}

TEST(FlaRefuses, MixersThatItDoesNotHave) {
  EXPECT_THAT(reasons(with_layer(1, spec::MLstm{})), ElementsAre("layer 1 (mlstm): fla has no such mixer"));
  EXPECT_THAT(reasons(with_layer(1, spec::MomentumDeltaNet{})), ElementsAre(HasSubstr("no model class")));
  EXPECT_THAT(reasons(with_layer(1, spec::ParallelMixer{{spec::Gla{}, spec::FullAttention{}}})),
              ElementsAre("layer 1: fla has no layers with parallel branches"));
}

TEST(FlaRefuses, AttentionBesideMamba2AndMla) {
  const spec::FullAttention full{{.heads = 4, .kv_heads = 4, .head_dim = 16}};
  ModelSpec mamba2 = with_layer(2, full, "mamba2_pure");
  EXPECT_THAT(reasons(mamba2),
              ElementsAre(HasSubstr("layer 2 (full_attention) beside layers 0-1, 3 (mamba2): fla's mamba2 "
                                    "ignores attn"),
                          HasSubstr("channel mixer none")));
  EXPECT_THAT(reasons(with_layer(2, full, "mla_pure")), ElementsAre(HasSubstr("fla's mla ignores attn")));
  EXPECT_THAT(reasons(with_layer(1, spec::MultiHeadLatentAttention{}, "gla_hybrid")),
              testing::Contains(HasSubstr("one linear mixer")));
}

TEST(FlaRefuses, AttentionThatItsLayerCannotBe) {
  const auto with_attention = [](auto change, std::string_view base = "gla_hybrid") {
    spec::FullAttention attention{{.heads = 4, .kv_heads = 4, .head_dim = 16}};
    change(attention);
    return reasons(with_layer(3, attention, base));
  };
  const auto one = [](const std::string& text) { return ElementsAre("layer 3 (full_attention): " + text); };
  EXPECT_THAT(with_attention([](auto& a) { a.head_dim = 32; }),
              one("4 heads of 32: fla's heads fill d_model 64 exactly"));
  EXPECT_THAT(with_attention([](auto& a) { a.qk_norm = spec::QkNorm::per_head; }),
              one("qk_norm per_head: fla has it only where all layers are the same attention"));
  EXPECT_THAT(with_attention([](auto& a) { a.qk_norm = spec::QkNorm::full_width; }),
              one("qk_norm full_width: fla has per_head at most"));
  EXPECT_THAT(with_attention([](auto& a) { a.output_gate = true; }), one("output_gate: fla's attention has none"));
  EXPECT_THAT(with_attention([](auto& a) { a.rope_theta = 0; }), one("rope_theta 0 (no rotary): fla always rotates"));
  EXPECT_THAT(with_attention([](auto& a) { a.rope_fraction = 0.5; }),
              one("rope_fraction 0.5: fla rotates the whole head"));
  EXPECT_THAT(with_attention([](auto& a) { a.heads = a.kv_heads = 64, a.head_dim = 1; }),
              one("head_dim 1: rotary embedding needs an even one"));
}

TEST(FlaRefuses, DimensionsThatItsClassesDerive) {
  const auto everywhere = [](const spec::Mixer& mixer) {
    ModelSpec model = model_named("gla_hybrid");
    for (LayerSpec& layer : model.layout.layers) layer.mixer = mixer;
    return reasons(model);
  };
  EXPECT_THAT(everywhere(spec::Gla{2, 2, 16, 32, 32}), ElementsAre(HasSubstr("gate_rank 32: fla's is always 16")));
  EXPECT_THAT(everywhere(spec::RetNet{1, 1, 512, 64}), ElementsAre(HasSubstr("at most 256")));
  EXPECT_THAT(everywhere(spec::RetNet{1, 1, 64, 64, 4}), ElementsAre(HasSubstr("builds no short convolution")));
  EXPECT_THAT(everywhere(spec::GatedDeltaNet{1, 1, 512, 64}), ElementsAre(HasSubstr("at most 256")));
  EXPECT_THAT(everywhere(spec::Hgrn2{2, 16, 32}), ElementsAre(HasSubstr("d_model / key_head_dim = 4 heads")));
}

TEST(FlaRefuses, WhatStandsAroundTheMixers) {
  ModelSpec model = model_named("gla_hybrid");
  model.norm = spec::NormKind::layer;
  model.layout.layers[0].channel_mixer = spec::SwiGlu{512};
  model.layout.layers[2].channel_mixer = spec::MoE{};
  model.layout.layers[1].weights_from = 0;
  EXPECT_THAT(reasons(model),
              ElementsAre("norm layer: fla's models have RMSNorm", "layer 1: weights_from: fla shares no weights",
                          "layer 2: channel mixer moe: fla has swiglu only",
                          "channel mixers of width 512 (layer 0), 256 (layers 1, 3): fla has one width for all "
                          "layers"));
  ModelSpec mamba2 = model_named("mamba2_pure");
  mamba2.layout.layers[1].channel_mixer = spec::SwiGlu{256};
  EXPECT_THAT(reasons(mamba2), ElementsAre("layer 1: channel mixer swiglu: fla's mamba2 has none"));
  ModelSpec empty;
  EXPECT_THAT(reasons(empty), ElementsAre("the layout has no layers"));
}

// The files beside config.json

TEST(FlaBundle, ExpectedNamesClassesAndWindows) {
  const Json expected = Json::parse(*fla_target().write(model_named("gated_deltanet_list"), {}).find("expected.json"));
  std::vector<std::string> classes;
  for (const Json& layer : expected["layers"]) classes.push_back(layer["mixer"]);
  EXPECT_THAT(classes, ElementsAre("GatedDeltaNet", "Attention", "GatedDeltaNet", "Attention"));
  EXPECT_EQ(expected["layers"][1]["attention"]["window_size"], 512);
  EXPECT_TRUE(expected["layers"][3]["attention"]["window_size"].is_null());
}

// Totals that the library builds, counted with fla 0.6.0.
TEST(FlaBundle, ExpectedCountsTheLibrarysParameters) {
  const Json tiny{{"hidden_size", 64}, {"num_hidden_layers", 4}, {"vocab_size", 256}};
  const Json attn{{"layers", {3}}, {"num_heads", 4}};
  const Json attn_kv{{"layers", {1, 3}}, {"num_heads", 4}, {"num_kv_heads", 2}, {"qkv_bias", true}};
  const Json wide{{"hidden_size", 1024}, {"num_hidden_layers", 24}};
  const Json window{{"layers", {7, 15, 23}}, {"num_heads", 16}, {"num_kv_heads", 4}, {"window_size", 512}};
  const Json mix{{{"layers", {3, 11}}, {"num_heads", 16}, {"window_size", 512}},
                 {{"layers", {7, 23}}, {"num_heads", 16}, {"num_kv_heads", 4}}};
  const Json gdn{{"num_hidden_layers", 24}, {"num_heads", 8}, {"expand_v", 1}, {"intermediate_size", 5632}};
  struct Row {
    const char* type;
    Json base;
    Json keys;
    std::int64_t parameters;
  };
  for (const Row& row : std::vector<Row>{
           {"gla", tiny, {{"num_heads", 2}, {"attn", attn}}, 300'288},
           {"delta_net", tiny, {{"num_heads", 2}, {"attn", attn_kv}}, 289'408},
           {"gated_deltanet", tiny, {{"num_heads", 2}, {"head_dim", 32}, {"attn", attn}}, 348'684},
           {"kda", tiny, {{"num_heads", 2}, {"head_dim", 32}, {"attn", attn}}, 323'238},
           {"retnet", tiny, {{"num_heads", 2}, {"attn", attn}}, 344'832},
           {"hgrn2", tiny, {{"expand_ratio", 32}, {"attn", attn}}, 295'936},
           {"mamba2", tiny, {{"head_dim", 16}, {"state_size", 16}}, 145'440},
           {"transformer", tiny, {{"num_heads", 4}, {"num_kv_heads", 2}}, 279'104},
           {"gla", wide, {{"attn", window}}, 369'681'152},
           {"gated_deltanet", wide, {{"num_heads", 4}, {"expand_v", 1}, {"attn", mix}}, 392'108'192},
           {"gated_deltanet", gdn, {}, 1'466'343'808},
           {"gated_deltanet", gdn, {{"attn", {{"layers", {5, 11, 17, 23}}, {"num_heads", 32}}}}, 1'449'336'128},
           {"hgrn", Json::object(), {{"attn", {{"layers", {11, 23}}, {"num_heads", 32}}}}, 1'364'391'936},
       }) {
    Json config = row.base;
    if (row.keys.is_object()) config.update(row.keys);
    config["model_type"] = row.type;
    const ExportBundle bundle = fla_target().write(import_model(config, "").model, {});
    EXPECT_EQ(Json::parse(*bundle.find("expected.json"))["parameters"], row.parameters) << config;
  }
}

TEST(FlaBundle, ProvenanceHoldsTheWholeModel) {
  ModelSpec model = model_named("mamba2_pure");
  model.name = "from a study";
  model.dtype = spec::DType::fp16;
  const Json provenance = Json::parse(*fla_target().write(model, {}).find("provenance.json"));
  EXPECT_EQ(import_model(provenance["model"], "").model, model);
}

TEST(FlameBundle, LaunchesWithPlainFlagsOnly) {
  ModelSpec model = model_named("gla_hybrid");
  model.name = "it's a \"name\" / $(rm)";
  const ExportBundle bundle = find_exporter("flame")->write(model, {});
  const std::string& script = *bundle.find("launch.sh");
  EXPECT_EQ(script.find('@'), std::string::npos);
  EXPECT_THAT(script, HasSubstr("name=${NAME:-it-s-a--name------rm-}"));
  EXPECT_THAT(script, HasSubstr("--training.varlen"));
  for (const char* flag : {"--job.dump_folder \"$folder\"", "--training.steps \"$steps\"",
                           "--model.config \"$here/config.json\"", "--model.tokenizer_path \"$tokenizer\""}) {
    EXPECT_THAT(script, HasSubstr(flag));
  }
  std::istringstream lines(script);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  --")) {
      EXPECT_EQ(line.find('='), std::string::npos) << line;
    }
  }
  for (const File& file : bundle.files)
    EXPECT_EQ(file.executable, file.name == "launch.sh" || file.name == "verify.py");
}

TEST(FlameBundle, PacksNoSequencesForMamba2) {
  const std::string script = *find_exporter("flame")->write(model_named("mamba2_pure"), {}).find("launch.sh");
  EXPECT_EQ(script.find("varlen"), std::string::npos);
  EXPECT_THAT(script, HasSubstr("--training.batch_size 16 \\\n  --training.seq_len 4096"));
}

}  // namespace
}  // namespace plait::interchange
