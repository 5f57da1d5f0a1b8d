#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace plait::search {

enum class Direction { minimize, maximize };
inline constexpr std::array<std::pair<Direction, std::string_view>, 2> enum_names(Direction) {
  return {{{Direction::minimize, "minimize"}, {Direction::maximize, "maximize"}}};
}

/// Where a number came from. `exact`: counted. `estimate`: a calibrated model (times, energy). `prior`, `surrogate`: a
/// quality estimate with a deviation. `measured`: trained and evaluated, here or in a publication.
enum class Source { exact, estimate, prior, surrogate, measured };
inline constexpr std::array<std::pair<Source, std::string_view>, 5> enum_names(Source) {
  return {{{Source::exact, "exact"},
           {Source::estimate, "estimate"},
           {Source::prior, "prior"},
           {Source::surrogate, "surrogate"},
           {Source::measured, "measured"}}};
}

template <class Enum>
std::string_view name_of(Enum value) {
  for (const auto& [v, name] : enum_names(Enum{})) {
    if (v == value) return name;
  }
  return "?";
}

/// A quantity that an evaluator can produce. `name` is unique within a study; `unit` is "1" for dimensionless numbers.
struct Metric {
  std::string name;
  std::string unit;
  Direction direction = Direction::minimize;  ///< which way is better
  std::string help;

  bool operator==(const Metric&) const = default;
};

/// A metric that the search trades off; `direction` is the metric's unless the study says otherwise.
struct Objective {
  std::string metric;
  std::string unit;
  Direction direction = Direction::minimize;

  bool operator==(const Objective&) const = default;
};

/// low <= metric <= high; a trial outside is kept, marked infeasible and never on the front.
struct Constraint {
  std::string metric;
  std::optional<double> low;
  std::optional<double> high;

  bool operator==(const Constraint&) const = default;
};

struct Value {
  double value = 0;
  std::optional<double> deviation;  ///< standard deviation, where the source has one
  Source source = Source::exact;

  bool operator==(const Value&) const = default;
};

using Scores = std::map<std::string, Value, std::less<>>;

/// An expected way for a trial to end without scores.
struct Failure {
  enum class Kind { unsupported, out_of_memory, diverged, timed_out, cancelled, error };
  Kind kind = Kind::error;
  std::string reason;

  bool operator==(const Failure&) const = default;
};
inline constexpr std::array<std::pair<Failure::Kind, std::string_view>, 6> enum_names(Failure::Kind) {
  return {{{Failure::Kind::unsupported, "unsupported"},
           {Failure::Kind::out_of_memory, "out_of_memory"},
           {Failure::Kind::diverged, "diverged"},
           {Failure::Kind::timed_out, "timed_out"},
           {Failure::Kind::cancelled, "cancelled"},
           {Failure::Kind::error, "error"}}};
}

using Outcome = std::variant<Scores, Failure>;

}  // namespace plait::search
