#include "src/interchange/importer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/spec/model_json.h"
#include "tests/interchange/fla_models.h"

namespace plait::interchange {
namespace {

using spec::Json;
using testing::HasSubstr;

std::string refusal(const Json& value) {
  try {
    import_model(value, "model.json");
  } catch (const spec::SpecError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ImportModel, ReadsOurOwnModelFiles) {
  const spec::ModelSpec model = test::golden_models().front().model;
  EXPECT_EQ(import_model(Json::parse(spec::to_json(model).dump()), "m").model, model);
}

TEST(ImportModel, TellsTheFormatByContent) {
  for (const Json& value :
       {Json{{"format", "plait-model/1"}}, Json{{"model_type", "gla"}}, Json{{"model_type", "rwkv7"}}}) {
    int readers = 0;
    for (const Importer& row : importer_table()) readers += row.recognises(value);
    EXPECT_EQ(readers, 1) << value;
  }
}

TEST(ImportModel, SaysWhatIsReadableWhenNothingRecognisesTheFile) {
  for (const Json& value : {Json{{"model_type", "qwen3_next"}}, Json{{"d_model", 64}}, Json::array(), Json(3),
                            Json(nullptr), Json{{"format", 1}}, Json{{"model_type", nullptr}}}) {
    const std::string message = refusal(value);
    EXPECT_THAT(message, HasSubstr("model.json")) << value;
    EXPECT_THAT(message, HasSubstr("plait-model/1")) << value;
    EXPECT_THAT(message, HasSubstr("gated_deltanet")) << value;
  }
  EXPECT_THAT(refusal(Json{{"model_type", "qwen3_next"}}), HasSubstr("\"qwen3_next\""));
  EXPECT_THAT(refusal(Json::array()), HasSubstr("array"));
}

TEST(ImportModel, ReportsEveryProblemOfARecognisedFile) {
  const std::string message = refusal(
      {{"model_type", "gla"}, {"hidden_size", 0}, {"vocab_size", "many"}, {"use_output_gate", 1}, {"num_heads", true}});
  for (const char* key : {"hidden_size", "vocab_size", "use_output_gate", "num_heads"})
    EXPECT_THAT(message, HasSubstr(key));
}

}  // namespace
}  // namespace plait::interchange
