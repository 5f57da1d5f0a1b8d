#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace plait::app {

/// A published number that the cost model must give to the digit (validation_cases.json).
struct ExactCase {
  std::string name;
  std::string quantity;
  std::string source;
  std::int64_t published = 0;
  std::int64_t counted = 0;
};
std::vector<ExactCase> exact_cases();

/// The cost model beside published numbers, as Markdown: what is exact, and the errors of times by class, machine and
/// backend. costmodel/VALIDATION.md is this text.
std::string validation_page();

}  // namespace plait::app
