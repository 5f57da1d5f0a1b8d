#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "src/interchange/fla.h"
#include "src/interchange/importer.h"

namespace plait::interchange {
namespace {

using spec::Json;
using spec::Mixer;
using testing::ElementsAre;
using testing::HasSubstr;

ImportResult import(const Json& config) { return import_model(config, ""); }

/// "path: message" of every problem.
std::vector<std::string> problems(const Json& config) {
  try {
    import(config);
  } catch (const spec::SpecError& error) {
    std::vector<std::string> lines;
    for (const auto& [path, message] : error.problems()) lines.push_back(path + ": " + message);
    return lines;
  }
  return {};
}

Json config(std::string_view type, Json more = Json::object()) {
  more["model_type"] = type;
  return more;
}

Json with_attn(Json attn) {
  return config("gla", {{"hidden_size", 64}, {"num_hidden_layers", 4}, {"num_heads", 2}, {"attn", std::move(attn)}});
}

// Class defaults of fla 0.6.0 (configuration_*.py) for an empty config.

struct Default {
  std::string_view type;
  std::size_t depth;
  Mixer mixer;
  spec::ChannelMixer channel_mixer;
};

void PrintTo(const Default& row, std::ostream* out) { *out << row.type; }

class FlaDefaults : public testing::TestWithParam<Default> {};

TEST_P(FlaDefaults, FillAnEmptyConfig) {
  const auto& [type, depth, mixer, channel_mixer] = GetParam();
  const ImportResult result = import(config(type));
  const spec::LayerSpec layer{mixer, channel_mixer, {}, {}};
  EXPECT_EQ(result.model.layout.layers, std::vector(depth, layer));
  EXPECT_EQ(result.model.d_model, 2048);
  EXPECT_EQ(result.model.vocab_size, 32000);
  EXPECT_EQ(result.model.norm_eps, type == "mamba2" ? 1e-5 : 1e-6);
  EXPECT_EQ(result.model.max_position, type == "mamba2" ? spec::ModelSpec{}.max_position : 2048);
  EXPECT_FALSE(result.model.tied_embeddings);
  EXPECT_EQ(result.model.name, type);
  EXPECT_THAT(result.notes, ElementsAre());
}

INSTANTIATE_TEST_SUITE_P(
    Classes, FlaDefaults,
    testing::Values(Default{"transformer", 24, spec::FullAttention{{.heads = 32, .kv_heads = 32, .head_dim = 64}},
                            spec::SwiGlu{5632}},
                    Default{"mla", 24, spec::MultiHeadLatentAttention{16, 64, 512, 128, 64, 128}, spec::SwiGlu{5632}},
                    Default{"gla", 24, spec::Gla{4, 4, 256, 512, 16, 0, true}, spec::SwiGlu{5632}},
                    Default{"retnet", 24, spec::RetNet{8, 8, 256, 512, 0, true}, spec::SwiGlu{2816}},
                    Default{"delta_net", 24, spec::DeltaNet{16, 128, 128, 4, false, false}, spec::SwiGlu{5632}},
                    Default{"gated_deltanet", 21, spec::GatedDeltaNet{6, 6, 256, 512, 4, true, false},
                            spec::SwiGlu{5632}},
                    Default{"kda", 24, spec::KimiDeltaAttention{16, 16, 128, 128, 4, false, 0.0}, spec::SwiGlu{5632}},
                    Default{"hgrn", 24, spec::Hgrn{2048, 0, true}, spec::SwiGlu{5632}},
                    Default{"hgrn2", 24, spec::Hgrn2{16, 128, 128, 0, true}, spec::SwiGlu{5632}},
                    Default{"mamba2", 48, spec::Mamba2{64, 64, 128, 1, 4, true}, spec::None{}}),
    [](const auto& row) { return std::string(row.param.type); });

TEST(FlaModelTypes, AllHaveDefaultsAndOneDefaultRow) {
  EXPECT_EQ(fla::model_types().size(), 10U);
  for (const fla::ModelType& type : fla::model_types()) EXPECT_NE(fla::class_defaults(type.name), nullptr) << type.name;
  EXPECT_EQ(fla::class_defaults("gsa"), nullptr);
}

// attn

Mixer attention(spec::Dim heads, spec::Dim kv_heads, std::optional<spec::Dim> window = {}, double theta = 1e4,
                bool bias = false) {
  const spec::SoftmaxAttention shape{
      .heads = heads, .kv_heads = kv_heads, .head_dim = 64 / heads, .qkv_bias = bias, .rope_theta = theta};
  if (window) return spec::SlidingWindowAttention{shape, *window};
  return spec::FullAttention{shape};
}

std::vector<Mixer> mixers(const ImportResult& result) {
  std::vector<Mixer> list;
  for (const spec::LayerSpec& layer : result.model.layout.layers) list.push_back(layer.mixer);
  return list;
}

const Mixer kNative = spec::Gla{2, 2, 16, 32};

TEST(FlaAttn, NullAndEmptyListMeanNativeLayersOnly) {
  for (const Json& attn : {Json(nullptr), Json::array(), Json{{"layers", Json::array()}, {"num_heads", 4}}}) {
    EXPECT_THAT(mixers(import(with_attn(attn))), ElementsAre(kNative, kNative, kNative, kNative)) << attn;
  }
}

TEST(FlaAttn, DictReplacesTheListedLayers) {
  EXPECT_THAT(mixers(import(with_attn({{"layers", {3, 1}}, {"num_heads", 4}}))),
              ElementsAre(kNative, attention(4, 4), kNative, attention(4, 4)));
  EXPECT_THAT(
      mixers(import(with_attn({{"layers", {0}}, {"num_heads", 4}, {"num_kv_heads", nullptr}, {"window_size", 16}})))[0],
      attention(4, 4, 16));
}

TEST(FlaAttn, ListGivesEachSpecItsLayers) {
  const Json attn{{{"layers", {1}}, {"num_heads", 8}, {"num_kv_heads", 2}, {"window_size", 512}, {"qkv_bias", true}},
                  {{"layers", {3, 0}}, {"num_heads", 4}, {"window_size", nullptr}, {"rope_theta", 500000}}};
  EXPECT_THAT(mixers(import(with_attn(attn))), ElementsAre(attention(4, 4, {}, 5e5), attention(8, 2, 512, 1e4, true),
                                                           kNative, attention(4, 4, {}, 5e5)));
}

TEST(FlaAttn, EveryBrokenRuleIsLocated) {
  const auto one = [](const char* key, Json value) {
    Json attn{{"layers", {1}}, {"num_heads", 4}};
    attn[key] = std::move(value);
    return problems(with_attn(attn));
  };
  const auto only = [](const std::string& start) { return ElementsAre(testing::StartsWith(start)); };
  EXPECT_THAT(problems(with_attn("full")), only("attn: "));
  EXPECT_THAT(problems(with_attn({1})), only("attn[0]: "));
  EXPECT_THAT(problems(with_attn({{"layers", {1}}})), only("attn.num_heads: is missing"));
  EXPECT_THAT(problems(with_attn({{"num_heads", 4}})), only("attn.layers: is missing"));
  EXPECT_THAT(one("layers", 3), only("attn.layers: "));
  EXPECT_THAT(one("layers", {1, true}), only("attn.layers[1]: "));
  EXPECT_THAT(one("layers", {1.0}), only("attn.layers[0]: "));
  EXPECT_THAT(one("layers", {4}), only("attn.layers[0]: must be a layer index from 0 to 3; got 4"));
  EXPECT_THAT(one("layers", {-1}), only("attn.layers[0]: must be a layer index from 0 to 3; got -1"));
  EXPECT_THAT(one("layers", {2, 2}), only("attn.layers[1]: layer 2 is already listed by attn.layers[0]"));
  EXPECT_THAT(problems(with_attn({{{"layers", {1, 2}}, {"num_heads", 4}}, {{"layers", {2}}, {"num_heads", 4}}})),
              only("attn[1].layers[0]: layer 2 is already listed by attn[0].layers[1]"));
  for (const Json& bad : {Json(true), Json(0), Json(-1), Json(4.0), Json("4"), Json(nullptr)}) {
    EXPECT_THAT(one("num_heads", bad), only("attn.num_heads: ")) << bad;
  }
  for (const Json& bad : {Json(true), Json(0), Json("4")})
    EXPECT_THAT(one("num_kv_heads", bad), only("attn.num_kv_heads: "));
  for (const Json& bad : {Json(0), Json(1), Json(nullptr)}) EXPECT_THAT(one("qkv_bias", bad), only("attn.qkv_bias: "));
  for (const Json& bad : {Json(0), Json(true), Json(1.5)})
    EXPECT_THAT(one("window_size", bad), only("attn.window_size: "));
  for (const Json& bad : {Json(0), Json(nullptr), Json(true), Json("1e4")}) {
    EXPECT_THAT(one("rope_theta", bad), only("attn.rope_theta: ")) << bad;
  }
}

TEST(FlaAttn, HeadsThatDoNotDivideAreRefusedWhereTheLibraryWouldShrinkThem) {
  EXPECT_THAT(problems(with_attn({{"layers", {1}}, {"num_heads", 5}})),
              ElementsAre("attn.num_heads: 5 does not divide hidden_size 64"));
  EXPECT_THAT(problems(with_attn({{"layers", {1}}, {"num_heads", 4}, {"num_kv_heads", 3}})),
              ElementsAre("attn.num_kv_heads: 3 does not divide num_heads 4"));
}

TEST(FlaAttn, AllListedLayersLeaveTheNativeMixerUnread) {
  Json all = with_attn({{"layers", {0, 1, 2, 3}}, {"num_heads", 4}});
  all["num_heads"] = 7;  // does not divide: no matter, the layer is never built
  EXPECT_THAT(mixers(import(all)), testing::Each(attention(4, 4)));
}

TEST(FlaAttn, IgnoredByClassesWithoutIt) {
  for (const char* type : {"mamba2", "transformer", "mla"}) {
    const ImportResult result = import(config(type, {{"attn", {{"layers", {1}}, {"num_heads", 4}}}}));
    EXPECT_THAT(mixers(result), testing::Each(result.model.layout.layers[0].mixer)) << type;
    EXPECT_THAT(result.notes, ElementsAre(HasSubstr("ignores it"))) << type;
  }
}

TEST(FlaAttn, UnlistedKeysAreNoted) {
  EXPECT_THAT(import(with_attn({{"layers", {1}}, {"num_heads", 4}, {"head_dim", 99}})).notes,
              ElementsAre(HasSubstr("attn.head_dim")));
}

// One mixer's own rules.

Mixer first_mixer(const Json& value) { return import(value).model.layout.layers[0].mixer; }

TEST(FlaMixers, DeriveHeadsAsTheLibraryDoes) {
  EXPECT_EQ(first_mixer(config("mamba2", {{"hidden_size", 64}, {"expand", 1.5}, {"head_dim", 32}})),
            Mixer(spec::Mamba2{3, 32, 128, 1, 4, true}));
  EXPECT_EQ(first_mixer(config("hgrn2", {{"hidden_size", 64}, {"expand_ratio", nullptr}, {"num_heads", 4}})),
            Mixer(spec::Hgrn2{4, 16, 16, 0, true}));
  // Both given: the layer recomputes the number of heads.
  EXPECT_EQ(first_mixer(config("hgrn2", {{"hidden_size", 64}, {"expand_ratio", 32}, {"num_heads", 4}})),
            Mixer(spec::Hgrn2{2, 32, 32, 0, true}));
  EXPECT_EQ(first_mixer(config("gated_deltanet", {{"num_v_heads", 12}, {"expand_v", 0.75}, {"use_short_conv", false}})),
            Mixer(spec::GatedDeltaNet{6, 12, 256, 192, 0, true, false}));
  EXPECT_EQ(first_mixer(config("kda", {{"safe_gate", true}, {"lower_bound", -5}})),
            Mixer(spec::KimiDeltaAttention{16, 16, 128, 128, 4, false, -5.0}));
  EXPECT_EQ(first_mixer(config("transformer", {{"window_size", 100}, {"num_kv_heads", 8}, {"qk_norm", true}})),
            Mixer(spec::SlidingWindowAttention{
                {.heads = 32, .kv_heads = 8, .head_dim = 64, .qk_norm = spec::QkNorm::per_head}, 100}));
  EXPECT_EQ(first_mixer(config("mla", {{"q_lora_rank", nullptr}})),
            Mixer(spec::MultiHeadLatentAttention{16, 0, 512, 128, 64, 128}));
}

TEST(FlaMixers, WidthsOfTheMlp) {
  const auto width = [](Json more) {
    return std::get<spec::SwiGlu>(import(config("gla", std::move(more))).model.layout.layers[0].channel_mixer).width;
  };
  EXPECT_EQ(width({{"intermediate_size", 11008}}), 11008);
  EXPECT_EQ(width({{"hidden_ratio", nullptr}}), 5632);
  EXPECT_EQ(width({{"hidden_ratio", 3.5}}), 4864);
  EXPECT_EQ(width({{"hidden_size", 64}}), 256);
}

struct Broken {
  const char* type;
  Json keys;
  std::string start;
};

TEST(FlaMixers, WhatTheLibraryOrPlaitCannotBuildIsLocated) {
  for (const Broken& row : std::vector<Broken>{
           {"gla",
            {{"num_heads", 2048}},
            "num_heads: key width hidden_size x expand_k = 1024 is not a multiple of num_heads 2048"},
           {"gla", {{"hidden_size", 100}, {"expand_k", 0.333}}, "expand_k: hidden_size 100 x expand_k 0.333"},
           {"gla", {{"num_kv_heads", 3}}, "num_kv_heads: "},
           {"gla", {{"elementwise_affine", false}}, "elementwise_affine: "},
           {"gla", {{"attnres_block_size", 2}}, "attnres_block_size: "},
           {"gla", {{"hidden_act", "gelu"}}, "hidden_act: "},
           {"gla", {{"conv_size", 0}}, "conv_size: "},
           {"gla", {{"num_hidden_layers", 0}}, "num_hidden_layers: "},
           {"gla", {{"num_hidden_layers", 1e9}}, "num_hidden_layers: "},
           {"gla", {{"norm_eps", 0}}, "norm_eps: "},
           {"gla", {{"hidden_size", 1ULL << 63}}, "hidden_size: "},
           {"retnet", {{"num_heads", 4}}, "expand_k: gives 512 key channels"},
           {"delta_net", {{"use_beta", false}}, "use_beta: "},
           {"gated_deltanet", {{"num_v_heads", 8}}, "num_v_heads: 8 is not a multiple of num_heads 6"},
           {"gated_deltanet", {{"expand_v", 0.001}}, "expand_v: "},
           {"kda", {{"safe_gate", true}}, "lower_bound: "},
           {"kda", {{"lower_bound", -6}}, "lower_bound: "},
           {"hgrn", {{"expand_ratio", nullptr}}, "expand_ratio: "},
           {"hgrn2", {{"expand_ratio", 3000}}, "expand_ratio: "},
           {"hgrn2", {{"hidden_size", 100}, {"expand_ratio", 30}}, "expand_ratio: 30 gives 3 heads"},
           {"hgrn2", {{"expand_ratio", nullptr}}, "expand_ratio: one of"},
           {"mamba2", {{"head_dim", 60}}, "head_dim: "},
           {"mamba2", {{"n_groups", 3}}, "n_groups: "},
           {"mamba2", {{"num_heads", 32}}, "num_heads: 32 contradicts"},
           {"mamba2", {{"use_bias", true}}, "use_bias: "},
           {"mamba2", {{"D_has_hdim", true}}, "D_has_hdim: "},
           {"mamba2", {{"rmsnorm", false}}, "rmsnorm: "},
           {"mla", {{"qk_head_dim", 100}}, "qk_head_dim: "},
           {"mla", {{"window_size", 100}}, "window_size: "},
           {"transformer", {{"num_heads", 5}}, "num_heads: "},
           {"transformer", {{"rope_theta", nullptr}}, "rope_theta: "},
       }) {
    EXPECT_THAT(problems(config(row.type, row.keys)), ElementsAre(testing::StartsWith(row.start)))
        << row.type << row.keys;
  }
}

TEST(FlaTypes, OthersOfTheLibraryAreNamed) {
  EXPECT_THAT(problems(config("samba")), ElementsAre(HasSubstr("Mamba-1")));
  EXPECT_THAT(problems(config("gsa")), ElementsAre(HasSubstr("gated slot attention")));
  EXPECT_THAT(problems(config("rwkv7")), ElementsAre(HasSubstr("\"gated_deltanet\"")));
  EXPECT_THAT(problems(config("momentum_deltanet")), ElementsAre(HasSubstr("without a model class")));
}

TEST(FlaNotes, ListUnknownKeysAndStaySilentOnThoseOfTransformers) {
  const ImportResult result = import(config("gla", {{"architectures", {"GLAForCausalLM"}},
                                                    {"torch_dtype", "float32"},
                                                    {"transformers_version", "4.40.0"},
                                                    {"initializer_range", 0.006},
                                                    {"fuse_norm", false},
                                                    {"rms_norm", true},
                                                    {"use_rope", false}}));
  EXPECT_THAT(result.notes, ElementsAre(testing::EndsWith("ignored: rms_norm, use_rope")));
}

TEST(FlaNotes, NameWhatAModelOfOursDoesNotSay) {
  EXPECT_THAT(
      import(config("gla", {{"feature_map", "relu"}})).notes,
      ElementsAre("feature_map \"relu\": not part of a plait model (its costs are the same); an export writes null"));
  const Json dt_limit{0.0, {{"__float__", "Infinity"}}};
  EXPECT_THAT(import(config("mamba2", {{"dt_limit", dt_limit}, {"hidden_act", "swish"}, {"num_heads", 64}})).notes,
              ElementsAre());
  EXPECT_THAT(import(config("mamba2", {{"dt_limit", {0.0, 0.1}}})).notes, ElementsAre(HasSubstr("dt_limit")));
}

TEST(FlaNotes, RetNetBuildsNoShortConvolutionWhateverItsConfigSays) {
  const ImportResult result = import(config("retnet", {{"use_short_conv", true}}));
  EXPECT_EQ(result.model, import(config("retnet")).model);
  EXPECT_THAT(result.notes, ElementsAre(HasSubstr("no convolution is built")));
}

TEST(FlaNames, ComeFromTheCheckpointWhenItHasOne) {
  EXPECT_EQ(import(config("gla", {{"_name_or_path", "fla-hub/gla-1.3B"}})).model.name, "fla-hub/gla-1.3B");
  EXPECT_EQ(import(config("gla", {{"_name_or_path", ""}})).model.name, "gla");
}

}  // namespace
}  // namespace plait::interchange
