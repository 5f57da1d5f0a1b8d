#include "src/evaluate/cost_evaluator.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "src/spec/notation.h"

namespace plait::evaluate {
namespace {

constexpr spec::Dim kWidth = 512;

search::SearchSpace space_of(const std::vector<std::string>& symbols, std::size_t slots) {
  const spec::Palette palette = spec::Palette::defaults(kWidth);
  search::SearchSpace space;
  std::vector<std::uint16_t> all;
  for (const std::string& symbol : symbols) {
    all.push_back(static_cast<std::uint16_t>(space.candidates.size()));
    space.candidates.push_back({symbol, spec::parse_layout(symbol, palette).layers[0]});
  }
  space.slots.assign(slots, all);
  return space;
}

std::unique_ptr<search::Evaluator> evaluator() {
  spec::ModelSpec model;
  model.d_model = kWidth;
  return make_cost_evaluator(model, costmodel::find_hardware("h100"),
                             {{"", {.context = 8192, .batch = 4}}, {"long", {.context = 1 << 20, .batch = 1}}},
                             {"kv_cache_bytes@long", "prefill_s@long"});
}

RC_GTEST_PROP(CostEvaluatorTest, AdditiveTablesAgreeWithEvaluation, ()) {
  const search::SearchSpace space = space_of({"G", "L", "M", "S", "+", "*"}, 7);
  const auto costs = evaluator();
  const auto path = *rc::gen::container<search::Path>(7, rc::gen::inRange<std::uint16_t>(0, 6));
  const spec::Layout layout = space.layout(path);
  search::Outcome outcome;
  costs->evaluate({&layout, 1}, {&outcome, 1}, {});
  const auto& scores = std::get<search::Scores>(outcome);
  for (const search::Metric& metric : costs->metrics()) {
    const auto table = costs->additive(metric.name, space);
    RC_ASSERT(table.has_value());
    const double direct = scores.at(metric.name).value;
    // Sums of up to eight terms in another order: a few units in the last place.
    RC_ASSERT(std::abs(table->evaluate(path) - direct) <= 1e-14 * std::abs(direct));
  }
}

TEST(CostEvaluatorTest, SharedLowerBoundsMakeParametersNonAdditive) {
  const auto costs = evaluator();
  EXPECT_FALSE(costs->additive("parameters", space_of({"G", "H", "*"}, 4)));
  EXPECT_TRUE(costs->additive("parameters", space_of({"G", "d", "*"}, 4)));
  EXPECT_TRUE(costs->additive("kv_cache_bytes", space_of({"G", "H", "*"}, 4)));
}

TEST(CostEvaluatorTest, WorkloadSuffixesSelectTheWorkload) {
  const search::SearchSpace space = space_of({"*"}, 2);
  const spec::Layout layout = space.layout({0, 0});
  search::Outcome outcome;
  evaluator()->evaluate({&layout, 1}, {&outcome, 1}, {});
  const auto& scores = std::get<search::Scores>(outcome);
  // 2 layers x 2 (k, v) x 512 channels x 2 bytes per token.
  EXPECT_EQ(scores.at("kv_cache_bytes").value, 4096.0 * 8192 * 4);
  EXPECT_EQ(scores.at("kv_cache_bytes@long").value, 4096.0 * (1 << 20));
}

}  // namespace
}  // namespace plait::evaluate
