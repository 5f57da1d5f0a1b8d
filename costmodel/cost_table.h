#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "costmodel/cost_report.h"

/// Costs of very many layouts of one space: every candidate layer is costed once, a layout is a sum of rows.
namespace plait::costmodel {

/// The totals of a CostReport, equal to it to the last bit.
struct LayoutTotals : Costs {
  std::int64_t parameters = 0;
  std::int64_t active_parameters = 0;
  std::int64_t kv_cache_bytes = 0;
  std::int64_t state_bytes = 0;

  bool operator==(const LayoutTotals&) const = default;
};

LayoutTotals totals_of(const CostReport& report);

/// Immutable; evaluation allocates nothing and may run on several threads.
class CostTable {
 public:
  using Choice = std::uint8_t;  ///< index of a candidate

  /// `model` without its layout; each of `slots` layers is one of 1 to 256 `candidates`, valid for the model. Throws
  /// SpecError when some layout of the space has a total past 2^63 - 1.
  CostTable(const spec::ModelSpec& model, std::size_t slots, std::span<const spec::LayerSpec> candidates,
            const spec::Workload& workload, const HardwareProfile& hardware);

  std::size_t slots() const { return slots_; }
  std::size_t candidates() const { return layers_.size(); }

  /// Totals of totals.size() layouts, each `slots` choices after one another.
  void evaluate(std::span<const Choice> layouts, std::span<LayoutTotals> totals) const;

  /// Turns the totals of `layout` into those after one slot changed, and writes the choice.
  void replace(std::span<Choice> layout, std::size_t slot, Choice choice, LayoutTotals& totals) const;

 private:
  std::size_t widest(std::span<const Choice> layout) const;

  std::size_t slots_;
  std::vector<LayoutTotals> layers_;   // by candidate
  std::vector<LayoutTotals> outside_;  // by candidate: the model's share when its lower bounds are the widest
  std::vector<std::int64_t> lower_bounds_;
  bool outside_varies_ = false;
};

}  // namespace plait::costmodel
