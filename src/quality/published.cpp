#include "src/quality/published.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>

#include "src/spec/embedded_file.h"

namespace plait::embedded {
std::span<const spec::EmbeddedFile> published_files();
}

namespace plait::quality {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kTransformer = "full_attention";

// The files are part of the program, so a missing key is our mistake and nlohmann's exception is enough.
Json embedded_json(std::string_view name) {
  for (const spec::EmbeddedFile& file : embedded::published_files()) {
    if (file.name == name) return Json::parse(file.content);
  }
  throw std::logic_error(fmt::format("no embedded file {}", name));
}

std::vector<RatioCell> ratio_cells(const Json& file, const char* table) {
  std::vector<RatioCell> cells;
  const Json& ratios = file.at("ratios");
  for (const auto& [mixer, values] : file.at(table).items()) {
    if (values.size() != ratios.size()) throw std::logic_error(fmt::format("{}.{}: wrong length", table, mixer));
    for (std::size_t i = 0; i < ratios.size(); ++i) {
      cells.push_back({mixer, ratios[i].at("name"), file.at("layers"), ratios[i].at("full"), values[i]});
    }
  }
  return cells;
}

PublishedTables load() {
  PublishedTables tables;
  const Json seed = embedded_json("hybrid_linear_attention.json");
  tables.lm_average = ratio_cells(seed, "lm_average");
  tables.recall = ratio_cells(seed, "recall");
  const Json& transformer = seed.at("transformer");
  tables.transformer_lm_average =
      (transformer.at("lm_average_340m").get<double>() + transformer.at("lm_average_1.3b").get<double>()) / 2;
  tables.transformer_recall = transformer.at("recall");

  const Json placement = embedded_json("hybrid_architectures.json");
  for (const Json& row : placement.at("rows")) {
    PlacementCell cell{
        row.at("size"), row.at("ratio"), row.at("table"), row.at("layers"), row.at("full"), row.at("nll"), {}};
    if (row.contains("accuracy")) cell.accuracy = row.at("accuracy").get<double>();
    tables.placement.push_back(std::move(cell));
  }

  const Json kimi = embedded_json("kimi_linear.json");
  for (const Json& row : kimi.at("rows")) {
    tables.kimi.push_back({row.at("ratio"), kimi.at("layers"), row.at("full"), row.at("validation_perplexity")});
  }
  for (const Json* file : {&seed, &placement, &kimi}) tables.sources.push_back(file->at("source"));
  return tables;
}

std::optional<double> find(const std::vector<RatioCell>& cells, std::string_view mixer, std::size_t full) {
  const auto cell = std::ranges::find_if(cells, [&](const RatioCell& c) { return c.mixer == mixer && c.full == full; });
  return cell == cells.end() ? std::nullopt : std::optional(cell->value);
}

}  // namespace

std::string PlacementCell::name() const { return fmt::format("{} {{{}}} of {}", size, fmt::join(full, ","), layers); }

const PublishedTables& published_tables() {
  static const PublishedTables tables = load();
  return tables;
}

std::optional<double> published_lm_average(std::string_view mixer, std::size_t full) {
  const PublishedTables& tables = published_tables();
  if (mixer == kTransformer && full == tables.lm_average.front().layers) return tables.transformer_lm_average;
  return find(tables.lm_average, mixer, full);
}

std::optional<double> published_recall(std::string_view mixer, std::size_t full) {
  const PublishedTables& tables = published_tables();
  if (mixer == kTransformer && full == tables.recall.front().layers) return tables.transformer_recall;
  return find(tables.recall, mixer, full);
}

std::optional<std::size_t> published_full_layers(std::string_view ratio) {
  const auto& cells = published_tables().lm_average;
  const auto cell = std::ranges::find(cells, ratio, &RatioCell::ratio);
  return cell == cells.end() ? std::nullopt : std::optional(cell->full);
}

}  // namespace plait::quality
