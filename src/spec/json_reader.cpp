#include "src/spec/json_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>
#include <system_error>

namespace plait::spec {
namespace {

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  constexpr std::size_t kLongest = 40;
  if (text.size() <= kLongest) return text;
  std::size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not inside a UTF-8 character
  return text.substr(0, end) + "...";
}

std::string_view type_of(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return "a boolean";
  if (value.is_number_integer()) return "an integer";
  if (value.is_number()) return "a number";
  if (value.is_string()) return "a string";
  return value.is_array() ? "a list" : "an object";
}

std::string wrong_type(const Json& value, std::string_view wanted) {
  return fmt::format("must be {}, not {} ({})", wanted, type_of(value), shown(value));
}

}  // namespace

ObjectReader::ObjectReader(const Json& value, std::string path, Problems& problems)
    : path_(std::move(path)), problems_(problems) {
  if (value.is_object()) {
    value_ = &value;
  } else {
    problems_.add(path_, wrong_type(value, "an object"));
  }
}

bool ObjectReader::has(std::string_view key) const { return value_ && value_->contains(key); }

const Json* ObjectReader::get(std::string_view key) {
  known_.emplace(key);
  if (!value_) return nullptr;
  const auto it = value_->find(key);
  return it == value_->end() ? nullptr : &*it;
}

const Json* ObjectReader::require(std::string_view key) {
  const Json* value = get(key);
  if (!value && value_) problems_.add(path(key), "is missing");
  return value;
}

std::string ObjectReader::string(std::string_view key, std::optional<std::string> fallback) {
  const Json* value = fallback ? get(key) : require(key);
  if (!value) return fallback.value_or("");
  if (value->is_string()) return value->get<std::string>();
  problems_.add(path(key), wrong_type(*value, "a string"));
  return fallback.value_or("");
}

bool ObjectReader::boolean(std::string_view key, std::optional<bool> fallback) {
  const Json* value = fallback ? get(key) : require(key);
  if (!value) return fallback.value_or(false);
  if (value->is_boolean()) return value->get<bool>();
  problems_.add(path(key), wrong_type(*value, "true or false"));
  return fallback.value_or(false);
}

double ObjectReader::number(std::string_view key, double low, double high, std::optional<double> fallback) {
  const Json* value = fallback ? get(key) : require(key);
  if (!value) return fallback.value_or(low);
  if (!value->is_number()) {
    problems_.add(path(key), wrong_type(*value, "a number"));
  } else if (const double number = value->get<double>(); !(number >= low && number <= high)) {
    problems_.add(path(key), fmt::format("{} is out of range; allowed are {} to {}", shown(*value), low, high));
  } else {
    return number;
  }
  return fallback.value_or(low);
}

Dim ObjectReader::integer(std::string_view key, Dim low, Dim high, std::optional<Dim> fallback) {
  const Json* value = fallback ? get(key) : require(key);
  const Dim otherwise = fallback.value_or(low);
  if (!value) return otherwise;
  Dim number = 0;
  if (value->is_string()) {
    const std::optional<Dim> size = parse_size(value->get<std::string>());
    if (!size) {
      problems_.add(path(key), fmt::format("{} is not a size; write an integer, or 32k or 2M", shown(*value)));
      return otherwise;
    }
    number = *size;
  } else if (value->is_number_unsigned() && value->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    number = INT64_MAX;
  } else if (value->is_number_integer()) {
    number = value->get<Dim>();
  } else {
    problems_.add(path(key), wrong_type(*value, "an integer"));
    return otherwise;
  }
  if (number >= low && number <= high) return number;
  problems_.add(path(key), fmt::format("{} is out of range; allowed are {} to {}", shown(*value), low, high));
  return otherwise;
}

std::vector<std::string> ObjectReader::strings(std::string_view key, bool required) {
  std::vector<std::string> out;
  const Json* value = required ? require(key) : get(key);
  if (!value) return out;
  if (!value->is_array()) {
    problems_.add(path(key), wrong_type(*value, "a list of strings"));
    return out;
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    const Json& item = (*value)[i];
    if (item.is_string()) {
      out.push_back(item.get<std::string>());
    } else {
      problems_.add(index_path(path(key), i), wrong_type(item, "a string"));
    }
  }
  return out;
}

