#include "search/trial.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "src/spec/json_reader.h"

namespace plait::search {
namespace {

constexpr double kLowest = std::numeric_limits<double>::lowest();
constexpr double kMax = std::numeric_limits<double>::max();

double finite(double number, const std::string& metric) {
  if (!std::isfinite(number)) throw std::logic_error("a trial has a score that is not finite: " + metric);
  return number;
}

spec::OrderedJson json_of(const Scores& scores) {
  auto out = spec::OrderedJson::object();
  for (const auto& [metric, score] : scores) {
    auto& row = out[metric];
    row["value"] = finite(score.value, metric);
    row["deviation"] = nullptr;
    if (score.deviation) row["deviation"] = finite(*score.deviation, metric);
    row["source"] = name_of(score.source);
  }
  return out;
}

Value read_value(const spec::Json& json, const std::string& path, spec::Problems& problems) {
  spec::ObjectReader reader(json, path, problems);
  Value value;
  value.value = reader.number("value", kLowest, kMax);
  if (const spec::Json* deviation = reader.require("deviation"); deviation && !deviation->is_null()) {
    value.deviation = reader.number("deviation", 0, kMax);
  }
  value.source = reader.choice<Source>("source");
  return value;
}

Path read_path(const spec::Json* json, const std::string& path, spec::Problems& problems) {
  Path out;
  if (json == nullptr) return out;
  const auto is_candidate = [](const spec::Json& item) {
    return item.is_number_unsigned() && item.get<std::uint64_t>() <= std::numeric_limits<Path::value_type>::max();
  };
  if (!json->is_array() || !std::ranges::all_of(*json, is_candidate)) {
    problems.add(path, "must be a list of candidate numbers");
    return out;
  }
  for (const spec::Json& item : *json) out.push_back(item.get<Path::value_type>());
  return out;
}

}  // namespace

bool is_measurement(const Trial& trial) { return trial.id.starts_with('m'); }

std::string measurement_id(const Trial& trial) { return "m" + trial.id; }

void add_scores(const Trial& measurement, Trial& trial) {
  const auto* measured = std::get_if<Scores>(&measurement.outcome);
  auto* scores = std::get_if<Scores>(&trial.outcome);
  if (measured != nullptr && scores != nullptr) scores->insert(measured->begin(), measured->end());
}

const Value* score(const Trial& trial, std::string_view metric) {
  const auto* scores = std::get_if<Scores>(&trial.outcome);
  if (scores == nullptr) return nullptr;
  const auto found = scores->find(metric);
  return found == scores->end() ? nullptr : &found->second;
}

nlohmann::ordered_json to_json(const Trial& trial) {
  spec::OrderedJson out;
  out["id"] = trial.id;
  if (!trial.name.empty()) out["name"] = trial.name;
  out["layout"] = trial.layout;
  out["path"] = trial.path;
  if (const auto* failure = std::get_if<Failure>(&trial.outcome)) {
    out["failure"] = {{"kind", name_of(failure->kind)}, {"reason", failure->reason}};
  } else {
    out["scores"] = json_of(std::get<Scores>(trial.outcome));
  }
  out["feasible"] = trial.feasible;
  return out;
}

Trial trial_from_json(const nlohmann::json& value, const std::string& path) {
  spec::Problems problems;
  spec::ObjectReader reader(value, path, problems);
  Trial trial;
  trial.id = reader.string("id");
  trial.name = reader.string("name", "");
  trial.layout = reader.string("layout");
  trial.path = read_path(reader.require("path"), reader.path("path"), problems);
  if (const spec::Json* failure = reader.get("failure")) {
    spec::ObjectReader inner(*failure, reader.path("failure"), problems);
    trial.outcome = Failure{inner.choice<Failure::Kind>("kind"), inner.string("reason")};
    if (reader.has("scores")) problems.add(path, "has both scores and a failure");
  } else if (const spec::Json* scores = reader.require("scores")) {
    Scores& read = trial.outcome.emplace<Scores>();
    if (scores->is_object()) {
      for (const auto& [metric, score] : scores->items()) {
        read.emplace(metric, read_value(score, spec::join_path(reader.path("scores"), metric), problems));
      }
    } else {
      problems.add(reader.path("scores"), "must be an object");
    }
  }
  trial.feasible = reader.boolean("feasible");
  problems.throw_if_any();
  return trial;
}

}  // namespace plait::search
