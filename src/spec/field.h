#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>
#include <utility>

namespace plait::spec {

/// Sizes and counts of a model. 64 bits, because products of them (vocabulary x width) pass 2^31.
using Dim = std::int64_t;

/// Largest value any single dimension may take; keeps products of four of them inside 128 bits.
inline constexpr Dim kMaxDim = Dim{1} << 28;

/// Describes one member of a plain struct: its JSON key, where it lives and what values are legal. JSON in and out,
/// validation, hashing and the `plait mixers` listing all walk these descriptions, so a member cannot be forgotten.
template <class Struct, class T>
struct Field {
  std::string_view key;
  T Struct::*member;
  std::string_view help;
  T low{};   ///< smallest legal value; ignored for bool and enums
  T high{};  ///< largest legal value
};

template <class Struct>
constexpr Field<Struct, Dim> dim(std::string_view key, Dim Struct::*member, std::string_view help, Dim low = 1,
                                 Dim high = kMaxDim) {
  return {key, member, help, low, high};
}

template <class Struct>
constexpr Field<Struct, double> real(std::string_view key, double Struct::*member, std::string_view help, double low,
                                     double high) {
  return {key, member, help, low, high};
}

template <class Struct>
constexpr Field<Struct, bool> flag(std::string_view key, bool Struct::*member, std::string_view help) {
  return {key, member, help};
}

template <class Struct, class Enum>
constexpr Field<Struct, Enum> choice(std::string_view key, Enum Struct::*member, std::string_view help) {
  return {key, member, help};
}

/// Calls `f(field)` for each field description of `Struct`.
template <class Struct, class F>
constexpr void for_each_field(F&& f) {
  std::apply([&](const auto&... field) { (f(field), ...); }, Struct::fields());
}

}  // namespace plait::spec
