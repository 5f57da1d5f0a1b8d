#include "src/app/validation.h"

#include <gtest/gtest.h>

namespace plait::app {
namespace {

class PublishedCount : public testing::TestWithParam<ExactCase> {};

TEST_P(PublishedCount, IsReproducedToTheDigit) { EXPECT_EQ(GetParam().counted, GetParam().published); }

INSTANTIATE_TEST_SUITE_P(Exact, PublishedCount, testing::ValuesIn(exact_cases()), [](const auto& row) {
  std::string name = row.param.name + "_" + row.param.quantity;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
});

}  // namespace
}  // namespace plait::app
