#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "costmodel/roofline.h"

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

/// A published time of a whole model, and ours (validation_times.json).
struct TimedCase {
  std::string name;
  std::string phase;  ///< prefill, decode, training
  std::string machine;
  std::string setting;  ///< type, batch, context, parallelism
  std::string source;
  bool fitted = false;   ///< a constant was fitted to it (costmodel::kTrainingOverhead)
  double published = 0;  ///< seconds; tokens per second and device of training
  costmodel::Estimate estimated;
  double data_sheet = 0;  ///< the same with every operator at its machine's peak or bandwidth
};
std::vector<TimedCase> timed_cases();

/// The same of models of flash-linear-attention, measured by tests/bench/fla_hybrids.py
/// (measurements/fla_hybrids.json). All are held out.
std::vector<TimedCase> measured_cases();

/// The cost model beside published numbers, as Markdown: what is exact, and the errors of times by class, machine and
/// backend. costmodel/VALIDATION.md is this text.
std::string validation_page();

}  // namespace plait::app
