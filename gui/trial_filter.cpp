#include "gui/trial_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

#include "src/spec/error.h"

namespace plait::gui {
namespace {

using Relation = TrialFilter::Bound::Relation;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::optional<double> number(std::string_view text, std::string_view unit) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  const std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (suffix.empty()) return value;
  if (suffix.size() > 1) return std::nullopt;
  const double step = unit == "bytes" || unit == "B" ? 1024 : 1000;
  switch (suffix[0]) {
    case 'u': return value * 1e-6;
    case 'm': return value * 1e-3;
    case 'k':
    case 'K': return value * step;
    case 'M': return value * step * step;
    case 'G':
    case 'B': return value * step * step * step;
    case 'T': return value * step * step * step * step;
    default: return std::nullopt;
  }
}

bool holds(Relation relation, double left, double right) {
  switch (relation) {
    case Relation::less: return left < right;
    case Relation::less_equal: return left <= right;
    case Relation::greater: return left > right;
    case Relation::greater_equal: return left >= right;
    case Relation::equal: return left == right;
  }
  return false;
}

}  // namespace

TrialFilter parse_filter(std::string_view text, const std::vector<search::Metric>& metrics) {
  TrialFilter filter;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    begin = end + 1;
    if (word.empty()) continue;
    if (const std::size_t at = word.find_first_of("<>="); at != std::string_view::npos && at > 0) {
      const std::string name(word.substr(0, at));
      const bool two = at + 1 < word.size() && word[at + 1] == '=';
      const auto metric = std::ranges::find(metrics, name, &search::Metric::name);
      if (metric == metrics.end()) {
        std::vector<std::string> names;
        for (const search::Metric& known : metrics) names.push_back(known.name);
        const std::string close = spec::closest_name(name, names);
        filter.problem = fmt::format("no metric \"{}\"{}", name, close.empty() ? "" : fmt::format(": {}?", close));
        continue;
      }
      const std::string_view rest = word.substr(at + (two ? 2 : 1));
      const std::optional<double> value = number(rest, metric->unit);
      if (!value) {
        filter.problem = fmt::format("\"{}\" is no number", rest);
        continue;
      }
      const Relation relation = word[at] == '<'   ? (two ? Relation::less_equal : Relation::less)
                                : word[at] == '>' ? (two ? Relation::greater_equal : Relation::greater)
                                                  : Relation::equal;
      filter.bounds.push_back({name, relation, *value});
      continue;
    }
    const bool wanted = word[0] != '!';
    const std::string_view flag = wanted ? word : word.substr(1);
    if (flag == "front") {
      filter.flags.emplace_back(TrialFilter::Flag::front, wanted);
    } else if (flag == "feasible") {
      filter.flags.emplace_back(TrialFilter::Flag::feasible, wanted);
    } else if (flag == "baseline") {
      filter.flags.emplace_back(TrialFilter::Flag::baseline, wanted);
    } else {
      filter.words.push_back(lower(word));
    }
  }
  return filter;
}

std::vector<std::uint8_t> matches(const TrialFilter& filter, const app::StudyResults& results,
                                  const app::TrialTable& table) {
  std::vector<std::uint8_t> out(table.size(), 1);
  for (const TrialFilter::Bound& bound : filter.bounds) {
    const app::TrialTable::Column* column = table.find(bound.metric);
    if (column == nullptr) continue;
    for (std::size_t row = 0; row < out.size(); ++row) {
      if (!holds(bound.relation, column->value[row], bound.value)) out[row] = 0;
    }
  }
  for (const auto& [flag, wanted] : filter.flags) {
    for (std::size_t row = 0; row < out.size(); ++row) {
      const bool is = flag == TrialFilter::Flag::front      ? table.on_front[row] != 0
                      : flag == TrialFilter::Flag::feasible ? table.feasible[row] != 0
                                                            : table.is_baseline(row);
      if (is != wanted) out[row] = 0;
    }
  }
  for (const std::string& word : filter.words) {
    for (std::size_t row = 0; row < out.size(); ++row) {
      if (out[row] == 0) continue;
      const search::Trial& trial = app::trial_at(results, row);
      if (trial.id != word && lower(trial.name).find(word) == std::string::npos &&
          lower(trial.layout).find(word) == std::string::npos) {
        out[row] = 0;
      }
    }
  }
  return out;
}

}  // namespace plait::gui