std::size_t ObjectReader::one_of(std::string_view key, const std::vector<std::string>& names,
                                 std::optional<std::size_t> fallback) {
  const Json* value = fallback ? get(key) : require(key);
  if (!value) return fallback.value_or(0);
  if (value->is_string()) {
    const auto given = value->get<std::string>();
    const auto it = std::ranges::find(names, given);
    if (it != names.end()) return static_cast<std::size_t>(it - names.begin());
    const std::string close = closest_name(given, names);
    problems_.add(path(key), fmt::format("unknown value {}; one of {}{}", shown(*value), quoted_list(names),
                                         close.empty() ? "" : fmt::format("; did you mean \"{}\"?", close)));
  } else {
    problems_.add(path(key), wrong_type(*value, fmt::format("one of {}", quoted_list(names))));
  }
  return fallback.value_or(0);
}

void ObjectReader::finish() {
  if (!value_) return;
  const std::vector<std::string> names(known_.begin(), known_.end());
  for (const auto& [key, value] : value_->items()) {
    if (known_.contains(key) || key.starts_with('_')) continue;
    const std::string close = closest_name(key, names);
    problems_.add(path(key), close.empty() ? fmt::format("unknown key; known are {}", quoted_list(names))
                                           : fmt::format("unknown key; did you mean \"{}\"?", close));
  }
}

Json read_json_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::system_error(errno, std::generic_category(), fmt::format("cannot read {}", file));
  std::ostringstream text;
  text << in.rdbuf();
  if (in.bad()) throw std::system_error(errno, std::generic_category(), fmt::format("cannot read {}", file));

  return parse_json(text.str(), file);
}

Json parse_json(std::string_view text, const std::string& name) {
  Problems problems;
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxJsonDepth) {
      throw SpecError(name, fmt::format("is nested more than {} deep", kMaxJsonDepth));
    }
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      problems.add(name, fmt::format("key \"{}\" is given twice in one object", parsed.get<std::string>()));
    }
    return true;
  };
  const auto reason = [](std::string_view what) {
    const std::size_t prefix = what.find("] ");
    return prefix == what.npos ? what : what.substr(prefix + 2);
  };
  try {
    Json value = Json::parse(text, watch);
    problems.throw_if_any();
    return value;
  } catch (const Json::parse_error& error) {
    // The parser's own line and column are off by one token at line ends; its byte count is right.
    const std::string_view read = text.substr(0, error.byte == 0 ? 0 : error.byte - 1);
    const auto line = std::ranges::count(read, '\n') + 1;
    const std::size_t column = read.size() - (read.rfind('\n') + 1) + 1;
    const std::string_view what = error.what();
    const std::size_t colon = what.find(": ", what.find("parse error"));
    throw SpecError(name, fmt::format("is not valid JSON: line {}, column {}: {}", line, column,
                                      colon == what.npos ? what : what.substr(colon + 2)));
  } catch (const Json::out_of_range& error) {  // 1e999; the parser does not say where it stands
    throw SpecError(name, fmt::format("holds a number that no double can hold: {}", reason(error.what())));
  }
}

std::optional<Dim> parse_size(std::string_view text) {
  Dim value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value < 0) return std::nullopt;
  const std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  int shift = 0;
  if (suffix == "k" || suffix == "K") {
    shift = 10;
  } else if (suffix == "M") {
    shift = 20;
  } else if (suffix == "G") {
    shift = 30;
  } else if (!suffix.empty()) {
    return std::nullopt;
  }
  if (value > (INT64_MAX >> shift)) return std::nullopt;
  return value << shift;
}

std::string format_size(Dim value) {
  constexpr std::string_view kSuffixes = "GMk";
  for (int i = 0; i < 3; ++i) {
    const int shift = 30 - 10 * i;
    if (value != 0 && value % (Dim{1} << shift) == 0) return fmt::format("{}{}", value >> shift, kSuffixes[i]);
  }
  return fmt::format("{}", value);
}

}  // namespace plait::spec
