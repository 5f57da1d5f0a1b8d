#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "search/objective.h"

namespace plait::search {

/// A layout of a space as the candidate index chosen for every slot.
using Path = std::vector<std::uint16_t>;

/// One evaluated layout. Finished trials never change.
struct Trial {
  std::string id;      ///< "0", "1", ... in ask order; baselines are "b0", "b1", ...
  std::string name;    ///< of a baseline or a listed layout; else empty
  Path path;           ///< empty for a baseline, which need not lie in the space
  std::string layout;  ///< notation
  Outcome outcome;
  bool feasible = true;  ///< scored and inside every constraint

  bool operator==(const Trial&) const = default;
};

/// What is measured on a finished trial afterwards is a record of its own, since trials never change: its id is "m" and
/// the trial's ("m9", "mb0"), its name says how it was measured, layout and path are the trial's, its outcome holds the
/// measured scores alone.
bool is_measurement(const Trial& trial);
std::string measurement_id(const Trial& trial);

/// Adds the scores of a measurement to its trial; nothing when either failed. A metric that both have stays the
/// trial's.
void add_scores(const Trial& measurement, Trial& trial);

/// The score of `metric`, or nullptr when the trial failed or has no such metric.
const Value* score(const Trial& trial, std::string_view metric);

/// The trial as it stands in the journal and in clients' JSON: `name` only when there is one, `scores` or `failure`.
///
///     {"id":"0","layout":"G*","path":[0,1],"scores":{"kv":{"value":1.5,"deviation":null,"source":"exact"}},"feasible":true}
///     {"id":"1",...,"failure":{"kind":"diverged","reason":"loss is nan at step 40"},"feasible":false}
///
/// Finite numbers come back bit for bit; a score that is not finite is a std::logic_error (the study made it a
/// Failure).
nlohmann::ordered_json to_json(const Trial& trial);

/// The inverse of `to_json`; keys beside those above are ignored. Throws spec::SpecError located below `path`.
Trial trial_from_json(const nlohmann::json& value, const std::string& path = "");

}  // namespace plait::search
