#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "costmodel/cost_table.h"
#include "tests/costmodel/models.h"

namespace {

std::atomic<std::int64_t> allocations = 0;

void* counted(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// Every allocation of this program through `new`.
void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace plait::costmodel {
namespace {

template <class Work>
std::int64_t allocations_of(Work work) {
  const std::int64_t before = allocations;
  work();
  return allocations - before;
}

std::vector<spec::LayerSpec> every_mixer() {
  std::vector<spec::LayerSpec> candidates;
  for (std::size_t i = 0; i < std::variant_size_v<spec::Mixer>; ++i) {
    candidates.push_back({.mixer = spec::default_mixer(i, 512), .channel_mixer = spec::SwiGlu{1024}});
  }
  return candidates;
}

TEST(AllocationTest, TheCounterSeesAVector) {
  EXPECT_EQ(allocations_of([] { std::vector<int>(10).resize(100); }), 2);
}

TEST(AllocationTest, CostingALayerAllocatesNothing) {
  const auto hardware = h100();
  const auto spec = model(512, 1000);
  for (const spec::LayerSpec& layer : every_mixer()) {
    EXPECT_EQ(allocations_of([&] { layer_cost(layer, spec, {}, hardware); }), 0) << spec::mixer_info(layer.mixer).name;
  }
}

TEST(AllocationTest, EvaluatingLayoutsOfATableAllocatesNothing) {
  const auto candidates = every_mixer();
  constexpr std::size_t kSlots = 24;
  const CostTable table(model(512, 1000), kSlots, candidates, {}, h100());
  std::vector<CostTable::Choice> layouts(10 * kSlots);
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    layouts[i] = static_cast<CostTable::Choice>(i * 7 % candidates.size());
  }
  std::vector<LayoutTotals> totals(10);
  EXPECT_EQ(allocations_of([&] {
              table.evaluate(layouts, totals);
              table.replace(std::span(layouts).first(kSlots), 3, 5, totals[0]);
            }),
            0);
}

}  // namespace
}  // namespace plait::costmodel
