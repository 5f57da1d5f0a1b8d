#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "src/spec/error.h"
#include "src/spec/field.h"

namespace plait::spec {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

/// Reads one JSON object and collects what is wrong with it: missing keys, wrong types, values out of range (with what
/// is allowed), unknown keys (with the closest known one) when `finish` is called. Every getter returns a usable value
/// even after a problem, so that reading goes on and finds the next one.
class ObjectReader {
 public:
  ObjectReader(const Json& value, std::string path, Problems& problems);

  bool has(std::string_view key) const;
  std::string path(std::string_view key) const { return join_path(path_, key); }
  Problems& problems() { return problems_; }

  /// The value, marked as known; nullptr when absent.
  const Json* get(std::string_view key);
  /// Reports a problem when absent.
  const Json* require(std::string_view key);

  // With a fallback the key is optional; without one its absence is a problem.
  std::string string(std::string_view key, std::optional<std::string> fallback = {});
  bool boolean(std::string_view key, std::optional<bool> fallback = {});
  double number(std::string_view key, double low, double high, std::optional<double> fallback = {});
  /// An integer, or a string such as "32k" or "2M" (powers of 1024).
  Dim integer(std::string_view key, Dim low, Dim high, std::optional<Dim> fallback = {});
  std::vector<std::string> strings(std::string_view key, bool required = false);
  /// One of `names`; returns the index.
  std::size_t one_of(std::string_view key, const std::vector<std::string>& names,
                     std::optional<std::size_t> fallback = {});

  template <class Enum>
  Enum choice(std::string_view key, std::optional<Enum> fallback = {}) {
    std::vector<std::string> names;
    std::optional<std::size_t> index;
    for (const auto& [value, name] : enum_names(Enum{})) {
      if (fallback == value) index = names.size();
      names.emplace_back(name);
    }
    return enum_names(Enum{})[one_of(key, names, index)].first;
  }

  /// Reads every described member of `out`; its present values are the fallbacks.
  template <class Struct>
  void fields(Struct& out) {
    for_each_field<Struct>([&](const auto& field) {
      auto& member = out.*(field.member);
      using T = std::remove_cvref_t<decltype(member)>;
      if constexpr (std::is_same_v<T, Dim>) {
        member = integer(field.key, field.low, field.high, member);
      } else if constexpr (std::is_same_v<T, double>) {
        member = number(field.key, field.low, field.high, member);
      } else if constexpr (std::is_same_v<T, bool>) {
        member = boolean(field.key, member);
      } else {
        member = choice<T>(field.key, member);
      }
    });
  }

  /// Reports the keys that nobody asked for. Keys that start with '_' are comments.
  void finish();

 private:
  const Json* value_ = nullptr;  // null when the value is not an object (reported once)
  std::string path_;
  Problems& problems_;
  std::set<std::string, std::less<>> known_;
};

/// Writes every described member.
template <class Struct>
void write_fields(const Struct& in, OrderedJson& out) {
  for_each_field<Struct>([&](const auto& field) {
    const auto& member = in.*(field.member);
    using T = std::remove_cvref_t<decltype(member)>;
    if constexpr (std::is_enum_v<T>) {
      for (const auto& [value, name] : enum_names(T{})) {
        if (value == member) out[std::string(field.key)] = name;
      }
    } else {
      out[std::string(field.key)] = member;
    }
  });
}

/// Deepest nesting that is read; functions that walk a value may recurse.
inline constexpr int kMaxJsonDepth = 64;

/// Parses a text. Throws SpecError at `name`, with line and column, for bad JSON: duplicate keys, numbers past the
/// range of a double and deeper nesting than `kMaxJsonDepth` included.
Json parse_json(std::string_view text, const std::string& name);

/// The same for a file. Throws std::system_error when it cannot be read.
Json read_json_file(const std::string& file);

/// "32768", "32k", "2M", "1G": powers of 1024. Nothing when the text is not a size.
std::optional<Dim> parse_size(std::string_view text);
/// 32768 -> "32k"; 1000 -> "1000".
std::string format_size(Dim value);

}  // namespace plait::spec
