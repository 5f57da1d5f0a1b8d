#include "src/interchange/fla.h"

#include <cmath>
#include <span>

#include "src/spec/embedded_file.h"

namespace plait::embedded {
std::span<const spec::EmbeddedFile> fla_files();
}

namespace plait::interchange::fla {

using spec::Dim;
using spec::Json;
using spec::OrderedJson;

const OrderedJson* class_defaults(std::string_view model_type) {
  static const OrderedJson table = [] {
    for (const spec::EmbeddedFile& file : embedded::fla_files()) {
      if (file.name == "fla_defaults.json") return OrderedJson::parse(file.content);
    }
    throw std::logic_error("fla_defaults.json is not embedded");
  }();
  const auto row = table.find(std::string(model_type));
  return row == table.end() ? nullptr : &*row;
}

ConfigReader::ConfigReader(const Json& config, const OrderedJson& defaults, std::string path, spec::Problems& problems)
    : config_(config), defaults_(defaults), path_(std::move(path)), problems_(problems) {}

Json ConfigReader::value(std::string_view key) const {
  if (const auto given = config_.find(std::string(key)); given != config_.end()) return *given;
  if (const auto known = defaults_.find(std::string(key)); known != defaults_.end()) return Json(*known);
  return nullptr;
}

namespace {

/// Nothing when the value is no JSON integer in [low, high].
std::optional<Dim> as_dim(const Json& value, Dim low, Dim high) {
  if (!value.is_number_integer()) return {};
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(high)) return {};
  const Dim number = value.get<Dim>();
  return number >= low && number <= high ? std::optional(number) : std::nullopt;
}

}  // namespace

Dim ConfigReader::integer(std::string_view key, Dim low, Dim high) {
  const Json given = value(key);
  if (const auto number = as_dim(given, low, high)) return *number;
  problem(key, "must be an integer from {} to {}; got {}", low, high, given.dump());
  const auto known = defaults_.find(std::string(key));
  return known != defaults_.end() && known->is_number_integer() ? known->get<Dim>() : std::max<Dim>(low, 1);
}

std::optional<Dim> ConfigReader::optional_integer(std::string_view key, Dim low) {
  const Json given = value(key);
  if (given.is_null()) return {};
  if (const auto number = as_dim(given, low, spec::kMaxDim)) return number;
  problem(key, "must be null or an integer from {} to {}; got {}", low, spec::kMaxDim, given.dump());
  return {};
}

double ConfigReader::positive(std::string_view key) {
  const Json given = value(key);
  if (given.is_number()) {
    const double number = given.get<double>();
    if (std::isfinite(number) && number > 0) return number;
  }
  problem(key, "must be a finite number above 0; got {}", given.dump());
  return 1.0;
}

std::optional<double> ConfigReader::optional_number(std::string_view key) {
  const Json given = value(key);
  if (given.is_null()) return {};
  if (given.is_number() && std::isfinite(given.get<double>())) return given.get<double>();
  problem(key, "must be null or a finite number; got {}", given.dump());
  return {};
}

bool ConfigReader::boolean(std::string_view key) {
  const Json given = value(key);
  if (given.is_boolean()) return given.get<bool>();
  problem(key, "must be true or false; got {}", given.dump());
  const auto known = defaults_.find(std::string(key));
  return known != defaults_.end() && known->is_boolean() && known->get<bool>();
}

Dim ConfigReader::product(std::string_view key, Dim whole, std::string_view whole_key, Rounding rounding) {
  const double ratio = positive(key);
  const double exact = static_cast<double>(whole) * ratio;
  if (!(exact < static_cast<double>(spec::kMaxDim))) {
    problem(key, "{} {} x {} {} is more than {}", whole_key, whole, key, ratio, spec::kMaxDim);
    return 0;
  }
  const double rounded = rounding == Rounding::nearest ? std::nearbyint(exact) : std::floor(exact);
  const double tolerance = rounding == Rounding::nearest ? 1e-9 : 1e-5;
  if (rounding != Rounding::floor && std::abs(exact - rounded) > tolerance * exact) {
    problem(key, "{} {} x {} {} = {} is not an integer", whole_key, whole, key, ratio, exact);
    return 0;
  }
  if (rounded < 1) {
    problem(key, "{} {} x {} {} = {} leaves no channel", whole_key, whole, key, ratio, exact);
    return 0;
  }
  return static_cast<Dim>(rounded);
}

Dim ConfigReader::quotient(Dim width, std::string_view width_text, std::string_view key, Dim divisor) {
  if (width == 0) return 1;  // reported where the width was computed
  if (width % divisor == 0) return width / divisor;
  problem(key, "{} {} is not a multiple of {} {}", width_text, width, key, divisor);
  return std::max<Dim>(1, width / divisor);
}

}  // namespace plait::interchange::fla
