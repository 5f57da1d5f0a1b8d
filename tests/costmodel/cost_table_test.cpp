#include "costmodel/cost_table.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "src/spec/error.h"
#include "tests/costmodel/models.h"

namespace plait::costmodel {
namespace {

using spec::Dim;

std::vector<spec::LayerSpec> every_mixer() {
  std::vector<spec::LayerSpec> candidates;
  for (std::size_t i = 0; i < std::variant_size_v<spec::Mixer>; ++i) {
    candidates.push_back({.mixer = spec::default_mixer(i, 512), .channel_mixer = spec::SwiGlu{1024}});
  }
  candidates.push_back({.mixer = spec::Hgrn{.width = 2048}, .channel_mixer = spec::Mlp{512}});
  return candidates;
}

LayoutTotals reported(spec::ModelSpec spec, const std::vector<spec::LayerSpec>& candidates,
                      std::span<const CostTable::Choice> layout, const spec::Workload& workload) {
  for (const auto choice : layout) spec.layout.layers.push_back(candidates[choice]);
  return totals_of(cost_report(spec, workload, h100()));
}

RC_GTEST_PROP(CostTableTest, GivesTheTotalsOfTheReportToTheLastBit, ()) {
  auto spec = model(512, 1000, *rc::gen::arbitrary<bool>());
  spec.dtype = *rc::gen::element(spec::DType::bf16, spec::DType::int4);
  const auto candidates = every_mixer();
  const auto slots = *rc::gen::inRange<std::size_t>(1, 12);
  const spec::Workload workload{.context = *rc::gen::inRange<Dim>(1, 100'000), .batch = *rc::gen::inRange<Dim>(1, 32)};
  const CostTable table(spec, slots, candidates, workload, h100());
  const auto layouts = *rc::gen::container<std::vector<CostTable::Choice>>(
      3 * slots, rc::gen::inRange<CostTable::Choice>(0, static_cast<CostTable::Choice>(candidates.size())));
  std::vector<LayoutTotals> totals(3);
  table.evaluate(layouts, totals);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto layout = std::span(layouts).subspan(i * slots, slots);
    RC_ASSERT(totals[i] == reported(spec, candidates, layout, workload));
  }

  auto layout = std::vector(layouts.begin(), layouts.begin() + static_cast<std::ptrdiff_t>(slots));
  LayoutTotals running = totals[0];
  for (int step = 0; step < 5; ++step) {
    table.replace(layout, *rc::gen::inRange<std::size_t>(0, slots),
                  *rc::gen::inRange<CostTable::Choice>(0, static_cast<CostTable::Choice>(candidates.size())), running);
    RC_ASSERT(running == reported(spec, candidates, layout, workload));
  }
}

TEST(CostTableTest, RefusesASpaceWithALayoutThatCannotBeCounted) {
  const std::vector<spec::LayerSpec> candidates = {{.mixer = gdn(8, 8, 64, 64)}, {.mixer = attention(64, 64, 64)}};
  const spec::Workload workload{.context = 1 << 20, .batch = 1};
  EXPECT_NO_THROW(CostTable(model(64, 1), 100, candidates, workload, h100()));
  EXPECT_THROW(CostTable(model(64, 1), 4096, candidates, workload, h100()), spec::SpecError);
}

}  // namespace
}  // namespace plait::costmodel
