#pragma once

#include <array>
#include <string>
#include <vector>

#include "costmodel/cost_report.h"
#include "src/app/study_spec.h"
#include "src/report/line_chart.h"

namespace plait::gui {

/// A layer, or what equal layers each do, or the rest of the model (no layers), in one phase.
struct RooflinePoint {
  std::string name;
  char letter = ' ';
  std::vector<std::size_t> layers;
  bool decode = false;  ///< a decode step of the batch, else its prefill
  double flops = 0;
  double bytes = 0;  ///< to and from main memory
  double time_s = 0;
  costmodel::Bound bound{};

  double intensity() const { return flops / bytes; }
  double rate() const { return flops / time_s; }
};

/// A layout below the roof of its hardware (S. Williams, A. Waterman, D. Patterson, CACM 52(4), 2009): arithmetic
/// against memory traffic, both as counted; times as estimated.
struct Roofline {
  std::string hardware;
  double peak_flops_per_s = 0;  ///< of the model's type
  double bandwidth_bytes_per_s = 0;
  std::vector<RooflinePoint> points;

  double roof(double intensity) const;  ///< FLOP/s
  std::array<double, 4> box() const;    ///< intensities and rates that hold everything
};

Roofline make_roofline(const app::StudySpec& study, const spec::Layout& layout, const costmodel::CostReport& costs);

report::LineChart roofline_chart(const Roofline& roofline, const std::string& title);

}  // namespace plait::gui
