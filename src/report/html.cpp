#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>

#include "src/report/number_format.h"
#include "src/report/report.h"
#include "src/report/utf8.h"
#include "src/spec/embedded_file.h"

namespace plait::embedded {
std::span<const spec::EmbeddedFile> report_page();
}

namespace plait::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kStaticCloud = 1000;  // points beyond the front in the figure for readers without scripts

std::string_view page_file(std::string_view name) {
  for (const spec::EmbeddedFile& file : embedded::report_page()) {
    if (file.name == name) return file.content;
  }
  throw std::logic_error(std::string(name) + " is not compiled in");
}

Json metric_json(const search::Metric& metric) {
  Json units = Json::array();
  for (const DisplayUnit& unit : display_units(metric.unit)) {
    units.push_back({unit.factor, printable(unit.suffix), unit.close ? 1 : 0});
  }
  return {{"name", printable(metric.name)},        {"label", printable(metric_label(metric))},
          {"help", printable(metric.help)},        {"minimize", metric.direction == search::Direction::minimize},
          {"binary", is_binary_unit(metric.unit)}, {"units", std::move(units)}};
}

/// The positional form that report.js reads; `null` where nothing is known.
Json row_json(const ResultRow& row, const std::vector<search::Metric>& metrics) {
  Json values = Json::array(), deviations = Json::array(), sources = Json::array();
  bool any_deviation = false;
  for (const search::Metric& metric : metrics) {
    const auto score = row.scores.find(metric.name);
    const bool known = score != row.scores.end();
    values.push_back(known ? Json(score->second.value) : Json());
    deviations.push_back(known && score->second.deviation ? Json(*score->second.deviation) : Json());
    sources.push_back(known ? Json(static_cast<int>(score->second.source)) : Json());
    any_deviation = any_deviation || !deviations.back().is_null();
  }
  const int flags = (row.on_front ? 1 : 0) | (row.feasible ? 2 : 0) | (row.is_baseline ? 4 : 0);
  return Json::array({printable(row.trial), printable(row.name), printable(row.layout), printable(row.letters), flags,
                      std::move(values), any_deviation ? std::move(deviations) : Json(), std::move(sources)});
}

std::string data_json(const ResultTable& table, const HtmlOptions& options, const Figure& figure) {
  const auto index = [&](const std::string& name) {
    return std::ranges::find(table.metrics, name, &search::Metric::name) - table.metrics.begin();
  };
  Json data = {
      {"x", index(options.x_metric)}, {"y", index(options.y_metric)}, {"command", printable(options.export_command)}};
  data["sources"] = Json::array();
  for (const auto& [source, name] : enum_names(search::Source{})) data["sources"].push_back(name);
  data["mixers"] = Json::array();
  for (const MixerKey& mixer : figure.mixers) {
    const Colour colour = mixer_colour(mixer.colour);
    data["mixers"].push_back({{"letter", printable(std::string(1, mixer.letter))},
                              {"label", printable(mixer.label)},
                              {"colour", hex(colour)},
                              {"ink", hex(text_on(colour))}});
  }
  data["metrics"] = Json::array();
  for (const search::Metric& metric : table.metrics) data["metrics"].push_back(metric_json(metric));
  data["points"] = Json::array();
  for (const ResultRow& row : table.rows) data["points"].push_back(row_json(row, table.metrics));
  // Inside a script element "<" could begin "</script" or "<!--"; the escape means the same to a JSON parser.
  std::string out;
  for (const char c : data.dump()) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

std::string static_figure(Figure figure, const HtmlOptions& options) {
  if (figure.points.size() > kStaticCloud) {
    std::erase_if(figure.points, [](const FigurePoint& point) { return !point.on_front && !point.is_baseline; });
  }
  figure.title = options.title;
  figure.subtitle = options.subtitle;
  return to_svg(figure);
}

}  // namespace

std::string to_html(const ResultTable& table, const HtmlOptions& options) {
  Figure figure = make_figure(table, options.x_metric, options.y_metric);
  std::vector<FigurePoint> letters;  // of all rows, also those that lack the first two metrics
  for (const ResultRow& row : table.rows) letters.emplace_back().letters = row.letters;
  figure.mixers = mixer_legend(letters);
  std::string notes;
  for (const std::string& note : options.notes) notes += "<p>" + escape_markup(note) + "</p>";

  const std::map<std::string_view, std::string> parts = {{"TITLE", escape_markup(options.title)},
                                                         {"SUBTITLE", escape_markup(options.subtitle)},
                                                         {"CSS", std::string(page_file("report.css"))},
                                                         {"JS", std::string(page_file("report.js"))},
                                                         {"NOTES", notes},
                                                         {"STATIC", static_figure(figure, options)},
                                                         {"DATA", data_json(table, options, figure)}};
  // One pass over the page, so that no inserted text is searched for marks.
  std::string out;
  std::string_view page = page_file("report.html");
  while (!page.empty()) {
    const std::size_t open = page.find('@');
    out += page.substr(0, open);
    if (open == std::string_view::npos) break;
    const std::size_t close = page.find('@', open + 1);
    out += parts.at(page.substr(open + 1, close - open - 1));
    page.remove_prefix(close + 1);
  }
  return out;
}

}  // namespace plait::report
