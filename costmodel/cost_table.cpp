#include "costmodel/cost_table.h"

#include <algorithm>
#include <cassert>

namespace plait::costmodel {
namespace {

/// Applies f to each pair of members.
template <class F>
constexpr void for_each_member(LayoutTotals& a, const LayoutTotals& b, F f) {
  f(a.parameters, b.parameters);
  f(a.active_parameters, b.active_parameters);
  f(a.weights_bytes, b.weights_bytes);
  f(a.kv_cache_bytes, b.kv_cache_bytes);
  f(a.state_bytes, b.state_bytes);
  f(a.forward_flops, b.forward_flops);
  f(a.training_flops, b.training_flops);
  f(a.decode_flops_per_token, b.decode_flops_per_token);
  f(a.prefill_hbm_bytes, b.prefill_hbm_bytes);
  f(a.decode_hbm_bytes, b.decode_hbm_bytes);
  const auto estimate = [&](Estimate& x, const Estimate& y) {
    f(x.value, y.value);
    f(x.low, y.low);
    f(x.high, y.high);
  };
  estimate(a.prefill, b.prefill);
  estimate(a.decode_step, b.decode_step);
  estimate(a.prefill_energy, b.prefill_energy);
  estimate(a.decode_energy, b.decode_energy);
}

void add(LayoutTotals& sum, const LayoutTotals& row) {
  for_each_member(sum, row, [](auto& a, const auto& b) { a += b; });
}
void subtract(LayoutTotals& sum, const LayoutTotals& row) {
  for_each_member(sum, row, [](auto& a, const auto& b) { a -= b; });
}

}  // namespace

LayoutTotals totals_of(const CostReport& report) {
  return {report, report.parameters.total, report.parameters.active, report.kv_cache_bytes, report.state_bytes};
}

CostTable::CostTable(const spec::ModelSpec& model, std::size_t slots, std::span<const spec::LayerSpec> candidates,
                     const spec::Workload& workload, const HardwareProfile& hardware)
    : slots_(slots) {
  assert(!candidates.empty() && candidates.size() <= 256);
  spec::ModelSpec uniform = model;
  LayoutTotals most;
  for (const spec::LayerSpec& candidate : candidates) {
    const LayerCost cost = layer_cost(candidate, model, workload, hardware);
    layers_.push_back({cost, cost.parameters, cost.active_parameters, cost.kv_cache_bytes, cost.state_bytes});
    uniform.layout.layers.assign(slots, candidate);
    const ModelCost outside = model_cost(uniform, workload, hardware);
    outside_.push_back({outside, outside.parameters.total(), outside.parameters.total(), 0, 0});
    lower_bounds_.push_back(outside.parameters.lower_bounds);
    outside_varies_ = outside_varies_ || lower_bounds_.back() != lower_bounds_.front();
    // Where every layout of one candidate fits, with the widest share outside, so does every mixture.
    for_each_member(most, layers_.back(), [](auto& a, const auto& b) { a = std::max(a, b); });
  }
  const std::size_t widest_candidate =
      static_cast<std::size_t>(std::ranges::max_element(lower_bounds_) - lower_bounds_.begin());
  for_each_member(most, outside_[widest_candidate], [&](auto& a, const auto& b) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(a)>, std::int64_t>) {
      (Count(static_cast<std::int64_t>(slots)) * a + b).exact("a total of a layout of this space");
    }
  });
}

std::size_t CostTable::widest(std::span<const Choice> layout) const {
  std::size_t found = layout.empty() ? 0 : layout.front();
  if (!outside_varies_) return found;
  for (const Choice choice : layout) {
    if (lower_bounds_[choice] > lower_bounds_[found]) found = choice;
  }
  return found;
}

void CostTable::evaluate(std::span<const Choice> layouts, std::span<LayoutTotals> totals) const {
  assert(layouts.size() == totals.size() * slots_);
  for (std::size_t i = 0; i < totals.size(); ++i) {
    const auto layout = layouts.subspan(i * slots_, slots_);
    LayoutTotals sum = outside_[widest(layout)];
    for (const Choice choice : layout) add(sum, layers_[choice]);
    totals[i] = sum;
  }
}

void CostTable::replace(std::span<Choice> layout, std::size_t slot, Choice choice, LayoutTotals& totals) const {
  const std::size_t before = widest(layout);
  subtract(totals, layers_[layout[slot]]);
  layout[slot] = choice;
  add(totals, layers_[choice]);
  if (const std::size_t after = widest(layout); lower_bounds_[after] != lower_bounds_[before]) {
    subtract(totals, outside_[before]);
    add(totals, outside_[after]);
  }
}

}  // namespace plait::costmodel
