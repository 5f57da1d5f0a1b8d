#include "src/spec/error.h"

#include <gtest/gtest.h>

namespace plait::spec {
namespace {

TEST(SpecErrorTest, PrintsOneLocatedLinePerProblem) {
  Problems problems;
  problems.add("space.slots[3]", "is empty");
  problems.add("", "nothing to do");
  try {
    problems.throw_if_any();
    FAIL();
  } catch (const SpecError& error) {
    EXPECT_STREQ(error.what(), "space.slots[3]: is empty\nnothing to do");
    EXPECT_EQ(error.problems().size(), 2u);
  }
}

TEST(SpecErrorTest, NothingCollectedThrowsNothing) { EXPECT_NO_THROW(Problems{}.throw_if_any()); }

TEST(ClosestNameTest, FindsTyposAndRefusesFarNames) {
  const std::vector<std::string> names = {"gated_delta_net", "retnet", "gla"};
  EXPECT_EQ(closest_name("gated_deltanet", names), "gated_delta_net");
  EXPECT_EQ(closest_name("retnt", names), "retnet");
  EXPECT_EQ(closest_name("transformer", names), "");
}

TEST(QuotedListTest, JoinsAsInASentence) {
  EXPECT_EQ(quoted_list({"a", "b", "c"}), "\"a\", \"b\" or \"c\"");
  EXPECT_EQ(quoted_list({"a"}), "\"a\"");
}

}  // namespace
}  // namespace plait::spec
