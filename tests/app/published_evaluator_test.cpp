#include <gtest/gtest.h>

#include "src/evaluate/prior_evaluator.h"
#include "src/spec/notation.h"

namespace plait::evaluate {
namespace {

search::Outcome look_up(std::string_view notation) {
  const spec::Layout layout = spec::parse_layout(notation, spec::Palette::defaults(2048));
  search::Outcome outcome;
  make_published_evaluator({"published_recall"})->evaluate({&layout, 1}, {&outcome, 1}, {});
  return outcome;
}

TEST(PublishedEvaluatorTest, FindsTheCellsOfTable7) {
  EXPECT_EQ(std::get<search::Scores>(look_up("(GG*)x8")).at("published_recall").value, 0.436);
  EXPECT_EQ(std::get<search::Scores>(look_up("Lx24")).at("published_recall").value, 0.144);
  EXPECT_EQ(std::get<search::Scores>(look_up("*x24")).at("published_recall").value, 0.423);
  EXPECT_EQ(std::get<search::Scores>(look_up("Hx23*")).at("published_recall").source, search::Source::measured);
}

TEST(PublishedEvaluatorTest, OtherLayoutsAreUnsupportedInWords) {
  for (const char* notation : {"(GGG*)x6", "*GGx7Gx15", "(GH*)x8", "Gx12", "(MM*)x8", "(hh*)x8"}) {
    const search::Outcome outcome = look_up(notation);
    ASSERT_TRUE(std::holds_alternative<search::Failure>(outcome)) << notation;
    EXPECT_EQ(std::get<search::Failure>(outcome).kind, search::Failure::Kind::unsupported);
    EXPECT_EQ(std::get<search::Failure>(outcome).reason, "recall was published for no such layout");
  }
}

}  // namespace
}  // namespace plait::evaluate
