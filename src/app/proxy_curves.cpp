#include "src/app/proxy_curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "src/app/output.h"

namespace plait::app {
namespace {

constexpr std::string_view kFile = "learning_curves.json";
constexpr std::string_view kFormat = "plait-learning-curves/1";
constexpr double kLargest = 1e300;

/// [[step, loss, accuracy], ...]
std::vector<proxy::CurvePoint> points_from(const spec::Json& value, const std::string& path, spec::Problems& problems) {
  std::vector<proxy::CurvePoint> points;
  const bool triples = value.is_array() && std::ranges::all_of(value, [](const spec::Json& point) {
                         return point.is_array() && point.size() == 3 &&
                                std::ranges::all_of(point, [](const spec::Json& number) { return number.is_number(); });
                       });
  if (!triples) {
    problems.add(path, "must be a list of [step, loss, accuracy]");
    return points;
  }
  for (const spec::Json& point : value) {
    points.push_back({point[0].get<std::int64_t>(), point[1].get<double>(), point[2].get<double>()});
  }
  return points;
}

}  // namespace

void write_curves(const std::filesystem::path& folder, std::span<const MeasuredCurve> curves) {
  spec::OrderedJson out;
  out["format"] = kFormat;
  out["curves"] = spec::OrderedJson::array();
  for (const MeasuredCurve& measured : curves) {
    spec::OrderedJson points = spec::OrderedJson::array();
    for (const proxy::CurvePoint& point : measured.curve.points) {
      const bool finite = std::isfinite(point.loss) && std::isfinite(point.accuracy);
      if (finite) points.push_back({point.step, point.loss, point.accuracy});
    }
    out["curves"].push_back({{"trials", measured.trials},
                             {"task", measured.curve.task},
                             {"rung", measured.curve.rung},
                             {"learning_rate", measured.curve.learning_rate},
                             {"seed", measured.curve.seed},
                             {"points", std::move(points)}});
  }
  replace_file(folder / kFile, out.dump() + "\n");
}

std::vector<MeasuredCurve> read_curves(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / kFile;
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return {};
  return curves_from_json(spec::read_json_file(file.string()), file.string());
}

std::vector<MeasuredCurve> curves_from_json(const spec::Json& json, const std::string& name) {
  spec::Problems problems;
  spec::ObjectReader reader(json, name, problems);
  reader.one_of("format", {std::string(kFormat)});
  std::vector<MeasuredCurve> curves;
  if (const spec::Json* list = reader.require("curves"); list != nullptr && list->is_array()) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      spec::ObjectReader entry((*list)[i], spec::index_path(reader.path("curves"), i), problems);
      MeasuredCurve& measured = curves.emplace_back();
      measured.trials = entry.strings("trials", true);
      measured.curve.task = entry.string("task");
      measured.curve.rung = static_cast<std::size_t>(entry.integer("rung", 0, 1000));
      measured.curve.learning_rate = entry.number("learning_rate", 0, kLargest);
      measured.curve.seed = static_cast<std::size_t>(entry.integer("seed", 0, 1'000'000));
      if (const spec::Json* points = entry.require("points")) {
        measured.curve.points = points_from(*points, entry.path("points"), problems);
      }
      entry.finish();
    }
  } else if (list != nullptr) {
    problems.add(reader.path("curves"), "must be a list");
  }
  reader.finish();
  problems.throw_if_any();
  return curves;
}

std::vector<CurveGroup> curve_groups(std::span<const MeasuredCurve> curves) {
  std::vector<CurveGroup> groups;
  for (const MeasuredCurve& measured : curves) {
    const CurveGroup group{measured.curve.rung, measured.curve.task};
    if (std::ranges::find(groups, group) == groups.end()) groups.push_back(group);
  }
  return groups;
}

report::LineChart curve_chart(std::span<const MeasuredCurve> curves, const CurveGroup& group, CurveQuantity quantity,
                              const std::function<std::string(const MeasuredCurve&)>& label) {
  const bool accuracy = quantity == CurveQuantity::accuracy;
  report::LineChart chart;
  chart.title =
      fmt::format("{}: {}", group.task, accuracy ? "accuracy at the hardest load" : "training loss (nats per answer)");
  chart.subtitle = "a line per seed, at the best learning rate of its layout";
  chart.x = {.label = "training step", .unit = "1", .direction = search::Direction::minimize, .log = false};
  chart.y = {.label = accuracy ? "accuracy" : "loss",
             .unit = "1",
             .direction = accuracy ? search::Direction::maximize : search::Direction::minimize,
             .log = false};
  std::vector<std::vector<std::string>> models;
  for (const MeasuredCurve& measured : curves) {
    if (!(CurveGroup{measured.curve.rung, measured.curve.task} == group)) continue;
    const auto model = std::ranges::find(models, measured.trials);
    report::LineChart::Line line{
        .label = label(measured), .points = {}, .group = static_cast<std::size_t>(model - models.begin())};
    if (model == models.end()) models.push_back(measured.trials);
    for (const proxy::CurvePoint& point : measured.curve.points) {
      line.points.push_back({static_cast<double>(point.step), accuracy ? point.accuracy : point.loss});
    }
    chart.lines.push_back(std::move(line));
  }
  return chart;
}

}  // namespace plait::app
