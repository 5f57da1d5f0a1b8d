#include "src/spec/model_json.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/arbitrary_layout.h"
#include "tests/support/expect_problems.h"

namespace plait::spec {
namespace {

using ::plait::testing::problem;
using ::testing::ElementsAre;

ModelSpec read(const Json& json) {
  Problems problems;
  ModelSpec model = model_from_json(json, "", problems);
  problems.throw_if_any();
  return model;
}

std::vector<Problem> problems_in(std::string_view text) {
  Problems problems;
  model_from_json(Json::parse(text), "", problems);
  return problems.list();
}

TEST(ModelJsonTest, MissingMembersTakeTheDefaultsAtThisWidth) {
  const ModelSpec model = read(Json::parse(R"({"d_model": 1024, "layout": "GG*"})"));
  EXPECT_EQ(std::get<GatedDeltaNet>(model.layout.layers[0].mixer).heads, 4);
  EXPECT_EQ(std::get<FullAttention>(model.layout.layers[2].mixer).heads, 16);
  EXPECT_EQ(model.layout.layers[0].channel_mixer, ChannelMixer{SwiGlu{2816}});
}

TEST(ModelJsonTest, MixersAreNamesOrObjects) {
  const ModelSpec model = read(Json::parse(R"({"d_model": 1024, "layout": "GS2",
    "mixers": {"G": "gated_delta_net", "S2": {"type": "sliding_window_attention", "heads": 8, "head_dim": 128, "window": "1k"}}})"));
  const auto& window = std::get<SlidingWindowAttention>(model.layout.layers[1].mixer);
  EXPECT_EQ(window.window, 1024);
  EXPECT_EQ(window.kv_heads, 8) << "heads alone means multi-head attention";
}

TEST(ModelJsonTest, ReportsEveryProblemWithItsPlace) {
  EXPECT_THAT(
      problems_in(R"({"d_model": 0, "vocab_sise": 3, "dtype": "bf17", "channel_mixer": {"type": "swiglu", "width": -1},
                              "mixers": {"G": "gated_deltanet", "2": "gla", "*": {"type": "full_attention", "haeds": 3}},
                              "layout": 5})"),
      ElementsAre(problem("d_model", "out of range"), problem("dtype", "did you mean \"bf16\"?"),
                  problem("channel_mixer.width", "-1 is out of range"),
                  problem("mixers[\"*\"].haeds", "did you mean \"heads\"?"), problem("mixers[\"2\"]", "a symbol is"),
                  problem("mixers[\"G\"]", "did you mean \"gated_delta_net\"?"), problem("layout", "must be a string"),
                  problem("vocab_sise", "did you mean \"vocab_size\"?")));
}

TEST(ModelJsonTest, NotationProblemsCarryTheColumn) {
  EXPECT_THAT(problems_in(R"({"d_model": 64, "layout": "GQ"})"), ElementsAre(problem("layout:2", "unknown mixer 'Q'")));
}

TEST(ModelJsonTest, LayoutAndLayersExcludeEachOther) {
  EXPECT_THAT(problems_in(R"({"d_model": 64, "layout": "G", "layers": []})"),
              ElementsAre(problem("layers", "not both")));
}

TEST(ModelJsonTest, ShapesAreValidated) {
  EXPECT_THAT(
      problems_in(R"({"d_model": 64, "layers": [{"mixer": {"type": "full_attention", "heads": 4, "kv_heads": 3}}]})"),
      ElementsAre(problem("layers[0].mixer.heads", "not a multiple of kv_heads")));
}

RC_GTEST_PROP(ModelJsonTest, WritesWhatItReads, ()) {
  ModelSpec model;
  model.d_model = 256;
  model.name = "round trip";
  model.tied_embeddings = *rc::gen::arbitrary<bool>();
  model.layout = *testing::arbitrary_layout(256, 12);
  RC_ASSERT(read(Json::parse(to_json(model).dump())) == model);
}

TEST(ModelJsonTest, LayoutsBeyondTheNotationAreWrittenAsALayerList) {
  ModelSpec model;
  model.d_model = 256;
  for (const Dim width : {256, 512, 768}) model.layout.layers.push_back({default_mixer(0, 256), SwiGlu{width}});
  const OrderedJson json = to_json(model);
  EXPECT_TRUE(json.contains("layers"));
  EXPECT_EQ(read(Json::parse(json.dump())), model);
}

}  // namespace
}  // namespace plait::spec
