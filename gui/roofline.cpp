#include "gui/roofline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace plait::gui {

double Roofline::roof(double intensity) const { return std::min(peak_flops_per_s, intensity * bandwidth_bytes_per_s); }

std::array<double, 4> Roofline::box() const {
  const double ridge = peak_flops_per_s / bandwidth_bytes_per_s;
  std::array<double, 4> box{ridge / 10, ridge * 10, peak_flops_per_s, peak_flops_per_s * 2};
  for (const RooflinePoint& point : points) {
    box[0] = std::min(box[0], point.intensity() / 2);
    box[1] = std::max(box[1], point.intensity() * 2);
    box[2] = std::min(box[2], point.rate() / 2);
    box[3] = std::max(box[3], point.rate() * 2);
  }
  box[2] = std::min(box[2], roof(box[0]));
  return box;
}

Roofline make_roofline(const app::StudySpec& study, const spec::Layout& layout, const costmodel::CostReport& costs) {
  Roofline roofline{.hardware = study.hardware.label,
                    .peak_flops_per_s = study.hardware.peak(study.model.dtype),
                    .bandwidth_bytes_per_s = study.hardware.bandwidth_bytes_per_s.value,
                    .points = {}};
  const auto add = [&](RooflinePoint point) {
    if (point.flops > 0 && point.bytes > 0 && point.time_s > 0) roofline.points.push_back(std::move(point));
  };
  const auto batch = static_cast<double>(study.workload().batch);
  const std::string letters = spec::letters(layout);
  std::vector<std::size_t> done;
  for (std::size_t i = 0; i < costs.layers.size(); ++i) {
    const costmodel::LayerCost& cost = costs.layers[i];
    RooflinePoint point{
        .name = std::string(spec::mixer_info(layout.layers[i].mixer).label), .letter = letters[i], .layers = {}};
    if (std::ranges::any_of(done, [&](std::size_t k) { return layout.layers[k] == layout.layers[i]; })) continue;
    done.push_back(i);
    for (std::size_t k = i; k < costs.layers.size(); ++k) {
      if (layout.layers[k] == layout.layers[i]) point.layers.push_back(k);
    }
    point.flops = static_cast<double>(cost.forward_flops);
    point.bytes = static_cast<double>(cost.prefill_hbm_bytes);
    point.time_s = cost.prefill.value;
    point.bound = cost.prefill_bound;
    add(point);
    point.decode = true;
    point.flops = static_cast<double>(cost.decode_flops_per_token) * batch;
    point.bytes = static_cast<double>(cost.decode_hbm_bytes);
    point.time_s = cost.decode_step.value;
    point.bound = cost.decode_bound;
    add(point);
  }
  add({.name = "embedding and head",
       .layers = {},
       .decode = true,
       .flops = static_cast<double>(costs.model.decode_flops_per_token) * batch,
       .bytes = static_cast<double>(costs.model.decode_hbm_bytes),
       .time_s = costs.model.decode_step.value,
       .bound = costmodel::Bound::memory});
  return roofline;
}

report::LineChart roofline_chart(const Roofline& roofline, const std::string& title) {
  report::LineChart chart;
  chart.title = title + " below the roof";
  chart.subtitle = roofline.hardware;
  chart.x = {.label = "FLOPs per byte of memory traffic", .unit = "1", .log = true};
  chart.y = {.label = "rate", .unit = "flops/s", .direction = search::Direction::maximize, .log = true};
  const auto [x_low, x_high, y_low, y_high] = roofline.box();
  const double ridge = roofline.peak_flops_per_s / roofline.bandwidth_bytes_per_s;
  chart.lines.push_back(
      {"roof",
       {{x_low, roofline.roof(x_low)}, {ridge, roofline.peak_flops_per_s}, {x_high, roofline.peak_flops_per_s}},
       0});
  for (std::size_t i = 0; i < roofline.points.size(); ++i) {
    const RooflinePoint& point = roofline.points[i];
    chart.lines.push_back({fmt::format("{}, {}", point.name, point.decode ? "decode" : "prefill"),
                           {{point.intensity(), point.rate()}},
                           i + 1});
  }
  return chart;
}

}  // namespace plait::gui
