#include "src/app/importance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace plait::app {
namespace {

constexpr int kGroups = 12;  ///< of depths

struct Sample {
  const search::Path* path;
  double value;
};

/// Epsilon squared of the groups of `key`. `variance` is a sum of squares.
Importance::Feature feature_of(std::string name, const std::vector<Sample>& samples, double mean, double variance,
                               bool maximize, const std::function<int(const search::Path&)>& key,
                               const std::function<std::string(int)>& text) {
  struct Group {
    double sum = 0;
    double count = 0;
  };
  std::map<int, Group> groups;
  for (const Sample& sample : samples) {
    Group& group = groups[key(*sample.path)];
    group.sum += sample.value;
    group.count += 1;
  }
  Importance::Feature feature{std::move(name), 0, ""};
  double between = 0, best = 0;
  for (const auto& [value, group] : groups) {
    const double of_group = group.sum / group.count;
    between += group.count * (of_group - mean) * (of_group - mean);
    if (feature.best.empty() || (maximize ? of_group > best : of_group < best)) {
      best = of_group;
      feature.best = text(value);
    }
  }
  const auto n = static_cast<double>(samples.size()), k = static_cast<double>(groups.size());
  const double within = std::max(0.0, variance - between);
  feature.share = n > k ? std::clamp(1 - (within / (n - k)) / (variance / (n - 1)), 0.0, 1.0) : 0;
  return feature;
}

}  // namespace

Importance importance_of(const StudyResults& results, const TrialTable& table, std::string_view metric) {
  Importance out;
  const TrialTable::Column* column = table.find(metric);
  const auto& space = results.spec.space;
  if (column == nullptr) return out;
  std::vector<Sample> samples;
  const std::size_t step = 1 + results.trials.size() / kMostTrials;
  for (std::size_t row = 0; row < results.trials.size(); row += step) {
    const search::Path& path = results.trials[row].path;
    if (std::isfinite(column->value[row]) && path.size() == space.size())
      samples.push_back({&path, column->value[row]});
  }
  double mean = 0, variance = 0;
  for (const Sample& sample : samples) mean += sample.value / static_cast<double>(samples.size());
  for (const Sample& sample : samples) variance += (sample.value - mean) * (sample.value - mean);
  out.trials = samples.size();
  if (samples.size() < 3 || !(variance > 1e-18 * static_cast<double>(samples.size()) * mean * mean)) return out;
  const auto objective = std::ranges::find(results.spec.objectives, metric, &search::Objective::metric);
  const bool maximize =
      (objective == results.spec.objectives.end() ? column->metric.direction : objective->direction) ==
      search::Direction::maximize;

  std::vector<bool> full;
  for (const search::Candidate& candidate : space.candidates)
    full.push_back(spec::is_full_attention(candidate.layer.mixer));
  const auto number = [](int value) { return std::to_string(value); };
  const auto add = [&](std::vector<Importance::Feature>& list, std::string name,
                       const std::function<int(const search::Path&)>& key,
                       const std::function<std::string(int)>& text) {
    Importance::Feature feature = feature_of(std::move(name), samples, mean, variance, maximize, key, text);
    list.push_back(std::move(feature));
  };
  const auto count_if = [](const search::Path& path, const auto& holds) {
    return static_cast<int>(std::ranges::count_if(path, holds));
  };
  const bool any_full = std::ranges::find(full, true) != full.end();
  const auto layers = static_cast<int>(space.size());
  if (any_full) {
    add(
        out.features, "full-attention layers",
        [&](const auto& path) { return count_if(path, [&](auto c) { return full[c]; }); }, number);
    add(
        out.features, "first full-attention layer",
        [&](const auto& path) {
          return static_cast<int>(std::ranges::find_if(path, [&](auto c) { return full[c]; }) - path.begin());
        },
        [&](int value) { return value == layers ? std::string("none") : fmt::format("layer {}", value); });
    add(
        out.features, "last full-attention layer",
        [&](const auto& path) {
          const auto at = std::find_if(path.rbegin(), path.rend(), [&](auto c) { return full[c]; });
          return static_cast<int>(path.rend() - at) - 1;
        },
        [](int value) { return value < 0 ? std::string("none") : fmt::format("layer {}", value); });
    add(
        out.features, "longest run without full attention",
        [&](const auto& path) {
          int longest = 0, run = 0;
          for (const auto c : path) longest = std::max(longest, run = full[c] ? 0 : run + 1);
          return longest;
        },
        number);
    add(
        out.features, "mean depth of full attention",
        [&](const auto& path) {
          double sum = 0, count = 0;
          for (std::size_t i = 0; i < path.size(); ++i) {
            if (full[path[i]]) sum += static_cast<double>(i), count += 1;
          }
          return count == 0 ? -1 : static_cast<int>(sum / count / layers * kGroups);
        },
        [](int value) {
          return value < 0 ? std::string("none")
                           : fmt::format("{:.0f} to {:.0f} % of the depth", 100.0 * value / kGroups,
                                         100.0 * (value + 1) / kGroups);
        });
  }
  add(
      out.features, "changes from layer to layer",
      [](const auto& path) {
        int changes = 0;
        for (std::size_t i = 1; i < path.size(); ++i) changes += path[i] != path[i - 1];
        return changes;
      },
      number);
  add(
      out.features, "kinds of layer",
      [](const auto& path) {
        search::Path kinds = path;
        std::ranges::sort(kinds);
        return static_cast<int>(std::ranges::unique(kinds).begin() - kinds.begin());
      },
      number);
  for (std::size_t c = 0; c < space.candidates.size(); ++c) {
    if (full[c]) continue;
    add(
        out.features,
        fmt::format("{} layers ({})", spec::mixer_info(space.candidates[c].layer.mixer).label,
                    space.candidates[c].symbol),
        [&](const auto& path) { return count_if(path, [&](auto at) { return at == c; }); }, number);
  }
  std::ranges::stable_sort(out.features, std::greater{}, &Importance::Feature::share);
  for (std::size_t i = 0; i < space.size(); ++i) {
    add(
        out.slots, fmt::format("layer {}", i), [&](const auto& path) { return static_cast<int>(path[i]); },
        [&](int c) { return space.candidates[static_cast<std::size_t>(c)].symbol; });
  }
  return out;
}

}  // namespace plait::app
