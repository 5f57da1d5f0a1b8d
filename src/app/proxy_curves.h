#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "src/evaluate/proxy_evaluator.h"
#include "src/report/line_chart.h"
#include "src/spec/json_reader.h"

/// The learning curves behind measured scores: `learning_curves.json` beside a journal. For looking at; no score is
/// read from it, and a search resumes without it.
namespace plait::app {

struct MeasuredCurve {
  std::vector<std::string> trials;  ///< ids of the trials and baselines that have this proxy model: "9", "b0"
  evaluate::ProxyCurve curve;
};

/// Throws std::system_error.
void write_curves(const std::filesystem::path& folder, std::span<const MeasuredCurve> curves);

/// Nothing when there is no such file. Throws SpecError, std::system_error.
std::vector<MeasuredCurve> read_curves(const std::filesystem::path& folder);

/// From the content of such a file; `name` stands in what is wrong with it. Throws SpecError.
std::vector<MeasuredCurve> curves_from_json(const spec::Json& json, const std::string& name);

/// The rungs that curves are of, each with its tasks: what can be drawn in one chart.
struct CurveGroup {
  std::size_t rung = 0;
  std::string task;

  bool operator==(const CurveGroup&) const = default;
};
std::vector<CurveGroup> curve_groups(std::span<const MeasuredCurve> curves);

enum class CurveQuantity { accuracy, loss };

/// Accuracy at the hardest load, or the training loss, over steps: a line per seed, one colour per proxy model.
/// `label` names one by its trials.
report::LineChart curve_chart(std::span<const MeasuredCurve> curves, const CurveGroup& group, CurveQuantity quantity,
                              const std::function<std::string(const MeasuredCurve&)>& label);

}  // namespace plait::app
