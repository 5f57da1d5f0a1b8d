#pragma once

#include <gmock/gmock.h>

#include <ostream>
#include <string>
#include <vector>

#include "src/spec/error.h"

namespace plait::spec {
inline void PrintTo(const Problem& problem, std::ostream* out) { *out << problem.path << ": " << problem.message; }
}  // namespace plait::spec

namespace plait::testing {

/// The problems `action` reports by throwing SpecError; fails the test when it does not throw.
template <class Action>
std::vector<spec::Problem> problems_of(Action&& action) {
  try {
    action();
  } catch (const spec::SpecError& error) {
    return error.problems();
  }
  ADD_FAILURE() << "expected a SpecError";
  return {};
}

inline auto problem(const std::string& path, const std::string& message_part) {
  return ::testing::AllOf(::testing::Field("path", &spec::Problem::path, path),
                          ::testing::Field("message", &spec::Problem::message, ::testing::HasSubstr(message_part)));
}

}  // namespace plait::testing
