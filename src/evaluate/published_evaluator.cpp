#include <fmt/format.h>

#include <algorithm>

#include "src/evaluate/prior_evaluator.h"
#include "src/quality/published.h"

namespace plait::evaluate {
namespace {

using search::Direction;
using search::Metric;

constexpr std::size_t kPublishedLayers = 24;

/// A configuration of arXiv 2507.06457: 24 layers, one linear mixer, every N-th layer full attention (or all, or none).
struct Configuration {
  std::string_view mixer;
  std::size_t full = 0;
};

std::optional<Configuration> configuration_of(const spec::Layout& layout) {
  if (layout.size() != kPublishedLayers) return std::nullopt;
  Configuration found{.mixer = {}, .full = spec::count_full(layout)};
  for (std::size_t i = 0; i < layout.size(); ++i) {
    const spec::Mixer& mixer = layout.layers[i].mixer;
    const std::string_view name = spec::mixer_info(mixer).name;
    if (spec::is_full_attention(mixer)) {
      if (name != "full_attention") return std::nullopt;
      if (found.full < kPublishedLayers && (i + 1) % (kPublishedLayers / found.full) != 0) return std::nullopt;
      continue;
    }
    if (!found.mixer.empty() && name != found.mixer) return std::nullopt;
    found.mixer = name;
  }
  if (found.full == kPublishedLayers) found.mixer = "full_attention";
  return found;
}

class PublishedEvaluator final : public search::Evaluator {
 public:
  explicit PublishedEvaluator(std::vector<std::string> metrics) : wanted_(std::move(metrics)) {}

  std::string_view name() const override { return "published"; }
  std::vector<Metric> metrics() const override {
    std::vector<Metric> metrics = published_metrics();
    std::erase_if(metrics,
                  [&](const Metric& metric) { return std::ranges::find(wanted_, metric.name) == wanted_.end(); });
    return metrics;
  }
  search::CostClass cost_class() const override { return search::CostClass::microseconds; }

  void evaluate(std::span<const spec::Layout> layouts, std::span<search::Outcome> outcomes, std::stop_token) override {
    for (std::size_t i = 0; i < layouts.size(); ++i) outcomes[i] = look_up(layouts[i]);
  }

 private:
  search::Outcome look_up(const spec::Layout& layout) const {
    const std::optional<Configuration> found = configuration_of(layout);
    search::Scores scores;
    for (const std::string& metric : wanted_) {
      std::optional<double> value;
      if (found) {
        value = metric == "published_recall" ? quality::published_recall(found->mixer, found->full)
                                             : quality::published_lm_average(found->mixer, found->full);
      }
      if (!value) {
        return search::Failure{search::Failure::Kind::unsupported,
                               fmt::format("{} was published for no such layout", metric.substr(metric.find('_') + 1))};
      }
      scores[metric] = {*value, std::nullopt, search::Source::measured};
    }
    return scores;
  }

  std::vector<std::string> wanted_;
};

}  // namespace

std::vector<Metric> published_metrics() {
  return {
      {"published_recall", "1", Direction::maximize, "RULER average as printed in arXiv 2507.06457, Table 7"},
      {"published_lm_average", "1", Direction::maximize, "zero-shot average as printed in arXiv 2507.06457, Table 6"}};
}

std::unique_ptr<search::Evaluator> make_published_evaluator(std::vector<std::string> metrics) {
  return std::make_unique<PublishedEvaluator>(std::move(metrics));
}

}  // namespace plait::evaluate
